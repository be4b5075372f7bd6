"""Merges, splits and rules through a store: what moves, what is taught, and that all of it can be taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fivehundred.console.store.base import Digested, NotFound, Store
from fivehundred.console.store.choices import ChoiceRefused, Choices

now = 1_790_000_000.0
Make = Callable[..., Digested]


@pytest.fixture
def desk(store: Store, make: Make, write: Callable[..., None]) -> Choices:
    """Two faults: #1 with two events, #2 with three, one user of each is the same."""
    store.create_project("shop", now=now)
    first = [make("a", at=now - 50, user={"id": u}, release="1") for u in ("ann", "bob")]
    write(*first, *(make("b", at=now - n, user={"id": "bob"}, release="2", tags={"region": "eu"}) for n in range(3)))
    return Choices(store.database)


def figures(store: Store, fault: int) -> tuple[int, int, str]:
    found = store.fault(fault, now=now).fault
    return found.events, found.users, found.state


def test_a_merge_brings_counts_payloads_and_first_seen_together(store: Store, desk: Choices) -> None:
    desk.merge(2, 1, by="ann", now=now)
    detail = store.fault(2, now=now)
    assert figures(store, 2) == (5, 2, "open")
    assert (detail.fault.first_seen, detail.fault.first_release) == (now - 50, "1")
    assert {name for name, _, _ in detail.releases} == {"1", "2"}
    events, _ = store.events(2, project=None, cursor="", limit=9)
    assert len(events) == 5
    assert sum(detail.fault.trend) == 5


def test_what_comes_later_under_either_key_is_the_merged_fault(
    store: Store, desk: Choices, make: Make, write: Callable[..., None]
) -> None:
    desk.merge(2, 1, by="ann", now=now)
    write(make("a", at=now + 1), make("b", at=now + 2))
    assert figures(store, 2) == (7, 2, "open")
    assert figures(store, 1)[2] == "resolved"


def test_a_merge_that_is_taken_back_leaves_both_as_they_were(
    store: Store, desk: Choices, make: Make, write: Callable[..., None]
) -> None:
    before = [store.fault(n, now=now) for n in (1, 2)]
    undone = desk.undo(desk.merge(2, 1, by="ann", now=now), by="bob", now=now)
    assert undone.undone_by == "bob"
    for was in before:
        is_now = store.fault(was.fault.id, now=now)
        assert (is_now.tags, is_now.releases, is_now.fault.trend) == (was.tags, was.releases, was.fault.trend)
        assert figures(store, was.fault.id) == (was.fault.events, was.fault.users, "open")
        assert len(store.events(was.fault.id, project=None, cursor="", limit=9)[0]) == was.fault.events
    write(make("a", at=now + 1))
    assert figures(store, 1)[0] == 3


def test_an_undone_merge_gives_its_users_back_and_keeps_who_came_since(
    store: Store, desk: Choices, make: Make, write: Callable[..., None]
) -> None:
    merged = desk.merge(2, 1, by="ann", now=now)
    write(make("b", at=now + 1, user={"id": "eve"}))
    desk.undo(merged, by="bob", now=now + 2)
    assert (figures(store, 1)[1], figures(store, 2)[1]) == (2, 2)  # ann and bob; bob and eve
    write(make("b", at=now + 3, user={"id": "ann"}))
    assert figures(store, 2)[1] == 3
    assert store.database.rows("SELECT * FROM choice_user") == []


def test_history_says_who_merged_what(store: Store, desk: Choices) -> None:
    desk.merge(2, 1, by="ann", now=now)
    assert ("ann", "took #1 in") in [(c.by, c.what) for c in store.fault(2, now=now).history]
    assert ("ann", "merged into #2") in [(c.by, c.what) for c in store.fault(1, now=now).history]
    assert [(c.kind, c.fault, c.other) for c in desk.of_fault(1)] == [("merge", 2, 1)]


def test_what_cannot_be_merged_is_refused_with_a_reason(
    store: Store, desk: Choices, make: Make, write: Callable[..., None]
) -> None:
    write(make("c", project="2"))
    desk.merge(2, 1, by="ann", now=now)
    for into, other, word in ((2, 2, "itself"), (2, 3, "different projects"), (2, 1, "already"), (1, 2, "already")):
        with pytest.raises(ChoiceRefused, match=word):
            desk.merge(into, other, by="ann", now=now)
    with pytest.raises(NotFound):
        desk.merge(2, 99, by="ann", now=now)


def test_a_split_is_in_the_book_until_it_is_taken_back(store: Store, desk: Choices) -> None:
    number = desk.split(2, "tag:region", by="ann", now=now)
    assert list(desk.book("1").splits) == ["b"]
    assert desk.book("2").is_empty
    desk.undo(number, by="ann", now=now)
    assert desk.book("1").is_empty
    with pytest.raises(ChoiceRefused, match="already"):
        desk.undo(number, by="ann", now=now)
    with pytest.raises(ChoiceRefused, match="colour"):
        desk.split(2, "colour", by="ann", now=now)


def test_a_rule_stands_for_its_project_until_it_is_turned_off(store: Store, desk: Choices) -> None:
    rule = desk.add_rule("1", [("type", "Payment*")], "payments", by="ann", now=now)
    desk.add_rule("", [("tag:region", "eu")], "{{ default }}", by="ann", now=now)
    assert [len(desk.book(p).rules) for p in ("1", "2")] == [2, 1]
    desk.enable_rule(rule, False)
    assert len(desk.book("1").rules) == 1
    desk.remove_rule(rule)
    with pytest.raises(NotFound):
        desk.remove_rule(rule)


@pytest.mark.parametrize(
    ("matchers", "text", "word"),
    [
        ([], "x", "1 to"),
        ([("colour", "x")], "x", "colour"),
        ([("type", "")], "x", "pattern"),
        ([("type", "**")], "x", "every event"),
        ([("type", "x")], " ", "fingerprint"),
        ([("type", "y" * 201)], "x", "pattern"),
    ],
)
def test_a_rule_that_is_none_is_refused(desk: Choices, matchers: list[tuple[str, str]], text: str, word: str) -> None:
    with pytest.raises(ChoiceRefused, match=word):
        desk.add_rule("1", matchers, text, by="ann", now=now)
    assert desk.rules() == []
