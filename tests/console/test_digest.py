"""From the spool to the store: every record ends as an event, as malformed or in a tally, exactly once."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fivehundred import envelope, limits
from fivehundred.console import digest as digest_module
from fivehundred.console.config import Layout
from fivehundred.console.digest import Digest
from fivehundred.console.digest_items import sort
from fivehundred.console.spool.base import Door, Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import Batch, FaultQuery
from fivehundred.console.store.sampling import keeps
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.event import new_id


class Desk:
    """A data folder with its real spool and store, and a digest that is stepped by hand."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.store = SqliteStore(self.layout.database)
        self.reader = SegmentReader(self.layout.spool)
        self.digest = Digest(self.store, self.reader)

    def send(self, *records: Received) -> None:
        append(self.layout, records)
        while self.digest.step():
            pass

    def tallies(self) -> dict[tuple[str, str], int]:
        found: Counter[tuple[str, str]] = Counter()
        for t in self.store.stats(None, hours=1, now=time.time()).tallies:
            found[t.outcome, t.item] += t.quantity
        return dict(found)

    def faults(self) -> int:
        return self.store.faults(FaultQuery(state=None), now=time.time()).total


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()
    desk.reader.close()


def append(layout: Layout, records: tuple[Received, ...]) -> None:
    async def run() -> None:
        writer = SegmentWriter(layout.spool)
        await asyncio.gather(*(writer.append(record) for record in records))
        await writer.close()

    asyncio.run(run())


def record(body: bytes, door: Door = "envelope", **meta: str) -> Received:
    return Received("1", door, time.time(), {"client": "sentry.python/2.75.0", **meta}, body)


def raised(**raw: Any) -> dict[str, Any]:
    """An event as an SDK sends it."""
    frame = {"filename": "shop.py", "module": "shop", "function": "total", "lineno": 7, "context_line": "return a / b"}
    exception = {"type": "ZeroDivisionError", "value": "division by zero", "stacktrace": {"frames": [frame]}}
    return {"event_id": new_id(), "timestamp": time.time(), "exception": {"values": [exception]}, **raw}


def enveloped(*items: tuple[str, bytes], **headers: Any) -> bytes:
    return envelope.encode(headers, [envelope.Item(kind, payload) for kind, payload in items])


def event_record(raw: Any = None, **headers: Any) -> Received:
    payload = json.dumps(raised() if raw is None else raw).encode()
    return record(enveloped(("event", payload), **headers))


def test_an_event_becomes_a_fault_with_a_diagnosis(desk: Desk) -> None:
    raw = raised()
    desk.send(record(gzip.compress(enveloped(("event", json.dumps(raw).encode()))), content_encoding="gzip"))
    found = desk.store.event(raw["event_id"])
    assert found.payload["exception"] == raw["exception"]
    assert found.diagnosis is not None
    assert desk.store.fault(found.summary.fault or 0, now=time.time()).fault.events == 1
    assert desk.tallies() == {("received", "event"): 1, ("kept", "event"): 1}


def test_a_backlog_is_counted_exactly_and_keeps_fewer_payloads(desk: Desk) -> None:
    late, count = time.time() - 2 * limits.digest_behind_s, limits.digest_records_max // 2
    desk.send(*(replace(event_record(), received_at=late) for _ in range(count)))
    assert desk.tallies()["received", "event"] == count
    kept, counted = desk.tallies()["kept", "event"], desk.tallies()["counted", "event"]
    assert kept == sum(keeps(n, pressed=True) for n in range(1, count + 1))
    assert kept + counted == count
    fault = desk.store.faults(FaultQuery(state=None), now=time.time()).faults[0]
    assert fault.events == count


def test_a_few_records_that_waited_keep_their_payloads(desk: Desk) -> None:
    late, count = time.time() - 2 * limits.digest_behind_s, 3 * limits.payloads_an_hour_pressed_max
    desk.send(*(replace(event_record(), received_at=late) for _ in range(count)))
    assert desk.tallies() == {("received", "event"): count, ("kept", "event"): count}


