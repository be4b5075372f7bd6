"""Triage on each database: what people decide, and what comes back by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.console.store.conftest import now

from fivehundred.console.store.base import Batch, FaultNews, NotFound, Store
from fivehundred.console.store.triage import FixedIn, Owner, Triage, TriageRefused, Until

Write = Callable[..., None]
Make = Callable[..., Any]


def state(store: Store, fault: int = 1) -> str:
    return store.fault(fault, now=now).fault.state


def said(store: Store, fault: int = 1) -> list[str]:
    return [entry.what for entry in Triage(store.database).conversation(fault)]


def followed(desk: Triage, news: Sequence[FaultNews]) -> None:
    desk.follow(news, now=now)


@pytest.fixture
def desk(store: Store, write: Write, make: Make) -> Triage:
    """One fault, seen in release 1.0."""
    write(make(release="1.0"))
    return Triage(store.database)


@pytest.mark.parametrize(
    ("fixed_in", "release", "comes_back"),
    [
        ("", "1.0", True),
        ("this", "1.0", True),
        ("this", "0.9", False),
        ("this", "1.1", True),
        ("next", "0.9", False),
        ("next", "1.0", False),
        ("next", "1.1", True),
        ("next", "", True),
    ],
)
def test_a_resolved_fault_regresses_only_where_it_should_be_fixed(
    store: Store, write: Write, make: Make, fixed_in: FixedIn, release: str, comes_back: bool
) -> None:
    write(make(release="0.9", at=now - 50), make(release="1.0", at=now - 40))
    Triage(store.database).resolve([1], by="Ann", now=now, fixed_in=fixed_in)
    write(make(release=release, at=now + 10), at=now + 11)
    assert state(store) == ("open" if comes_back else "resolved")


def test_a_release_that_was_named_before_it_was_seen_is_obeyed(store: Store, write: Write, make: Make) -> None:
    write(make(release="1.0", at=now - 40))
    Triage(store.database).resolve([1], by="Ann", now=now, fixed_in="this", release="2.0")
    write(make(release="1.0", at=now + 10), at=now + 11)
    assert state(store) == "resolved"
    write(make(release="2.0", at=now + 20), at=now + 21)
    assert state(store) == "open"


def test_a_plain_act_forgets_what_an_earlier_one_depended_on(
    store: Store, desk: Triage, write: Write, make: Make
) -> None:
    desk.resolve([1], by="Ann", now=now, fixed_in="next")
    assert store.set_state([1], "resolved", by="Ann", now=now + 1) == 1
    write(make(release="1.0", at=now + 10), at=now + 11)
    assert state(store) == "open"


def test_without_any_release_there_is_no_next_one(store: Store, write: Write, make: Make) -> None:
    write(make(release=""))
    with pytest.raises(TriageRefused, match="no release yet"):
        Triage(store.database).resolve([1], by="Ann", now=now, fixed_in="next")
    assert state(store) == "open"


def test_a_muted_fault_comes_back_when_its_time_is_over(store: Store, desk: Triage) -> None:
    desk.mute([1], by="Ann", now=now, until=Until(seconds=3600))
    assert desk.wake(now=now + 3599) == 0
    assert desk.wake(now=now + 3600) == 1
    assert state(store) == "open"
    assert said(store)[0] == "unmuted: its time is over"


def test_a_muted_fault_comes_back_after_so_many_more_events(
    store: Store, desk: Triage, write: Write, make: Make
) -> None:
    desk.mute([1], by="Ann", now=now, until=Until(events=2))

    def follow(*events: Any) -> None:
        store.write(Batch(events=list(events)), now=now, within=lambda news: followed(desk, news))

    follow(make())
    assert state(store) == "muted"
    follow(make())
    assert state(store) == "open"
    assert "unmuted: 3 events by now" in said(store)


def test_a_muted_fault_comes_back_after_so_many_more_users(store: Store, desk: Triage, make: Make) -> None:
    desk.mute([1], by="Ann", now=now, until=Until(users=1, events=1000))
    event = make(user={"id": "u1"})
    store.write(Batch(events=[event]), now=now, within=lambda news: followed(desk, news))
    assert state(store) == "open"


def test_a_mute_without_an_end_stays(store: Store, desk: Triage, write: Write, make: Make) -> None:
    desk.mute([1], by="Ann", now=now)
    store.write(Batch(events=[make()]), now=now, within=lambda news: followed(desk, news))
    assert desk.wake(now=now + 1e9) == 0
    assert state(store) == "muted"


def test_acts_on_many_leave_a_line_in_each_history_and_miss_nobody(
    store: Store, write: Write, make: Make, desk: Triage
) -> None:
    write(make("k2"), make("k3"))
    assert desk.assign([1, 2, 3, 999], Owner("billing", "team", 7), by="Ann", now=now) == 3
    assert desk.assign([1, 2], Owner("billing", "team", 7), by="Ann", now=now) == 0
    assert {t.owner for t in desk.of([1, 2, 3]).values()} == {Owner("billing", "team", 7)}
    assert said(store, 3)[0] == "assigned it to team billing"
    assert desk.assign([1], None, by="Ann", now=now) == 1
    assert desk.of([1])[1].owner is None


def test_comments_and_acts_are_one_conversation(store: Store, desk: Triage) -> None:
    desk.mute([1], by="Ann", now=now)
    number = desk.comment(1, "  The vendor <b>knows</b>. ", by="Bob", now=now + 1)
    first, second = desk.conversation(1)
    assert (first.by, first.body, second.what) == ("Bob", "The vendor <b>knows</b>.", "muted")
    desk.remove_comment(1, number)
    assert [entry.body for entry in desk.conversation(1)] == [""]
    with pytest.raises(NotFound):
        desk.remove_comment(1, number)


@pytest.mark.parametrize("body", ["", "  \n", "x" * 4_001, "\0"])
def test_a_comment_that_says_nothing_or_too_much_is_refused(desk: Triage, body: str) -> None:
    with pytest.raises(TriageRefused, match="1 to 4,000"):
        desk.comment(1, body, by="Ann", now=now)


def test_priority_is_by_impact_until_somebody_says_otherwise(store: Store, desk: Triage) -> None:
    assert desk.prioritise([1], "high", by="Ann", now=now) == 1
    assert desk.of([1])[1].priority == "high"
    assert "set the priority to high" in said(store)


@pytest.mark.parametrize("until", [Until(seconds=1), Until(seconds=1e12), Until(events=0), Until(users=10**12)])
def test_an_end_that_is_none_is_refused(desk: Triage, until: Until) -> None:
    with pytest.raises(TriageRefused):
        desk.mute([1], by="Ann", now=now, until=until)
