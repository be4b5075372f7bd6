"""What narrows a list of faults, on each database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.console.store.conftest import now

from fivehundred.console.store.base import FaultQuery, Store
from fivehundred.console.store.narrowing import priority_of
from fivehundred.console.store.triage import Owner, Triage


@pytest.fixture
def three(store: Store, write: Callable[..., None], make: Callable[..., Any]) -> Store:
    """k1: 60 events now, assigned to Ann; k2: one event of two hours ago on web-2; k3: nothing special, looked at."""
    write(*(make("k1", user={"id": f"u{n % 3}"}) for n in range(60)))
    write(make("k2", at=now - 7200, server_name="web-2", tags={"region": "eu"}), make("k3", level="fatal"))
    Triage(store.database).assign([1], Owner("Ann"), by="Ann", now=now)
    Triage(store.database).review([3], now=now)
    return store


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (FaultQuery(having=(("host", "web-2"),)), "k2"),
        (FaultQuery(having=(("region", "eu"), ("host", "web-2"))), "k2"),
        (FaultQuery(having=(("region", "eu"), ("level", "fatal"))), ""),
        (FaultQuery(without=(("region", "eu"),)), "k1 k3"),
        (FaultQuery(without=(("cause", "bug"),)), ""),
        (FaultQuery(owners=("ann", "billing")), "k1"),
        (FaultQuery(owners=()), "k2 k3"),
        (FaultQuery(priority="high"), "k1"),
        (FaultQuery(priority="low"), "k2 k3"),
        (FaultQuery(review=True), "k2"),
        (FaultQuery(events_min=60), "k1"),
        (FaultQuery(users_min=3), "k1"),
        (FaultQuery(first_within_s=3600), "k1 k3"),
        (FaultQuery(last_within_s=3600), "k1 k3"),
    ],
)
def test_a_query_narrows(three: Store, query: FaultQuery, expected: str) -> None:
    found = three.faults(query, now=now)
    assert " ".join(sorted(f.title[-2:] for f in found.faults)) == expected
    assert found.total == len(expected.split())


def test_a_priority_that_a_person_set_counts_before_the_impact(three: Store) -> None:
    Triage(three.database).prioritise([2], "high", by="Ann", now=now)
    assert {f.id for f in three.faults(FaultQuery(priority="high"), now=now).faults} == {1, 2}
    assert {f.id for f in three.faults(FaultQuery(priority="low"), now=now).faults} == {3}


def test_what_came_back_is_for_review_again(three: Store, write: Callable[..., None], make: Callable[..., Any]) -> None:
    Triage(three.database).resolve([3], by="Ann", now=now)
    write(make("k3", at=now + 60), at=now + 61)
    assert 3 in {f.id for f in three.faults(FaultQuery(review=True), now=now).faults}


def test_the_priority_of_an_impact_falls_with_time() -> None:
    impact = now / (6 * 3600) + 6  # 64 events now
    assert [priority_of(impact, now + hours * 3600) for hours in (0, 6, 48)] == ["high", "medium", "low"]