def test_a_record_that_the_disk_lost_is_counted_and_the_others_go_on(desk: Desk) -> None:
    append(desk.layout, (event_record(),))
    append(desk.layout, (record(b"lost" * 100),))
    append(desk.layout, (event_record(),))
    for path in desk.layout.spool.glob("*.seg"):
        path.write_bytes(path.read_bytes().replace(b"lostlost", b"lostlo\0t", 1))
    desk.send()
    assert desk.tallies() == {("received", "event"): 2, ("kept", "event"): 2, ("dropped", "record"): 1}


def test_what_users_write_is_kept_with_its_event_whenever_it_arrives(desk: Desk) -> None:
    raw = raised()
    report = {"event_id": raw["event_id"], "name": "Ada", "email": "ada@example.org", "comments": "I pressed Pay."}
    told = {"message": "again", "associated_event_id": raw["event_id"], "contact_email": "bob@example.org"}
    feedback = {"event_id": new_id(), "type": "feedback", "contexts": {"feedback": told}}
    desk.send(record(enveloped(("user_report", json.dumps(report).encode()))), event_record(raw))
    for _ in range(2):
        desk.send(record(enveloped(("feedback", json.dumps(feedback).encode()))))
    found = desk.store.event(raw["event_id"]).feedback
    assert [(f.name, f.email, f.message) for f in found] == [
        ("Ada", "ada@example.org", "I pressed Pay."),
        ("", "bob@example.org", "again"),
    ]
    assert (desk.tallies()["kept", "feedback"], desk.tallies()["duplicate", "feedback"]) == (2, 1)


@pytest.mark.parametrize("payload", [b"7", b"{", b'{"contexts":{"feedback":[]}}', b'{"comments":"of no event"}'])
@pytest.mark.parametrize("kind", ["user_report", "feedback"])
def test_what_users_write_about_no_event_is_dropped_and_counted(desk: Desk, kind: str, payload: bytes) -> None:
    desk.send(record(enveloped((kind, payload))))
    assert desk.tallies() == {("received", kind): 1, ("dropped", kind): 1}


def test_a_5xx_that_a_browser_saw_is_an_event_and_other_network_errors_are_counted(desk: Desk) -> None:
    url = "https://shop.example/cart/7?coupon=1"
    seen = {"type": "http.error", "status_code": 503, "method": "POST", "phase": "application"}
    reports = [
        {"type": "network-error", "age": 5000, "url": url, "body": body} for body in (seen, {"type": "dns.failed"})
    ]
    desk.send(record(json.dumps([*reports, 7]).encode(), "nel"))
    (fault,) = desk.store.faults(FaultQuery(state=None), now=time.time()).faults
    assert (fault.title, fault.status, fault.method) == (
        "POST /cart/7 was answered with 503, as a browser saw it",
        503,
        "POST",
    )
    assert (desk.tallies()["counted", "nel"], desk.tallies()["malformed", "event"]) == (1, 1)


@settings(max_examples=100, deadline=None)
@given(
    report=st.dictionaries(
        st.sampled_from(["body", "url", "age", "type"]),
        st.none()
        | st.text()
        | st.floats()
        | st.integers()
        | st.dictionaries(st.sampled_from(["type", "status_code"]), st.sampled_from(["http.error", 500, 1.5])),
    )
)
def test_a_network_error_report_of_any_shape_is_settled(report: dict[str, Any]) -> None:
    batch = Batch()
    found = list(sort(record(json.dumps([report]).encode(), "nel"), "1:0:0", batch))
    assert found or batch.tallies


@pytest.mark.parametrize("door", ["nel", "security"])
def test_reports_with_lone_surrogates_are_settled(desk: Desk, door: Door) -> None:
    body = b'["\\ud800", {"body": {"type": "http.error", "status_code": 500, "x": "\\ud800"}, "url": "\\ud800"}]'
    desk.send(record(body, door))
    assert (desk.tallies()["malformed", "event"], desk.faults()) == (1, 1)


