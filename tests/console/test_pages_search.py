"""The search line: what it means, and that it can be written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.console.store.base import Project
from fivehundred.console.web.search import Search, parse, reference

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
    ],
)
def test_a_term_that_makes_no_sense_is_named_with_what_to_type(line: str, words: str) -> None:
    found = parse(f"{line} refused", projects)
    assert words in found.problems[0]
    assert found.text == "refused"


@given(st.text(max_size=80))
def test_the_canonical_line_means_the_same_as_what_was_typed(line: str) -> None:
    found = parse(line, projects)
    again = parse(found.spelled, projects)
    assert not again.problems
    assert again.query() == found.query()


@pytest.mark.parametrize("line", ["", "hello", "0" * 31, "0" * 33, "urn:uuid:", "zz" * 16])
def test_what_is_no_reference_is_none(line: str) -> None:
    assert reference(line) == ""
