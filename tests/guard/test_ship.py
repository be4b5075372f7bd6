"""Shipping: what was captured arrives, through outages, refusals, forks and kills; and the request never waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fivehundred import limits
from fivehundred.envelope import Dsn
from fivehundred.guard import ship, spool
from fivehundred.guard.collector import _limited_s, backoff
from fivehundred.guard.guard import Guard
from fivehundred.guard.request import RequestParts
from fivehundred.guard.spool import FileSpool, MemorySpool, folder_for, open_spool
from fivehundred.guard.testing import Sink


def fail(guard: Guard, text: str) -> str:
    try:
        raise ValueError(text)
    except ValueError as e:
        return guard.capture(e)


def test_an_event_arrives_with_what_surrounded_it(tmp_path: Path) -> None:
    with Sink() as sink:
        guard = Guard(sink.dsn, release="2.4.0", spool=tmp_path)
        reference = fail(guard, "evt")
        assert guard.flush()
        event = sink.events[0]
        guard.close()
    assert (event.event_id, event.release, event.platform) == (reference, "2.4.0", "python")
    resources = event.ours["resources"]
    assert isinstance(resources, dict)
    assert {"fds_open", "fds_max", "rss_bytes", "threads", "disk_free_bytes", "cpus", "uptime_s"} <= resources.keys()
    assert sink.envelopes[0].headers["event_id"] == reference


def test_the_peer_that_failed_is_probed(tmp_path: Path) -> None:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with Sink() as sink:
        guard = Guard(sink.dsn, spool=tmp_path)
        try:
            socket.create_connection(("127.0.0.1", port), 1)
        except OSError as e:
            guard.capture(e)
        guard.flush()
        guard.close()
    probes = sink.events[0].ours["probes"]
    assert isinstance(probes, list)
    assert isinstance(probes[0], dict)
    assert (probes[0]["peer"], probes[0]["state"], probes[0]["kind"]) == (f"127.0.0.1:{port}", "refused", "tcp")


def test_events_of_an_outage_arrive_oldest_first(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.status = 500
        guard = Guard(sink.dsn, spool=tmp_path)
        references = [fail(guard, f"evt-{i}") for i in range(30)]
        time.sleep(0.3)
        sink.status = 200
        assert sink.wait(30, 10)
        guard.close()
    assert [e.event_id for e in sink.events] == references


def test_a_collector_that_hangs_holds_up_no_request(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.hang_s = 2
        guard = Guard(sink.dsn, spool=tmp_path)
        started = time.perf_counter()
        for i in range(20):
            fail(guard, f"evt-{i}")
        assert time.perf_counter() - started < 1
        sink.hang_s = 0
        assert sink.wait(20, 10)
        guard.close()


def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.status, sink.headers = 429, {"Retry-After": "1"}
        guard = Guard(sink.dsn, spool=tmp_path)
        fail(guard, "evt")
        time.sleep(0.7)
        assert sink.requests == 1
        sink.status, sink.headers = 200, {}
        assert sink.wait(1, 5)
        guard.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60:error:key", 60),
        ("60:transaction;span:organization", 0),
        ("2.5::key", 2.5),
        ("10:error:key, 20:default;error:project", 20),
        ("x:y", 0),
        ("", 0),
    ],
)
def test_rate_limits_concern_errors_by_category(header: str, seconds: float) -> None:
    assert _limited_s(header) == seconds


def test_what_is_refused_for_good_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.status = 400
        guard = Guard(sink.dsn, spool=tmp_path)
        fail(guard, "bad")
        guard.flush()
        sink.status = 200
        fail(guard, "good")
        assert sink.wait(1)
        guard.close()
    report = next(item for item in sink.envelopes[0].items if item.type == "client_report")
    discarded = json.loads(report.payload)["discarded_events"]
    assert discarded == [{"reason": "send_error", "category": "error", "quantity": 1}]


dying = """
import os, signal, sys
from fivehundred import Guard
guard = Guard(sys.argv[1], spool=sys.argv[2])
for number in range(50):
    try:
        raise ValueError(f"evt-{number}")
    except ValueError as e:
        guard.capture(e)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_process_delivers_what_a_killed_one_left(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.status = 500
        died = subprocess.run(
            [sys.executable, "-c", dying, sink.dsn, str(tmp_path)], stderr=subprocess.DEVNULL, timeout=30, check=False
        )
        assert died.returncode == -signal.SIGKILL
        sink.status = 200
        guard = Guard(sink.dsn, spool=tmp_path)
        assert sink.wait(50, 10)
        guard.flush()
        guard.close()
    assert len({e.event_id for e in sink.events}) == 50
    assert list(tmp_path.rglob("*.spool")) == []


def test_a_process_that_ends_normally_delivers_first(tmp_path: Path) -> None:
    code = dying.replace("os.kill(os.getpid(), signal.SIGKILL)", "")
    with Sink() as sink:
        subprocess.run(
            [sys.executable, "-c", code, sink.dsn, str(tmp_path)], stderr=subprocess.DEVNULL, timeout=30, check=True
        )
        assert len(sink.events) == 50


forking = """
import os, sys, time
from fivehundred import Guard
guard = Guard(sys.argv[1], spool=sys.argv[2])
def fail(text):
    try:
        raise ValueError(text)
    except ValueError as e:
        guard.capture(e)
fail("parent")
children = []
for n in range(2):
    pid = os.fork()
    if not pid:
        for i in range(10):
            fail(f"child {n} {i}")
        os._exit(0 if guard.flush(10) else 1)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
guard.flush(10)
sys.exit(any(codes))
"""


def test_forked_workers_ship_their_own_events_once(tmp_path: Path) -> None:
    with Sink() as sink:
        subprocess.run(
            [sys.executable, "-c", forking, sink.dsn, str(tmp_path)], stderr=subprocess.DEVNULL, timeout=60, check=True
        )
        assert len(sink.events) == 21
        assert len({e.event_id for e in sink.events}) == 21


def test_a_living_process_keeps_its_spool(tmp_path: Path) -> None:
    mine = FileSpool.create(tmp_path)
    mine.append(b"x")
    assert FileSpool.adopt(mine.path) is None
    mine.close()
    adopted = FileSpool.adopt(mine.path)
    assert adopted is not None
    waiting = adopted.next()
    assert waiting is not None
    assert waiting.data == b"x"


def test_a_spool_that_was_cut_by_a_crash_gives_what_is_whole(tmp_path: Path) -> None:
    first = FileSpool.create(tmp_path)
    first.append(b"whole")
    first.append(b"broken" * 100)
    first.close()
    os.truncate(first.path, first.path.stat().st_size - 50)
    again = FileSpool.adopt(first.path)
    assert again is not None
    waiting = again.next()
    assert waiting is not None
    assert waiting.data == b"whole"
    again.done(waiting.end)
    assert again.next() is None


@pytest.mark.parametrize("content", [b"", b"garbage", b"5HGUARD1" + b"\xff" * 8, os.urandom(5_000)])
def test_a_file_that_is_no_spool_stops_nobody(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.spool"
    path.write_bytes(content)
    adopted = FileSpool.adopt(path)
    assert adopted is None or adopted.next() is None


def test_a_full_spool_refuses_and_the_drop_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "guard_spool_bytes_max", 10_000)
    shipper = ship.Shipper(Dsn.parse("http://k@127.0.0.1:9/1"), tmp_path)
    stored = [shipper.put(b"x" * 1_000) for _ in range(20)]
    assert stored.count(True) == 9
    deadline = time.monotonic() + 5
    while sum(shipper.dropped.values()) < 11 and time.monotonic() < deadline:
        time.sleep(0.01)  # the thread takes the count along with what it tries to send, and puts it back
    assert shipper.dropped == {"cache_overflow": 11}
    shipper.close()


def test_without_a_place_on_disk_events_wait_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    assert folder_for("x", tmp_path / "file") is None
    assert isinstance(open_spool(None), MemorySpool)
    monkeypatch.setattr(spool.FileSpool, "append", lambda self, data: False)  # a disk that is full
    with Sink() as sink:
        guard = Guard(sink.dsn, spool=tmp_path)
        fail(guard, "evt")
        assert sink.wait(1)
        guard.close()


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("FIVEHUNDRED_SPOOL", str(shared))
    assert folder_for("x") is None
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    monkeypatch.setenv("FIVEHUNDRED_SPOOL", str(link))
    assert folder_for("x") is None


def test_delivered_events_are_not_sent_again(tmp_path: Path) -> None:
    with Sink() as sink:
        guard = Guard(sink.dsn, spool=tmp_path)
        fail(guard, "one")
        guard.flush()
        guard.close()
        again = Guard(sink.dsn, spool=tmp_path)
        fail(again, "two")
        again.flush()
        again.close()
    assert len(sink.events) == 2


def test_crowds_of_one_failure_are_slim_and_complete_in_number(tmp_path: Path) -> None:
    with Sink() as sink:
        guard = Guard(sink.dsn, spool=tmp_path)
        for i in range(200):
            fail(guard, f"evt-{i}")
        assert sink.wait(200, 20)
        guard.close()
    with_locals = [e for e in sink.events if e.exceptions[-1].frames[-1].vars]
    assert len(with_locals) == limits.full_events_per_fault
    assert {e.exceptions[-1].value for e in sink.events} == {f"evt-{i}" for i in range(200)}


def test_the_wait_between_tries_grows_and_is_jittered() -> None:
    assert all(0.2 < backoff(1, 0) <= limits.ship_backoff_first_s for _ in range(50))
    assert all(2 < backoff(20, 60) <= limits.ship_backoff_max_s for _ in range(50))
    assert len({backoff(20, 1_000) for _ in range(20)}) > 10


def test_a_foreign_path_in_the_dsn_is_kept(tmp_path: Path) -> None:
    assert Dsn.parse("http://k@h/errors/7").envelope_path == "/errors/api/7/envelope/"
    with Sink() as sink:
        guard = Guard(sink.dsn, spool=tmp_path)
        guard.returned(502, RequestParts(method="GET", path="/x"))
        guard.flush()
        guard.close()
    assert sink.events[0].ours["status"] == 502


def test_a_spool_that_is_being_made_is_nobodys_orphan(tmp_path: Path) -> None:
    """Two processes that begin at the same moment: the one that looks around must not delete what the other makes."""
    stop = threading.Event()

    def look_around() -> None:
        while not stop.is_set():
            for path in spool.orphans(tmp_path):
                found = FileSpool.adopt(path)
                if found is not None:
                    found.close()

    looking = [threading.Thread(target=look_around) for _ in range(2)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(500):
            made = FileSpool.create(tmp_path)
            assert made.append(b"event")
            assert made.path.exists()
            made.done(made.end)
            made.close()
    finally:
        stop.set()
        for thread in looking:
            thread.join()