def test_an_event_too_large_to_read_is_malformed_and_holds_up_nobody(desk: Desk) -> None:
    huge = b'{"extra":{"a":[' + b"[]," * 2_000_000 + b"[]]}}"
    desk.send(record(gzip.compress(enveloped(("event", huge))), content_encoding="gzip"), event_record())
    assert (desk.tallies()["malformed", "event"], desk.tallies()["kept", "event"]) == (1, 1)
    (malformed,) = desk.store.malformed("1", limit=5)
    assert "up to 4194304 are read" in malformed.message


@pytest.mark.parametrize("door", ["security", "nel", "store"])
def test_a_report_too_large_to_read_is_malformed(desk: Desk, door: Door) -> None:
    desk.send(record(b'{"body":{"a":[' + b"[]," * 2_000_000 + b"[]]}}", door))
    assert desk.tallies()["malformed", "event"] == 1


def test_reports_past_the_bound_are_dropped_and_counted(desk: Desk) -> None:
    report = {"csp-report": {"effective-directive": "script-src", "blocked-uri": "https://evil.example"}}
    desk.send(record(json.dumps([report] * 105).encode(), "security"))
    assert (desk.tallies()["received", "security"], desk.tallies()["dropped", "security"]) == (105, 5)


def test_secrets_are_scrubbed_before_anything_is_stored(desk: Desk) -> None:
    raw = raised(extra={"password": "hunter2-secret"}, request={"headers": {"Authorization": "Bearer abcdef123456"}})
    desk.send(event_record(raw))
    everything = b"".join(f.read_bytes() for f in desk.layout.root.glob("console.db*"))
    assert "hunter2" not in json.dumps(desk.store.event(raw["event_id"]).payload)
    assert b"hunter2" not in everything
    assert b"abcdef123456" not in everything


@pytest.mark.parametrize(
    "body",
    [
        lambda plain: plain,
        lambda plain: base64.b64encode(zlib.compress(plain)),
        lambda plain: base64.b64encode(plain),
    ],
    ids=["json", "base64 of zlib", "base64"],
)
def test_every_wrapping_of_the_old_endpoint_is_read(desk: Desk, body: Any) -> None:
    raw = raised()
    desk.send(record(body(json.dumps(raw).encode()), "store", event_id=raw["event_id"]))
    assert desk.store.event(raw["event_id"]).summary.title == "ZeroDivisionError"


def test_an_envelope_posted_to_the_old_endpoint_is_an_envelope(desk: Desk) -> None:
    raw = raised()
    body = enveloped(("event", json.dumps(raw).encode()))
    desk.send(record(body, "store", content_type="application/x-sentry-envelope"))
    assert desk.store.event(raw["event_id"]).malformed == ""


def test_every_item_is_tallied_by_what_became_of_it(desk: Desk) -> None:
    sessions = {"aggregates": [{"exited": 2, "crashed": 1}], "attrs": {"release": "1"}}
    losses = {"discarded_events": [{"reason": "queue_overflow", "category": "error", "quantity": 7}]}
    desk.send(
        record(
            enveloped(
                ("transaction", b"{}"),
                ("sessions", json.dumps(sessions).encode()),
                ("client_report", json.dumps(losses).encode()),
                ("profile", b"\x00"),
                ("attachment", b"\n\n"),
                ("hologram", b"?"),
            )
        )
    )
    tallies = desk.tallies()
    for kind in ("transaction", "sessions", "client_report"):
        assert tallies[("counted", kind)] == 1
    for kind in ("profile", "attachment", "hologram"):
        assert tallies[("dropped", kind)] == 1
    assert tallies[("counted", "session status")] == 3
    assert tallies[("lost_by_sender", "error")] == 7
    assert sum(n for (outcome, _), n in tallies.items() if outcome == "received") == 6


