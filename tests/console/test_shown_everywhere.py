"""Every event that the ingest accepts can be shown on every page and in every format, whatever it holds."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from tests.console.face import Face, wire

from fivehundred.console.digest import Digest
from fivehundred.console.spool.base import Door, Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import FaultQuery, Store
from fivehundred.event import new_id

words = st.sampled_from(["", "x", "\0", "\ud800", "<script>", "é\u202e", "../..", "9" * 40, "a" * 300, "%s", "{{7*7}}"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words | st.just(2**70)
trees = st.recursive(leaves, lambda x: st.lists(x, max_size=3) | st.dictionaries(words, x, max_size=3), max_leaves=6)
fields = [*wire(), "message", "logentry", "fingerprint", "extra", "modules", "level", "timestamp", "transaction"]
# pages about no single fault that show what came with events
lists = ("", "faults", "malformed", "losses", "releases", "routes", "incidents", "grouping", "palette", "projects")
lists_of_the_api = ("faults", "stats", "releases", "routes", "incidents", "projects")


class Desk:
    def __init__(self, root: Path) -> None:
        self.face = Face(root)
        self._spool = root / "spool"
        self._digest = Digest(self.face.store(), SegmentReader(self._spool))

    def accept(self, door: Door, body: bytes, content_type: str = "application/json") -> None:
        record = Received("1", door, time.time(), {"content_type": content_type, "client": "x/1"}, body)

        async def append() -> None:
            writer = SegmentWriter(self._spool)
            await writer.append(record)
            await writer.close()

        asyncio.run(append())
        while self._digest.step():
            pass

    def everywhere(self) -> Iterator[str]:
        """Every address with GET, with the newest fault, event and malformed event in it."""
        store = self.face.store()
        faults = [f.id for f in store.faults(FaultQuery(state=None, order="last_seen"), now=time.time()).faults[:1]]
        events = [e.event_id for e in store.events(None, project=None, cursor="", limit=1)[0]]
        events += [e.event_id for e in store.malformed(None, limit=1)]
        yield from (f"/{name}" for name in lists)
        yield from (f"/api/v1/{name}" for name in lists_of_the_api)
        for path in set(addresses(self.face.app.routes)):
            if "{fault" in path:
                yield from (re.sub(r"\{fault[^}]*\}", str(f), path) for f in faults)
            elif "{event" in path:
                yield from (re.sub(r"\{event[^}]*\}", e, path) for e in events)


def addresses(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            inner = route.app.routes if isinstance(route.app, Starlette) else []
            yield from addresses(inner, before + route.path)
        elif isinstance(route, Route) and "GET" in (route.methods or ()):
            yield before + route.path


def check(desk: Desk) -> None:
    paths = list(desk.everywhere())
    assert any(p.startswith("/events/") for p in paths)
    for path in paths:
        answer = desk.face.client.get(path)
        assert answer.status_code < 500, (path, answer.text[-800:])
        assert b"<script>alert" not in answer.content


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("everywhere"))


many = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def settled(store: Store) -> int:
    return sum(t.quantity for t in store.stats(None, hours=1, now=time.time()).tallies if t.outcome == "received")


@many
@given(raw=st.dictionaries(st.sampled_from(fields), trees, max_size=6), base=st.booleans())
def test_an_event_of_any_shape_is_shown(desk: Desk, raw: dict[str, Any], base: bool) -> None:
    before = settled(desk.face.store())
    event = {**(wire() if base else {}), **raw, "event_id": new_id()}
    body = b'{"event_id":"%s"}\n{"type":"event"}\n%s' % (event["event_id"].encode(), json.dumps(event).encode())
    desk.accept("envelope", body)
    assert settled(desk.face.store()) == before + 1
    check(desk)


@many
@given(body=st.binary(max_size=300))
def test_any_bytes_that_claim_to_be_an_event_are_shown(desk: Desk, body: bytes) -> None:
    desk.accept("envelope", b'{"event_id":"%s"}\n{"type":"event"}\n' % new_id().encode() + body.replace(b"\n", b" "))
    check(desk)


@many
@given(record=st.dictionaries(st.sampled_from(["timeUnixNano", "severityText", "body", "traceId"]), trees), text=words)
def test_an_opentelemetry_log_of_any_shape_is_shown(desk: Desk, record: dict[str, Any], text: str) -> None:
    attributes = [{"key": f"exception.{k}", "value": {"stringValue": text}} for k in ("type", "message", "stacktrace")]
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{**record, "attributes": attributes}]}]}]}
    desk.accept("otlp_logs", json.dumps(logs).encode())
    desk.accept("envelope", b'{"event_id":"%s"}\n{"type":"event"}\n{}' % new_id().encode())
    check(desk)
