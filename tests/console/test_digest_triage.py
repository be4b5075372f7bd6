"""What people decided, as the digest obeys it: filters drop and are counted, new faults find their owner, mutes end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.test_digest import Desk, event_record

from fivehundred.console.store.filters import Filters
from fivehundred.console.store.ownership import Ownership
from fivehundred.console.store.triage import Owner, Triage, Until
from fivehundred.event import new_id


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()
    desk.reader.close()


def failure(kind: str, agent: str = "curl/8") -> dict[str, Any]:
    frame = {"filename": f"shop/{kind}.py", "function": kind, "module": f"shop.{kind}", "lineno": 1, "in_app": True}
    return {
        "event_id": new_id(),
        "timestamp": time.time(),
        "exception": {"values": [{"type": kind, "value": "x", "stacktrace": {"frames": [frame]}}]},
        "request": {"url": "http://shop.example/", "headers": {"User-Agent": agent}},
    }


def test_what_a_filter_drops_is_counted_and_never_stored(desk: Desk) -> None:
    Filters(desk.store.database).add("", "bot", "*GoogleBot*")
    desk.send(
        event_record(failure("Noise", "GoogleBot/2.1")),
        event_record(failure("Noise", "GoogleBot/2.1")),
        event_record(failure("Real")),
    )
    assert desk.faults() == 1
    assert desk.tallies()["dropped", "event"] == 2
    assert [f.dropped for f in Filters(desk.store.database).filters()] == [2]


def test_a_new_fault_finds_its_owner(desk: Desk) -> None:
    Ownership(desk.store.database).add("", "path", "shop/*", Owner("shop", "team"))
    desk.send(event_record(failure("Real")))
    assert Triage(desk.store.database).of([1])[1].owner == Owner("shop", "team")


def test_a_mute_ends_with_the_event_that_was_one_too_many(desk: Desk) -> None:
    desk.send(event_record(failure("Real")))
    Triage(desk.store.database).mute([1], by="Ann", now=time.time(), until=Until(events=2))
    desk.send(event_record(failure("Real")))
    assert desk.store.fault(1, now=time.time()).fault.state == "muted"
    desk.send(event_record(failure("Real")))
    assert desk.store.fault(1, now=time.time()).fault.state == "open"