@pytest.mark.parametrize(
    ("body", "meta", "reason"),
    [
        (b"no envelope at all", {}, "envelope header is not JSON"),
        (b'{}\n{"type":"event","length":99}\n{}', {}, "says 99 bytes"),
        (enveloped(("event", b"{,}")), {}, "the payload is not JSON"),
        (enveloped(("event", b"[]")), {}, "not a JSON object"),
        (enveloped(("event", b'{"a":' * 5000 + b"1" + b"}" * 5000)), {}, "deeper than"),
        (b"\x1f\x8b broken", {"content_encoding": "gzip"}, "not gzip"),
        (b"\xff" * 100_000, {}, "envelope header"),
    ],
)
def test_what_cannot_be_read_is_kept_and_shown_with_the_reason(
    desk: Desk, body: bytes, meta: dict[str, str], reason: str
) -> None:
    event_id = new_id()
    meta = {"event_id": event_id, **meta}
    desk.send(Received("1", "envelope", time.time(), meta, body), event_record())
    found = desk.store.event(event_id)
    assert reason in found.malformed
    assert len(str(found.payload["data"])) > 0
    assert desk.faults() == 1


def test_a_bad_item_does_not_take_the_others_with_it(desk: Desk) -> None:
    good = raised()
    desk.send(record(enveloped(("event", b"null"), ("event", json.dumps(good).encode()))))
    assert desk.store.event(good["event_id"]).malformed == ""
    assert len(desk.store.malformed(None, limit=10)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        '{"event_id": "%s", "message": "NaN \\ud800 \\u0000", "extra": {"n": NaN, "i": -Infinity}}',
        '{"event_id": "%s", "message": "a", "extra": {"big": ' + "9" * 6000 + "}}",
        '{"event_id": "%s", "message": "a", "message": "b"}',
        '{"event_id": "%s", "exception": {"values": [null, {}, {"stacktrace": {"frames": [null]}}]}}',
    ],
)
def test_json_as_old_senders_write_it_is_an_event(desk: Desk, raw: str) -> None:
    event_id = new_id()
    desk.send(record(enveloped(("event", (raw % event_id).encode()))))
    found = desk.store.event(event_id)
    assert found.malformed == ""
    assert "\0" not in json.dumps(found.payload, ensure_ascii=False)


def test_an_oversized_event_is_kept_without_what_made_it_big_and_says_so(desk: Desk) -> None:
    raw = raised(extra={"blob": "x" * 2_000_000})
    desk.send(event_record(raw))
    payload = desk.store.event(raw["event_id"]).payload
    assert "the event had 2000" in json.dumps(payload["extra"])
    assert payload["exception"]


def test_the_id_of_the_envelope_wins_and_a_wrong_clock_is_corrected(desk: Desk) -> None:
    outer = new_id()
    behind = time.time() - 7200
    sent_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(behind))
    desk.send(event_record(raised(timestamp=behind - 1), event_id=outer, sent_at=sent_at))
    assert abs(desk.store.event(outer).summary.timestamp - time.time()) < 60


def test_a_csp_report_is_an_event_of_its_directive(desk: Desk) -> None:
    report = {"csp-report": {"effective-directive": "script-src", "blocked-uri": "https://evil.example/x.js"}}
    desk.send(record(json.dumps(report).encode(), "security"), record(b'{"other": 1}', "security"))
    (event,), _ = desk.store.events(None, project="1", cursor="", limit=5)
    assert "script-src" in event.message + event.title
    assert len(desk.store.malformed(None, limit=10)) == 1


def test_a_poison_record_is_set_aside_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [event_record(raised(event_id=f"{n:032x}")) for n in range(20)]
    whole = Digest._batch

    def failing(self: Digest, chosen: Any) -> Batch:
        if any(b"%032x" % 13 in r.body for _, r in chosen):
            raise MemoryError
        return whole(self, chosen)

    monkeypatch.setattr(Digest, "_batch", failing)
    desk.send(*records)
    assert desk.store.stats("1", hours=1, now=time.time()).events == 19
    (aside,) = desk.store.malformed("1", limit=10)
    assert "a defect worth reporting" in aside.message
    assert desk.store.offset() == desk.digest.offset


