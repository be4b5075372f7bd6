"""What kills the digest process or keeps it from working: a real child that is really killed, a database that stops."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.console.running import an_event

from fivehundred import limits
from fivehundred.console.config import Layout
from fivehundred.console.digest import Digest
from fivehundred.console.digest_deadline import Deadline, TooSlow
from fivehundred.console.digest_marker import Marker
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import FaultQuery
from fivehundred.console.store.sqlite import SqliteStore

# A digest child in which one record takes the process with it, as the kernel's memory killer would.
child = """
import os, signal, sys
from fivehundred.console import digest_items, digest, processes
sort = digest.sort
def deadly(record, offset, batch):
    if b"poison" in record.body:
        os.kill(os.getpid(), signal.SIGKILL)
    yield from sort(record, offset, batch)
digest.sort = deadly
processes.main(sys.argv[1])
"""


def append(layout: Layout, bodies: list[bytes], encoding: str = "gzip") -> None:
    async def go() -> None:
        writer = SegmentWriter(layout.spool)
        for body in bodies:
            await writer.append(Received("1", "envelope", time.time(), {"content_encoding": encoding}, body))
        await writer.close()

    asyncio.run(go())


def test_a_record_that_kills_its_process_is_set_aside_after_three_deaths_and_the_rest_goes_on(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    SqliteStore(layout.database).create_project("one", now=1.0)
    healthy = [an_event(f"{n:032x}") for n in range(9)]
    append(layout, [*healthy[:4], b"poison", *healthy[4:]])
    deaths = 0
    while deaths < 10:
        process = subprocess.Popen([sys.executable, "-c", child, str(tmp_path)], stdin=subprocess.PIPE)
        if is_digested(layout, process, len(healthy)):
            break
        deaths += 1
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0
    assert deaths == limits.digest_deaths_max
    store = SqliteStore(layout.database, readonly=True)
    assert store.stats("1", hours=1, now=time.time()).events == 9
    (aside,) = store.malformed("1", limit=5)
    assert "ended the digest process 3 times" in aside.message
    assert store.event(aside.event_id).payload == {"data": "poison"}


def is_digested(layout: Layout, process: subprocess.Popen[bytes], events: int) -> bool:
    """False when the process died first."""
    deadline = time.monotonic() + 30
    while process.poll() is None:
        store = SqliteStore(layout.database, readonly=True)
        if store.stats("1", hours=1, now=time.time()).events == events and store.malformed("1", limit=1):
            return True
        store.close()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return False


def test_one_death_in_hand_accuses_nobody(tmp_path: Path) -> None:
    marker = Marker(tmp_path / "m")
    marker.enter("1:2:3")
    assert not Marker(tmp_path / "m").is_poison("1:2:3")
    again = Marker(tmp_path / "m")
    again.enter("1:2:3")
    again.leave()
    assert Marker(tmp_path / "m").suspect is None


@pytest.mark.parametrize("left", [b"", b"\xff" * 100, b"\x05\0\0\0[1,2,", b"\x06\0\0\0[1,2]\0"])
def test_a_damaged_marker_is_no_marker(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "m").write_bytes(left)
    assert Marker(tmp_path / "m").suspect is None


def test_a_batch_that_dies_on_its_way_into_the_store_is_tried_in_parts(tmp_path: Path) -> None:
    sizes = []
    for _ in range(8):
        marker = Marker(tmp_path / "m")
        size = marker.records_max("first", 300)
        sizes.append(size)
        if marker.is_poison("first"):
            break
        marker.enter("first", size)
    assert sizes == [300, 75, 18, 4, 1, 1, 1, 1]


def spin(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_one_event_may_not_keep_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "digest_event_cpu_s_max", 0.05)
    deadline = Deadline()
    with deadline.record():
        with pytest.raises(TooSlow), deadline.event():
            spin(5)
        assert not deadline.is_over()
        with deadline.event():
            spin(0.01)
    spin(0.1)  # nothing is left running


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_time_that_runs_out_inside_a_callback_of_the_collector_runs_out_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "digest_event_cpu_s_max", 0.05)
    deadline, fired = Deadline(), list[bool]()

    def callback(phase: str, info: object) -> None:
        if not fired:
            fired.append(True)
            spin(0.1)  # what the signal raises here, Python prints and forgets

    def work() -> None:
        with deadline.event():
            gc.collect()
            spin(5)

    gc.callbacks.append(callback)
    try:
        with deadline.record(), pytest.raises(TooSlow):
            work()
    finally:
        gc.callbacks.remove(callback)
    assert fired


def test_a_hostile_event_is_given_up_kept_as_malformed_and_its_neighbours_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "digest_event_cpu_s_max", 0.1)
    layout = Layout(tmp_path)
    # just small enough to be read whole, and each text one that must be searched for secrets: 0.4 s of work
    texts = {str(n): [f"password={n}-{m} Bearer {n * m}abc" for m in range(4)] for n in range(6_000)}
    deep = {"event_id": "f" * 32, "extra": texts}
    hostile = b'{"event_id":"%s"}\n{"type":"event"}\n%s' % (b"f" * 32, json.dumps(deep).encode())
    append(layout, [hostile], "identity")
    append(layout, [an_event("a" * 32)])
    digest = Digest(SqliteStore(layout.database), SegmentReader(layout.spool))
    began = time.process_time()
    while digest.step():
        pass
    assert time.process_time() - began < 3
    store = SqliteStore(layout.database, readonly=True)
    assert store.faults(FaultQuery(state=None), now=time.time()).total == 1
    (aside,) = store.malformed("1", limit=5)
    assert (aside.event_id, "processor time" in aside.message) == ("f" * 32, True)


def test_a_store_that_is_locked_for_a_while_is_waited_for_and_no_healthy_record_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    append(layout, [an_event(f"{n:032x}") for n in range(20)])
    store = SqliteStore(layout.database)
    digest = Digest(store, SegmentReader(layout.spool))
    holder = SqliteStore(layout.database)

    def hold() -> None:
        with holder.database.transaction():
            locked.set()
            time.sleep(1.5)

    locked = threading.Event()
    holding = threading.Thread(target=hold)
    holding.start()
    locked.wait()
    while store.stats(None, hours=1, now=time.time()).events < 20:
        digest.step()
    holding.join()
    assert store.malformed(None, limit=5) == []
