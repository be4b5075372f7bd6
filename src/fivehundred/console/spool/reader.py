"""The reading half of the Spool on segment files, for the process that digests.

It meets whatever a crash, a full disk or a bad sector left behind: a torn tail is passed over when a newer segment
exists and waited for when none does; damage in the middle is skipped to the next intact record and counted in
``damaged``. It never raises because of what is in the files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from fivehundred import limits
from fivehundred.console.spool import format as fmt
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.format import Position

_WINDOW_BYTES = limits.MIB  # read ahead
_POLL_S = 0.005  # while events flow; four times that when idle


class SegmentReader:
    """Reads from one thread. Opening it touches no file: the folder may still be missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damaged = 0  # records that were in the spool and cannot be read any more
        self._fd = -1
        self._fd_segment = -1
        self._salt = b""
        self._window_at = 0
        self._window = b""
        self._idle_polls = 0  # since a record was last met, over as many waits as there were
        self._complete = -1  # a segment that was read to its end after a newer one had been seen

    def read(self, offset: str, *, records_max: int, bytes_max: int) -> Sequence[tuple[str, Received]]:
        """Records after ``offset``, each with the offset behind it; at least one when there is one. Empty: none yet."""
        found: list[tuple[str, Received]] = []
        taken = 0
        position = self._locate(Position.parse(offset))
        while position is not None and len(found) < records_max and taken < bytes_max:
            position, record = self._step(position)
            if record is not None and position is not None:
                found.append((str(position), record))
                taken += len(record.body)
        return found

    def wait(self, offset: str, timeout_s: float) -> bool:
        """True as soon as a record follows ``offset``."""
        deadline = time.monotonic() + timeout_s
        seen: tuple[int, int] | None = None
        while True:
            state = self._state()
            if state != seen:
                seen = state
                if self._follows(offset):
                    self._idle_polls = 0
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._idle_polls += 1
            time.sleep(min(left, _POLL_S if self._idle_polls < 40 else 4 * _POLL_S))

    def commit(self, offset: str) -> None:
        """What lies before ``offset`` is done; segments that are done to the end are deleted.

        The segment that holds the offset always stays, so that numbers never start again below a stored offset.
        """
        position = Position.parse(offset)
        if position is None:
            return
        path = fmt.committed_path(self._folder)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, f"{position}\n".ljust(64).encode(), 0)
        finally:
            os.close(fd)
        for number in fmt.segments(self._folder):
            if number < position.segment:
                fmt.segment_path(self._folder, number).unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._fd_segment = -1, -1

    # ---- for the writer's own start ----

    def start_of(self, segment: int) -> Position:
        header = self._open(segment)
        return Position(segment, fmt.segment_header_bytes, header.first_sequence if header else 0)

    def end_of(self, segment: int) -> int | None:
        """The sequence number after the last record of the segment; None when nothing of it can be read."""
        header = self._open(segment)
        position = self.start_of(segment)
        sequence = header.first_sequence if header else None
        while True:
            after, record = self._record(position)
            if record is None:
                skipped = self._resync(position)
                if skipped is None:
                    return sequence
                after = skipped
            else:
                sequence = after.sequence
            position = after

    def received_at(self, start: Position | None) -> float | None:
        """When the first record after ``start`` was received."""
        position = self._locate(start)
        while position is not None:
            position, record = self._step(position)
            if record is not None:
                return record.received_at
        return None

    # ---- walking ----

    def _locate(self, position: Position | None) -> Position | None:
        """Where to read: the position itself, or the beginning of what is kept when it is foreign or deleted."""
        self._drop_window()
        numbers = fmt.segments(self._folder)
        if not numbers:
            return None
        if position is None or position.segment > numbers[-1]:
            return self.start_of(numbers[0])
        if position.segment in numbers:
            return Position(position.segment, max(position.at, fmt.segment_header_bytes), position.sequence)
        following = next(n for n in numbers if n > position.segment)
        return self._enter(following, position.sequence)

    def _step(self, position: Position) -> tuple[Position | None, Received | None]:
        """The next record and the position behind it; (position, None): moved on; (None, None): nothing yet."""
        after, record = self._record(position)
        if record is not None:
            self._count_missing(position.sequence, after.sequence - 1)
            return after, record
        skipped = self._resync(position)
        if skipped is not None:
            # It may have been half written when it was looked at, and whole, with others behind it, a moment later.
            # What lies behind it was written after it, so a fresh look tells damage from haste.
            self._drop_window()
            after, record = self._record(position)
            if record is not None:
                self._count_missing(position.sequence, after.sequence - 1)
                return after, record
            return skipped, None
        newer = next((n for n in fmt.segments(self._folder) if n > position.segment), None)
        if newer is None:
            self._drop_window()
            return None, None
        if self._complete != position.segment:
            # The writer may have added to this segment after we looked and before it began the newer one: look again.
            self._complete = position.segment
            self._drop_window()
            return position, None
        return self._enter(newer, position.sequence), None

    def _enter(self, segment: int, expected: int) -> Position:
        header = self._open(segment)
        sequence = header.first_sequence if header else expected
        self._count_missing(expected, sequence)
        return Position(segment, fmt.segment_header_bytes, max(expected, sequence))

    def _count_missing(self, expected: int, found: int) -> None:
        self.damaged += max(0, found - expected)

    def _record(self, position: Position) -> tuple[Position, Received | None]:
        header = self._bytes(position.segment, position.at, fmt.record_header_bytes)
        head = fmt.decode_header(header, self._salt)
        if head is None:
            return position, None
        sequence, length, checksum = head
        payload = self._bytes(position.segment, position.at + fmt.record_header_bytes, length)
        if not fmt.is_intact(sequence, length, checksum, payload):
            return position, None
        after = Position(position.segment, position.at + fmt.record_header_bytes + length, sequence + 1)
        try:
            return after, fmt.decode_payload(payload)
        except fmt.RecordError:
            return position, None  # written by a version that we do not know: skipped and counted, as damage is

    def _resync(self, position: Position) -> Position | None:
        """The next intact record of the same segment, when there is one behind the damage."""
        rest = self._bytes(position.segment, position.at, limits.segment_bytes_max + limits.record_bytes_max)
        found = rest.find(self._salt, 1) if self._salt else -1
        while found >= 0:
            candidate = Position(position.segment, position.at + found, position.sequence)
            _, record = self._record(candidate)
            if record is not None:
                return Position(candidate.segment, candidate.at, position.sequence)
            found = rest.find(self._salt, found + 1)
        return None

    def _follows(self, offset: str) -> bool:
        damaged = self.damaged
        position = self._locate(Position.parse(offset))
        found = False
        while position is not None and not found:
            position, record = self._step(position)
            found = record is not None
        self.damaged = damaged  # ``read`` will meet and count the same damage
        return found

    def _state(self) -> tuple[int, int]:
        """What changes when something is appended: (newest segment, its size)."""
        newest = max(fmt.segments(self._folder), default=0)
        try:
            return newest, os.stat(fmt.segment_path(self._folder, newest)).st_size
        except FileNotFoundError:
            return newest, 0

    # ---- bytes ----

    def _bytes(self, segment: int, at: int, length: int) -> bytes:
        """Fewer than ``length`` at the end of the file, and none when it is gone."""
        if self._fd_segment != segment:
            self._open(segment)
        start = at - self._window_at
        if start < 0 or start + length > len(self._window):
            if self._fd < 0:
                return b""
            self._window = os.pread(self._fd, max(length, _WINDOW_BYTES), at)
            self._window_at, start = at, 0
        return self._window[start : start + length]

    def _open(self, segment: int) -> fmt.SegmentHeader | None:
        if self._fd_segment != segment:
            self.close()
            self._drop_window()
            try:
                self._fd = os.open(fmt.segment_path(self._folder, segment), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                self._fd = -1
            self._fd_segment = segment
        start = b"" if self._fd < 0 else os.pread(self._fd, fmt.segment_header_bytes + 8, 0)
        header = fmt.SegmentHeader.decode(start)
        # A damaged header does not cost the segment: its first record begins with the salt as well.
        self._salt = header.salt if header else start[fmt.segment_header_bytes : fmt.segment_header_bytes + 8]
        return header

    def _drop_window(self) -> None:
        self._window, self._window_at = b"", 0
