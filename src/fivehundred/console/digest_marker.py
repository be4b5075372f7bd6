"""What the digest process has in hand, written where it outlives the process: who killed it is known at the next start.

A record that raises is set aside at once. One that takes the process with it (the kernel's memory killer, a crash in a
library) leaves this note in a mapped file. After a few deaths over one record it is set aside unread. It knows nothing
of records but the name that the digest gives each.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fivehundred import limits

_SIZE: Final = 64 * 1024  # offsets of a cluster name many nodes
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Suspect:
    """What was in hand when the process died: one record, or a batch on its way into the store."""

    first: str  # offset behind the first record
    records: int
    deaths: int


class Marker:
    """One file a process. Opening it counts a death when the last process left something in hand."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, _SIZE)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        left = self._read()
        self.suspect = Suspect(left.first, left.records, left.deaths + 1) if left else None

    def enter(self, offset: str, records: int = 1) -> None:
        """This is taken in hand. Costs a microsecond: nothing is synced, a power cut is no poison."""
        suspect = self.suspect
        again = suspect is not None and (suspect.first, suspect.records) == (offset, records)
        deaths = suspect.deaths if suspect is not None and again else 0
        data = b'[%d,%d,"%s"]' % (records, deaths, offset.encode())
        if len(data) + _LENGTH.size <= _SIZE:
            self._map[_LENGTH.size : _LENGTH.size + len(data)] = data
            self._map[: _LENGTH.size] = _LENGTH.pack(len(data))

    def leave(self) -> None:
        """Done, or given up in order."""
        self._map[: _LENGTH.size] = _LENGTH.pack(0)

    def is_poison(self, offset: str) -> bool:
        """It took several processes with it."""
        suspect = self.suspect
        if suspect is None or suspect.first != offset or suspect.records != 1:
            return False
        return suspect.deaths >= limits.digest_deaths_max

    def records_max(self, offset: str, records: int) -> int:
        """How many records behind ``offset`` may go into one batch: a suspect goes alone, a suspect batch in parts."""
        suspect = self.suspect
        if suspect is None or suspect.first != offset:
            return records
        return max(1, min(records, suspect.records // 4))

    def acquit(self, offset: str) -> None:
        """It is written: whatever killed the process was something else."""
        if self.suspect is not None and self.suspect.first == offset:
            self.suspect = None

    def close(self) -> None:
        self.leave()
        self._map.close()

    def _read(self) -> Suspect | None:
        (length,) = _LENGTH.unpack_from(self._map)
        if not 0 < length <= _SIZE - _LENGTH.size:
            return None
        try:
            records, deaths, first = json.loads(self._map[_LENGTH.size : _LENGTH.size + length])
        except ValueError:
            return None  # torn while it was written: then nothing had begun
        ok = isinstance(records, int) and isinstance(deaths, int) and isinstance(first, str)
        return Suspect(first, records, deaths) if ok else None
