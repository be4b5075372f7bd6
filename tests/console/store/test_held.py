"""One outage is told of once: the message about its first event waits, and goes when the incident is told of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fivehundred.console import alerts, alerts_held, digest_follow
from fivehundred.console.digest_incidents import settle
from fivehundred.console.store.alerts import Alerts, Rule
from fivehundred.console.store.base import Batch, Digested, Store
from fivehundred.console.store.incidents import Incidents
from fivehundred.fingerprint.model import Key

now = 1_790_000_000.0
Make = Callable[..., Digested]


def down(make: Make, key: str = "down", **more: Any) -> Digested:
    made = make(key, **more)
    outage = Key("outage", key, (("kind", key), ("family", "postgresql"), ("peer", "db:5432")))
    return replace(made, fingerprint=replace(made.fingerprint, keys=(outage,)))


def rules(store: Store, *kinds: Any) -> Alerts:
    desk = Alerts(store.database)
    team = desk.add_channel("team", "webhook", {"url": "http://127.0.0.1:9/"}, "", hourly_max=20, now=now)
    desk.add_rule(Rule(0, "mine", team, kinds), now=now)
    return desk


def write(store: Store, *events: Digested, at: float = now) -> None:
    store.write(
        Batch(events=list(events)), now=at, within=lambda news: digest_follow.follow(store.database, news, now=at)
    )


def due(desk: Alerts) -> list[tuple[str, float]]:
    return [(alert.kind, alert.due_at - now) for alert in reversed(desk.alerts())]


def test_the_first_event_of_an_outage_waits_and_gives_way_to_its_incident(store: Store, make: Make) -> None:
    desk = rules(store, "new", "incident_opened")
    write(store, down(make))
    assert due(desk) == [("new", alerts_held.held_s)]
    write(store, *(down(make, at=now + 5) for _ in range(5)), at=now + 5)
    assert due(desk) == [("incident_opened", 5.0)]


def test_a_fault_of_the_code_is_told_of_at_once(store: Store, make: Make) -> None:
    desk = rules(store, "new", "incident_opened")
    write(store, make("bug"))
    assert due(desk) == [("new", 0.0)]


def test_nobody_waits_for_an_incident_that_the_channel_does_not_hear_of(store: Store, make: Make) -> None:
    desk = rules(store, "new")
    write(store, down(make))
    assert due(desk) == [("new", 0.0)]
    write(store, *(down(make, at=now + 5) for _ in range(5)), at=now + 5)
    assert due(desk) == [("new", 0.0)]


def test_a_message_that_is_being_sent_is_not_taken_back(store: Store, make: Make) -> None:
    desk = rules(store, "new", "incident_opened")
    write(store, down(make))
    (alert,) = desk.alerts()
    assert desk.claim(alert, until=now + 99)
    write(store, *(down(make, at=now + 5) for _ in range(5)), at=now + 5)
    assert [kind for kind, _ in due(desk)] == ["new", "incident_opened"]


def test_two_digests_close_an_incident_once(
    open_store: Callable[[], Store], store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, *(down(make) for _ in range(6)))
    (incident,) = Incidents(store.database).incidents(limit=9)
    closed: list[int] = []
    told = alerts.follow_incidents

    def counted(database: Any, news: Any, **more: Any) -> int:
        closed.extend(one.incident for one in news)
        return told(database, news, **more)

    monkeypatch.setattr(alerts, "follow_incidents", counted)
    stores = [open_store(), open_store()]
    both = threading.Barrier(2)

    def one(other: Store) -> None:
        both.wait(10)
        settle(other.database, now=now + 5_000)

    threads = [threading.Thread(target=one, args=(other,)) for other in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for other in stores:
        other.close()
    assert closed == [incident.id]
