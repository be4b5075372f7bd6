"""Search among kept events, on each database: by columns, tags, words and time; bounded, and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fivehundred import limits
from fivehundred.console.store import event_search
from fivehundred.console.store.base import BadCursor, Digested, Project, Store
from fivehundred.console.store.event_search import EventQuery
from fivehundred.console.web.event_terms import parse

now = 1_790_000_000.0
Make = Callable[..., Digested]
Write = Callable[..., None]
projects = [Project("1", "shop", "k", now), Project("2", "bank", "l", now)]


@pytest.fixture(autouse=True)
def all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "payloads_an_hour_max", 10**9)


def found(store: Store, line: str, **more: Any) -> list[str]:
    """Titles' last words of what a line finds, the newest first."""
    asked = parse(line, projects, now=now)
    assert asked.problems == ()
    return [e.title.split()[-1] for e in store.find_events(replace(asked.query, **more)).events]


@pytest.fixture
def shop(store: Store, write: Write, make: Make) -> Store:
    write(
        make("a", user={"id": "Ada"}, tags={"region": "eu"}, release="1.0", server_name="web-1", at=now - 7_200),
        make("b", user={"id": "bob"}, tags={"region": "us"}, release="2.0", extra={"note": 'Say "Hello" to Zoë'}),
        make("c", project="2", user={"id": "Ada"}, tags=[["region", "eu"], ["n", 7]], environment="staging"),
        make("d", request={"url": "https://x.example/orders/50%25?a=1", "method": "PUT"}),
    )
    return store


@pytest.mark.parametrize(
    ("line", "titles"),
    [
        ("", ["d", "c", "b", "a"]),
        ("user:ada", ["c", "a"]),
        ("user:ada project:shop", ["a"]),
        ("-user:ada", ["d", "b"]),
        ("tag:region=eu", ["c", "a"]),
        ("tag:region=eu tag:n=7", ["c"]),
        ("release:2.0", ["b"]),
        ("env:staging", ["c"]),
        ("host:web-1", ["a"]),
        ("method:put", ["d"]),
        ("url:/orders/50%25", ["d"]),
        ("url:orders_50", []),
        ("hello ZOË", ["b"]),
        ('"say \\"hello"', ["b"]),
        ("division", ["d", "c", "b", "a"]),
        ("nowhere", []),
        ("within:1h", ["d", "c", "b"]),
        ("before:2026-09-21T13:00", ["a"]),
        ("after:2026-09-21T13:00", ["d", "c", "b"]),
        ("after:2026-09-21T15:00+02:00 user:ada", ["c"]),
    ],
)
def test_a_line_finds_what_it_says(shop: Store, line: str, titles: list[str]) -> None:
    assert found(shop, line) == titles


def test_events_of_a_fault_and_of_visible_projects_alone(shop: Store) -> None:
    fault = shop.find_events(EventQuery(words=("zoë",))).events[0].fault
    assert found(shop, f"fault:#{fault}") == ["b"]
    assert found(shop, "user:ada", projects=("2",)) == ["c"]
    assert found(shop, "user:ada", projects=()) == []


def test_pages_follow_each_other_and_a_foreign_cursor_is_refused(store: Store, write: Write, make: Make) -> None:
    write(*(make(f"k{n}", user={"id": "ada"}) for n in range(7)))
    seen, cursor = [], ""
    while True:
        page = store.find_events(EventQuery(having=(("user", "ada"),), limit=3, cursor=cursor))
        seen += [e.title.split()[-1] for e in page.events]
        cursor = page.next
        if not cursor:
            break
    assert seen == [f"k{n}" for n in reversed(range(7))]
    with pytest.raises(BadCursor):
        store.find_events(EventQuery(cursor="x"))


def test_a_search_that_takes_too_long_says_how_far_it_came_and_goes_on(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "event_search_s_max", 0.0)
    write(*(make(f"k{n}", extra={"n": f"needle{n}"}) for n in range(5)))
    first = store.find_events(EventQuery(words=("needle0",)))
    assert (first.events, first.read, first.back_to) == ((), 1, now)
    monkeypatch.setattr(limits, "event_search_s_max", 60.0)
    rest = store.find_events(EventQuery(words=("needle0",), cursor=first.next))
    assert ([e.title.split()[-1] for e in rest.events], rest.read, rest.back_to) == (["k0"], 4, None)


def test_what_is_far_back_is_found_through_windows_of_ids(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "_ids_at_once", 3)
    monkeypatch.setattr(event_search, "_rows_at_once", 2)
    write(*(make(f"k{n}", user={"id": "ada" if n % 5 == 0 else "bob"}) for n in range(20)))
    assert found(store, "user:ada") == ["k15", "k10", "k5", "k0"]
    assert found(store, "user:ada k5") == ["k5"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour:red", "There is no term colour:"),
        ("user:", "user: needs a value, as in user:ada@example.com"),
        ("-url:/x", "-url: cannot be turned around"),
        ("tag:region", "tag:region is no tag with a value"),
        ("fault:x", "fault:x is no number"),
        ("project:nope", "project:nope is not known; there are shop, bank"),
        ("within:soon", "within:soon is no span of time"),
        ("after:yesterday", "after:yesterday is no time; write after:2026-11-20"),
        ("before:99999-01-01", "is no time"),
    ],
)
def test_what_makes_no_sense_is_said(line: str, words: str) -> None:
    (said,) = parse(f"{line} division", projects).problems
    assert words in said
