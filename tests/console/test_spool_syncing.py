"""Records are acknowledged when the disk has them; and when it fails, nothing of what it was to keep stays."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.spool.syncing import Done, ThreadSyncer


class SickDisk(ThreadSyncer):
    """Fails the first time, as a disk does that loses a block."""

    sick = True

    def start(self, fd: int, done: Done) -> None:
        if self.sick:
            self.sick = False
            self._loop.call_soon(done, OSError(errno.EIO, "Input/output error"))
        else:
            super().start(fd, done)


def record(body: bytes) -> Received:
    return Received("1", "envelope", 1.0, {}, body)


def kept(folder: Path) -> list[bytes]:
    reader = SegmentReader(folder)
    found = [r.body for _, r in reader.read("", records_max=10_000, bytes_max=1 << 30)]
    assert reader.damaged == 0
    return found


def test_what_was_acknowledged_is_there_over_many_groups_and_segments(tmp_path: Path) -> None:
    bodies = [b"%d" % n for n in range(2_000)]

    async def go() -> None:
        writer = SegmentWriter(tmp_path, segment_bytes_max=20_000)
        for start in range(0, len(bodies), 500):
            await asyncio.gather(*(writer.append(record(b)) for b in bodies[start : start + 500]))
        await writer.close()

    asyncio.run(go())
    assert kept(tmp_path) == bodies


def test_a_group_waits_for_those_that_came_last_time_and_not_for_ever(tmp_path: Path) -> None:
    async def sender(writer: SegmentWriter, records: int) -> None:
        for _ in range(records):
            await writer.append(record(b"x"))

    async def go() -> None:
        writer = SegmentWriter(tmp_path)
        # They send again when they are answered, and drop out one by one.
        await asyncio.wait_for(asyncio.gather(*(sender(writer, n) for n in range(1, 21))), 30)
        await writer.close()

    asyncio.run(go())
    assert len(kept(tmp_path)) == 210


def test_a_file_that_cannot_be_synced_is_told() -> None:
    async def go() -> OSError | None:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[OSError | None] = loop.create_future()
        syncer, (end, other) = ThreadSyncer(loop), os.pipe()
        syncer.start(other, told.set_result)
        error = await asyncio.wait_for(told, 10)
        syncer.close()
        os.close(end)
        os.close(other)
        return error

    error = asyncio.run(go())
    assert error is not None
    assert error.errno == errno.EINVAL


def test_a_failed_sync_is_told_to_its_senders_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async def go() -> list[BaseException | None]:
        writer = SegmentWriter(tmp_path, syncer=SickDisk)
        failed = await asyncio.gather(
            *(writer.append(record(b"lost %d" % n)) for n in range(5)), return_exceptions=True
        )
        await asyncio.gather(*(writer.append(record(b"kept %d" % n)) for n in range(5)))
        assert (await asyncio.to_thread(writer.depth)).records == 5
        await writer.close()
        return failed

    assert all(isinstance(e, OSError) and e.errno == errno.EIO for e in asyncio.run(go()))
    assert kept(tmp_path) == [b"kept %d" % n for n in range(5)]
