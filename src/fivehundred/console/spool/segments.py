"""The Spool on segment files: append-only, one sync for a group, a file deleted when all of it is done.

One SegmentWriter and one SegmentReader, each in its own process, share a folder and nothing else. The reader lives in
``fivehundred.console.spool.reader``. A writer never continues a file that it did not create: whatever a crash left at
the end of the last one stays the reader's to judge.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fivehundred import limits
from fivehundred.console.spool import format as fmt
from fivehundred.console.spool.base import Depth, Received, SpoolFull
from fivehundred.console.spool.format import Position
from fivehundred.console.spool.reader import SegmentReader
from fivehundred.console.spool.syncing import Syncer, ThreadSyncer

__all__ = ["SegmentReader", "SegmentWriter"]

_REFRESH_S = 0.05  # how old the reader's position and the free space may be when a record is let in
_GATHER_S = 0.001
_RECORDS_A_WRITE = 500  # writev takes 1,024 buffers, two a record
_Pending = tuple[bytes, int, "asyncio.Future[None]"]  # payload, its crc32, who waits for it


class SegmentWriter:
    """Appends from one event loop. Opening it creates the folder and a new segment, or raises OSError."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes_max: int = limits.segment_bytes_max,
        backlog_bytes_max: int = limits.backlog_bytes_max,
        syncer: Callable[[asyncio.AbstractEventLoop], Syncer] = ThreadSyncer,
    ) -> None:
        self._folder = folder
        self._segment_bytes_max = segment_bytes_max
        self._backlog_bytes_max = backlog_bytes_max
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sizes = {n: fmt.segment_path(folder, n).stat().st_size for n in fmt.segments(folder)}
        self._sequence, self._oldest_sequence = _next_sequence(folder, list(self._sizes))
        self._fd = -1
        self._salt = b""
        self._segment = max(self._sizes, default=0)
        self._open_segment()
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._busy = False  # a group is on its way to the disk, or will be in a moment
        self._calm: asyncio.Future[None] | None = None  # who waits for that to end
        self._wanted = 0
        self._gathering: asyncio.TimerHandle | None = None
        self._make_syncer = syncer
        self._syncer: Syncer | None = None
        self._committed: Position | None = None
        self._waiting_bytes = 0
        self._disk_free = 0
        self._refreshed = float("-inf")

    async def append(self, record: Received) -> None:
        """Returns when the record is on disk. Raises SpoolFull when nothing was tried, OSError when writing failed."""
        await self.append_soon(record)

    def append_soon(self, record: Received) -> asyncio.Future[None]:
        """Done when the record is on disk, failed with OSError. Raises SpoolFull."""
        payload = fmt.encode_payload(record)
        self._let_in(len(payload))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._pending.append((payload, fmt.crc32(payload), future))
        self._pending_bytes += len(payload)
        if not self._busy:
            self._busy = True
            # After this turn of the loop: whatever else has arrived by then goes into the same sync.
            loop.call_soon(self._begin)
        elif self._gathering is not None and len(self._pending) >= self._wanted:
            self._gathering.cancel()
            self._gathering = None
            loop.call_soon(self._begin)
        return future

    def depth(self) -> Depth:
        self._refresh()
        start = self._committed
        sequence = start.sequence if start else self._oldest_sequence
        records = max(0, self._sequence - sequence)
        oldest = _received_at(self._folder, start) if records else None
        return Depth(records, self._waiting_bytes if records else 0, oldest)

    async def close(self) -> None:
        """Writes what was appended, then closes. Safe to call twice."""
        if self._busy:
            self._calm = self._calm or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._calm)
        if self._syncer is not None:
            self._syncer.close()
            self._syncer = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # ---- letting in ----

    def _let_in(self, length: int) -> None:
        if length > limits.record_bytes_max:
            raise SpoolFull(f"a record of {length} bytes is over the limit of {limits.record_bytes_max}")
        now = time.monotonic()
        if now - self._refreshed > _REFRESH_S:
            self._refresh(now)
        if self._waiting_bytes + self._pending_bytes + length > self._backlog_bytes_max:
            raise SpoolFull(f"the backlog has reached its bound of {self._backlog_bytes_max} bytes")
        if self._disk_free < limits.disk_free_bytes_min:
            raise SpoolFull(f"less than {limits.disk_free_bytes_min} bytes are free on the disk of {self._folder}")

    def _refresh(self, now: float | None = None) -> None:
        self._refreshed = time.monotonic() if now is None else now
        self._disk_free = shutil.disk_usage(self._folder).free
        committed = _read_committed(self._folder)
        if committed is not None:
            self._committed = committed
            for number in [n for n in tuple(self._sizes) if n < committed.segment and n != self._segment]:
                del self._sizes[number]
        sizes = self._sizes
        done = self._committed.at if self._committed and self._committed.segment in sizes else 0
        header = fmt.segment_header_bytes
        self._waiting_bytes = max(0, sum(size - header for size in sizes.values()) - max(0, done - header))

    # ---- writing, a group at a time ----

    def _begin(self) -> None:
        """While this group is on its way to the disk the next one gathers; each costs one sync."""
        self._gathering = None
        group, self._pending = self._pending, []
        self._pending_bytes = 0
        before = self._sizes[self._segment], self._sequence
        try:
            if before[0] >= self._segment_bytes_max:
                self._open_segment()
                before = self._sizes[self._segment], self._sequence
            for start in range(0, len(group), _RECORDS_A_WRITE):
                self._append(group[start : start + _RECORDS_A_WRITE])
            if self._syncer is None:
                self._syncer = self._make_syncer(asyncio.get_running_loop())
            self._syncer.start(self._fd, partial(self._synced, group, before))
        except OSError as e:
            self._synced(group, before, e)

    def _synced(self, group: list[_Pending], before: tuple[int, int], error: OSError | None) -> None:
        if error is not None:
            self._abandon(*before)
        self._written(group, error)

    def _written(self, group: list[_Pending], error: OSError | None) -> None:
        self._waiting_bytes += sum(len(payload) for payload, _, _ in group) + len(group) * fmt.record_header_bytes
        if self._pending:
            # The senders just answered send again: waiting a moment for them makes few groups of many. With one sync
            # for each handful, handing them to the disk and back costs more than everything else.
            self._wanted = len(group) + len(self._pending)
            self._gathering = asyncio.get_running_loop().call_later(_GATHER_S, self._begin)
        else:
            self._busy = False
            if self._calm is not None:
                self._calm.set_result(None)
                self._calm = None
        for _, _, future in group:
            if future.done():  # its request was cancelled; the record is kept, as its sender may not know
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(OSError(error.errno, error.strerror, error.filename))

    def _append(self, group: list[_Pending]) -> None:
        """Into the kernel's memory, which takes microseconds; the sync is what takes time."""
        parts: list[bytes | memoryview] = []
        sequence = self._sequence
        for payload, crc32, _ in group:
            parts += (fmt.record_header(self._salt, sequence, len(payload), crc32), payload)
            sequence += 1
        wanted = sum(map(len, parts))
        written = os.writev(self._fd, parts)
        if written < wanted:
            self._write_rest(b"".join(parts), written)
        self._sizes[self._segment] += wanted
        self._sequence = sequence

    def _write_rest(self, data: bytes, written: int) -> None:
        while written < len(data):
            written += os.write(self._fd, memoryview(data)[written:])

    def _abandon(self, size: int, sequence: int) -> None:
        """After a failed write or sync: nothing of a group must stay, since its senders are told that nothing was kept.

        The file is not written again either: the kernel may have dropped its pages and would say "ok" the next time.
        """
        self._sizes[self._segment], self._sequence = size, sequence
        try:
            os.ftruncate(self._fd, size)
            self._open_segment()
        except OSError:
            # The disk is full or failing; the next group tries this file again, and its senders hear what comes of it.
            return

    def _open_segment(self) -> None:
        number = self._segment + 1
        header = fmt.SegmentHeader(fmt.new_salt(), self._sequence)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        path = fmt.segment_path(self._folder, number)
        fd = os.open(path, flags, 0o600)
        try:
            os.write(fd, header.encode())
            _sync_folder(self._folder)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._salt, self._segment = fd, header.salt, number
        self._sizes[number] = fmt.segment_header_bytes


def _sync_folder(folder: Path) -> None:
    """Without this a new file can be missing after a power cut although its bytes were synced."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_committed(folder: Path) -> Position | None:
    try:
        return Position.parse(fmt.committed_path(folder).read_text("ascii"))
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _next_sequence(folder: Path, numbers: list[int]) -> tuple[int, int]:
    """(the sequence number to continue with, that of the oldest record kept)."""
    committed = _read_committed(folder)
    floor = committed.sequence if committed else 0
    last, first = floor, floor
    reader = SegmentReader(folder)
    try:
        for number in reversed(numbers):
            end = reader.end_of(number)
            if end is not None:
                last = max(floor, end)
                break
        if committed is None and numbers:
            first = reader.start_of(numbers[0]).sequence
    finally:
        reader.close()
    return last, first


def _received_at(folder: Path, start: Position | None) -> float | None:
    reader = SegmentReader(folder)
    try:
        return reader.received_at(start)
    finally:
        reader.close()
