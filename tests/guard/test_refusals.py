"""Collectors that take less than is sent, and spools that fill: cut, thinned, counted, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from fivehundred import limits
from fivehundred.guard.guard import Guard
from fivehundred.guard.testing import Sink


def fail(guard: Guard, size: int) -> str:
    big = [f"{number}" * 50 for number in range(size)]  # noqa: F841 - among the locals
    try:
        raise ValueError("too much")
    except ValueError as e:
        return guard.capture(e)


def test_an_event_that_is_too_large_for_the_collector_is_cut_and_sent_once_more(
    tmp_path: Path, collector: Sink
) -> None:
    collector.bytes_max = 3_000
    guard = Guard(collector.dsn, spool=tmp_path)
    reference = fail(guard, 100)
    assert guard.flush()
    guard.close()
    (event,) = collector.events
    assert event.event_id == reference
    assert event.ours["cut"] == {**dict(event.ours["cut"]), "refused_as_too_large": 1}  # type: ignore[arg-type]
    assert collector.requests == 2


def test_one_that_is_still_too_large_is_counted_and_the_next_goes_on(tmp_path: Path, collector: Sink) -> None:
    collector.bytes_max = 10
    guard = Guard(collector.dsn, spool=tmp_path)
    fail(guard, 100)
    assert guard.flush()
    collector.bytes_max = 0
    second = fail(guard, 1)
    assert guard.flush()
    guard.close()
    assert [event.event_id for event in collector.events] == [second]
    report = next(i for e in collector.envelopes for i in e.items if i.type == "client_report")
    assert b"send_error" in report.payload


def test_a_spool_that_fills_keeps_its_room_for_faults_that_are_new(
    tmp_path: Path, collector: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "guard_spool_bytes_max", 60_000)
    collector.status = 503
    guard = Guard(collector.dsn, spool=tmp_path)
    for _ in range(300):
        fail(guard, 5)
    try:
        raise LookupError("new")
    except LookupError as exc:
        new = guard.capture(exc)
    collector.status = 200
    assert guard.flush(15)
    guard.close()
    assert new in [event.event_id for event in collector.events]
    reports = b"".join(i.payload for e in collector.envelopes for i in e.items if i.type == "client_report")
    assert b"backpressure" in reports