def test_records_are_committed_to_the_spool_only_once_they_are_in_the_store(desk: Desk) -> None:
    desk.send(*(event_record() for _ in range(5)))
    again = Digest(desk.store, SegmentReader(desk.layout.spool))
    assert again.offset == desk.digest.offset != ""
    assert not again.step()


payloads = st.binary(max_size=200) | st.dictionaries(
    st.sampled_from(["event_id", "exception", "message", "tags", "user", "request", "contexts", "timestamp", "extra"]),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    ),
).map(lambda raw: json.dumps(raw).encode())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(st.tuples(st.sampled_from(["event", "session", "client_report", "feedback", "x"]), payloads)))
@example(items=[("client_report", b'{"discarded_events":[null,{"quantity":true}]}'), ("sessions", b'{"aggregates":3}')])
def test_whatever_an_envelope_holds_each_item_is_accounted_for(desk: Desk, items: list[tuple[str, bytes]]) -> None:
    before = desk.tallies()
    desk.send(record(enveloped(*items)))
    after = Counter(desk.tallies())
    after.subtract(before)
    outcomes = Counter[str]()
    for (outcome, item), quantity in after.items():
        if item != "session status" and outcome != "lost_by_sender":
            outcomes[outcome] += quantity
    received = outcomes.pop("received", 0)
    assert received == len(items)
    assert sum(outcomes.values()) == received


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["envelope", "store", "security", "check_in", "minidump"]))
def test_hostile_bytes_at_any_door_are_sorted_and_never_lost(body: bytes, door: Any) -> None:
    batch = Batch()
    found = list(sort(record(body, door), "1:0", batch))
    assert found or batch.malformed or batch.tallies or (door == "envelope" and envelope.parse(body).items == ())


def test_a_waiting_digest_makes_an_event_visible_within_moments(tmp_path: Path) -> None:
    stop = threading.Event()
    store = SqliteStore(Layout(tmp_path).database)
    thread = threading.Thread(target=digest_module.run, args=(tmp_path, stop))
    thread.start()
    try:
        raw = raised()
        append(Layout(tmp_path), (event_record(raw),))
        deadline = time.monotonic() + 5
        while not store.stats("1", hours=1, now=time.time()).events:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert store.event(raw["event_id"]).summary.kept
    finally:
        stop.set()
        thread.join(5)
        store.close()
    assert not thread.is_alive()


@pytest.mark.slow
def test_kill_minus_nine_at_random_moments_loses_and_doubles_nothing(tmp_path: Path) -> None:
    rounds, each = 8, 60
    layout = Layout(tmp_path)
    ids = [new_id() for _ in range(rounds * each)]
    for n in range(rounds):
        child = start_digest(tmp_path)
        chosen = ids[n * each : (n + 1) * each]
        append(layout, tuple(event_record(raised(event_id=i, user={"id": i})) for i in chosen))
        wait_for_progress(layout, at_least=n * each // 2)
        time.sleep(random.random() * 0.05)
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
    child = start_digest(tmp_path)
    wait_for_progress(layout, at_least=len(ids))
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(10) == 0
    store = SqliteStore(layout.database)
    assert store.stats("1", hours=1, now=time.time()).events == len(ids)
    fault = store.faults(FaultQuery(), now=time.time()).faults[0]
    assert (fault.events, fault.users) == (len(ids), len(ids))
    tallies = {t.outcome: t.quantity for t in store.stats("1", hours=1, now=time.time()).tallies if not t.reason}
    assert tallies["received"] == len(ids)
    kept = [store.event(i) for i in ids]
    assert all(e.payload.get("event_id") == i for e, i in zip(kept, ids, strict=True) if e.summary.kept)
    store.close()


def start_digest(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fivehundred.console.processes", str(root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ})


def wait_for_progress(layout: Layout, *, at_least: int) -> None:
    store = SqliteStore(layout.database)
    deadline = time.monotonic() + 30
    while store.stats("1", hours=1, now=time.time()).events < at_least:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    store.close()
