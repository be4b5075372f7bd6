"""Incidents through a store: what batches do becomes incidents, with their blast radius, and time ends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fivehundred.console.digest_incidents import follow, settle
from fivehundred.console.store.base import Batch, Digested, FaultNews, NotFound, Store
from fivehundred.console.store.incidents import Incident, Incidents
from fivehundred.fingerprint.model import Key

now = 1_790_000_000.0
Make = Callable[..., Digested]


def down(make: Make, key: str = "down", *, peer: str = "db:5432", **more: Any) -> Digested:
    """An event of a resource that fails."""
    made = make(key, **more)
    outage = Key("outage", key, (("kind", key), ("family", "postgresql"), ("peer", peer)))
    return replace(made, fingerprint=replace(made.fingerprint, keys=(outage,)))


def write(store: Store, *events: Digested, at: float = now) -> list[str]:
    """What is told."""
    told: list[str] = []

    def within(news: Sequence[FaultNews]) -> None:
        told.extend(one.kind for one in follow(store.database, news))

    store.write(Batch(events=list(events)), now=at, within=within)
    return told


@pytest.fixture
def outage(store: Store, make: Make) -> Incident:
    events = [
        down(make, kind, server_name=f"web-{n}", user={"id": str(n)}, transaction=f"/r{n}", release="2.4.0")
        for kind in ("refused", "lost")
        for n in range(3)
    ]
    assert write(store, *events) == ["incident_opened"]
    return Incidents(store.database).incidents(limit=9)[0]


def test_one_outage_is_one_incident_with_its_blast_radius(store: Store, outage: Incident) -> None:
    assert (outage.kind, outage.subject, outage.events, outage.users) == ("resource", "PostgreSQL at db:5432", 6, 3)
    assert outage.sentence.startswith("PostgreSQL at db:5432 fails (2 faults): 6 events, 3 routes, 3 users, 3 hosts")
    detail = Incidents(store.database).detail(outage.id)
    assert detail.routes == (("/r0", 2), ("/r1", 2), ("/r2", 2))
    assert [(f.fault, f.events) for f in detail.faults] == [(1, 3), (2, 3)]


def test_its_reach_counts_the_events_that_came_before_it_was_one(store: Store, make: Make) -> None:
    for n in range(5):
        write(store, down(make, "refused", at=now + n, user={"id": str(n)}, transaction="/orders", server_name="web-1"))
    found = Incidents(store.database).incidents(limit=9)[0]
    assert (found.events, found.users) == (5, 5)
    assert Incidents(store.database).detail(found.id).routes == (("/orders", 5),)


def test_what_comes_later_is_added_to_it(store: Store, make: Make, outage: Incident) -> None:
    assert write(store, down(make, "starting", at=now + 60)) == []
    grown = Incidents(store.database).incident(outage.id)
    assert (grown.events, grown.faults, grown.last_at > outage.last_at) == (7, (1, 2, 3), True)


def test_another_fault_of_the_same_minutes_is_shown_beside_it(store: Store, make: Make, outage: Incident) -> None:
    write(store, make("other", at=now + 5))
    assert [f.title for f in Incidents(store.database).detail(outage.id).also] == ["ZeroDivisionError other"]


def test_it_ends_when_its_faults_are_quiet_and_begins_again_when_they_are_not(
    store: Store, make: Make, outage: Incident
) -> None:
    desk = Incidents(store.database)
    settle(store.database, now=now + 300)
    assert desk.incident(outage.id).state == "open"
    settle(store.database, now=now + 700)
    assert desk.incident(outage.id).resolved_why == "its faults are back to normal"
    write(store, *(down(make, "refused", at=now + 720) for _ in range(5)))
    assert (len(desk.incidents(limit=9)), desk.incident(outage.id).state) == (1, "open")


def test_an_outage_of_a_shared_server_crosses_projects_and_one_of_loopback_does_not(store: Store, make: Make) -> None:
    store.create_project("a", now=now)
    store.create_project("b", now=now)
    write(store, down(make, "x"), down(make, "x", project="2"))
    assert [i.projects for i in Incidents(store.database).incidents(limit=9)] == [("1", "2")]
    local = [down(make, "y", peer="localhost:5432", project=p, server_name=f"h{p}") for p in "12"]
    assert write(store, *local) == []


def test_a_muted_fault_makes_no_incident(store: Store, make: Make) -> None:
    write(store, down(make))
    store.set_state([1], "muted", by="a person", now=now)
    assert write(store, *(down(make, at=now + 1) for _ in range(9))) == []


def test_a_person_acknowledges_and_resolves(store: Store, outage: Incident) -> None:
    desk = Incidents(store.database)
    assert [desk.acknowledge(outage.id, by="ann", now=now), desk.acknowledge(outage.id, by="bob", now=now)] == [
        True,
        False,
    ]
    assert desk.resolve(outage.id, by="ann", now=now + 5)
    found = desk.incident(outage.id)
    assert (found.acknowledged_by, found.resolved_why, found.state) == ("ann", "resolved by ann", "resolved")
    with pytest.raises(NotFound):
        desk.resolve(99, by="ann", now=now)


def test_incidents_are_listed_by_state_and_project(store: Store, outage: Incident) -> None:
    desk = Incidents(store.database)
    assert [i.id for i in desk.incidents(state="open", project="1", limit=9)] == [outage.id]
    assert desk.incidents(state="resolved", limit=9) == desk.incidents(project="2", limit=9) == []
    assert [i.id for i in desk.of_fault(1)] == [outage.id]


def test_old_resolved_incidents_are_forgotten(store: Store, outage: Incident) -> None:
    desk = Incidents(store.database)
    desk.forget(0)
    assert desk.incidents(limit=9)
    desk.resolve(outage.id, by="ann", now=now)
    desk.forget(0)
    assert not desk.incidents(limit=9)
