"""The search line: what it means, and that it can be written back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.console.store.base import Project
from fivehundred.console.web.search import Search, examples, filters, parse, reference

projects = (Project("1", "shop", "k", 0.0), Project("22", "my billing", "k", 0.0))


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("", Search()),
        ("is:muted", Search(state="muted")),
        ("IS:Resolved cause:DATABASE", Search(state="resolved", cause="database")),
        ("release:2.4.0 env:staging", Search(release="2.4.0", environment="staging")),
        ('release:"2.4 beta" connection refused', Search(release="2.4 beta", text="connection refused")),
        ("project:shop", Search(project="1")),
        ("project:22", Search(project="22")),
        ('project:"My Billing"', Search(project="22")),
        ('"is:open"', Search(text="is:open")),
        ("http://rates.example/x 127.0.0.1:5432 db:5432", Search(text="http://rates.example/x 127.0.0.1:5432 db:5432")),
        ('"unclosed quote', Search(text="unclosed quote")),
        ("is:review assigned:me", Search(state="review", assigned="me")),
        ("priority:HIGH events:>100 users:>=7", Search(priority="high", events_min=101, users_min=7)),
        ("first:<24h last:15m", Search(first="24h", last="15m")),
        ("host:web-1 tag:region=eu", Search(having=(("host", "web-1"), ("region", "eu")))),
        ("-cause:BUG -env:staging", Search(without=(("cause", "bug"), ("environment", "staging")))),
        ('-tag:"plan=very big"', Search(without=(("plan", "very big"),))),
        ("-verbose -1 x-y", Search(text="-verbose -1 x-y")),
    ],
)
def test_a_line_means(line: str, meaning: Search) -> None:
    found = parse(line, projects)
    assert not found.problems
    assert found.query() == meaning.query()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour:red", "no filter colour:"),
        ("is:closed", "open, muted, resolved, any"),
        ("cause:gremlins", "misconfiguration"),
        ("project:nobody", "shop, my billing"),
        ("release:", "release:2.4.0"),
        ("events:many", "events:many is no count; write events:>100"),
        ("first:yesterday", "first:yesterday is no span"),
        ("tag:region", "tag:region is no tag"),
        ("-is:open", "-is: cannot be turned around"),
        ("-cause:gremlins", "cause:gremlins is not known"),
        ("priority:now", "high, medium, low"),
    ],
)
def test_a_term_that_makes_no_sense_is_named_with_what_to_type(line: str, words: str) -> None:
    found = parse(f"{line} refused", projects)
    assert words in found.problems[0]
    assert found.text == "refused"


terms = st.tuples(st.sampled_from(["", "-"]), st.sampled_from(filters), st.text(max_size=12)).map(
    lambda t: f'{t[0]}{t[1]}:"{t[2]}"'
)


@given(st.lists(st.text(max_size=20) | terms | st.sampled_from(list(examples.values())), max_size=5).map(" ".join))
def test_the_canonical_line_means_the_same_as_what_was_typed(line: str) -> None:
    found = parse(line, projects)
    again = parse(found.spelled, projects)
    assert not again.problems
    assert again.query() == found.query()


@pytest.mark.parametrize("line", ["", "hello", "0" * 31, "0" * 33, "urn:uuid:", "zz" * 16])
def test_what_is_no_reference_is_none(line: str) -> None:
    assert reference(line) == ""


@given(st.lists(terms, max_size=4).map(" ".join))
def test_each_chip_takes_its_own_term_away(line: str) -> None:
    found = parse(line, projects)
    for name, value, without in found.parts:
        assert parse(without, projects).query() != found.query(), (name, value)


@pytest.mark.parametrize("name", filters)
def test_every_filter_has_an_example_that_means_something(name: str) -> None:
    found = parse(examples[name], projects)
    assert not found.problems
    assert found.query() != Search().query() or name == "is"


def test_every_filter_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/search.md").read_text("utf-8")
    for name in filters:
        assert f"| `{examples[name].partition(':')[0]}:" in page, name
