"""Bodies: the payloads of events, in append-only segments. What stands where is the business of the index.

A body is three JSON texts (event, diagnosis, fingerprint) in one zstd frame with a checksum. Segments are only ever
appended to and unlinked. What lies behind the committed end of a segment is the rest of a crash and is overwritten.
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fivehundred import limits
from fivehundred.console.store.database import Database

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LENGTHS = struct.Struct("<II")  # of the event and of the diagnosis; the fingerprint is the rest
_LEVEL = 3

BodyError = zstd.ZstdError


@dataclass(frozen=True, slots=True)
class Place:
    segment: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Body:
    event: bytes
    diagnosis: bytes
    fingerprint: bytes


class Codec:
    """Bodies to zstd frames and back, with one trained dictionary or none."""

    def __init__(self, dictionary: bytes = b"") -> None:
        try:
            self._dictionary = zstd.ZstdDict(dictionary) if dictionary else None
        except ValueError as error:
            raise BodyError(f"a dictionary of {len(dictionary)} bytes is damaged: {error}") from error
        digested = self._dictionary.as_digested_dict if self._dictionary else None
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {parameter.compression_level: _LEVEL, parameter.checksum_flag: 1}
        self._compressor = zstd.ZstdCompressor(options=options, zstd_dict=digested)

    def pack(self, body: Body) -> bytes:
        return self._compressor.compress(join(body), zstd.ZstdCompressor.FLUSH_FRAME)

    def unpack(self, data: bytes) -> Body:
        """Raises BodyError when the bytes are damaged."""
        raw = zstd.decompress(data, zstd_dict=self._dictionary)
        if len(raw) < _LENGTHS.size:
            raise BodyError(f"a body of {len(raw)} bytes is too short to be one")
        first, second = _LENGTHS.unpack_from(raw)
        at = _LENGTHS.size
        return Body(raw[at : at + first], raw[at + first : at + first + second], raw[at + first + second :])


def join(body: Body) -> bytes:
    return b"".join((_LENGTHS.pack(len(body.event), len(body.diagnosis)), body.event, body.diagnosis, body.fingerprint))


def train(samples: list[bytes], bytes_max: int) -> bytes:
    """A dictionary of what the samples have in common; raises BodyError when they have too little."""
    return zstd.train_dict(samples, bytes_max).dict_content


class Bodies(Protocol):
    """Where the frames are. A segment is unlinked whole; its row in ``segment`` is the index's."""

    def start(self) -> tuple[int, int]: ...  # (segment, offset) for the first frame of a transaction
    def append(self, segment: int, offset: int, data: bytes) -> Place: ...  # the next one is at offset + len(data)
    def sync(self) -> None: ...  # what was appended is safe, at the latest with the transaction, when this returns
    def read(self, place: Place) -> bytes: ...  # raises OSError when it is gone
    def wipe(self, place: Place) -> None: ...  # its bytes are gone when the transaction is; others stay
    def unlink(self, segment: int) -> None: ...
    def numbers(self) -> list[int]: ...  # of the segments that are there
    def close(self) -> None: ...


@dataclass(slots=True)
class Segments:
    """Bodies in the files of one folder, named by number. ``database`` is the index with the table ``segment``."""

    folder: Path
    database: Database
    _written: dict[int, int] = field(default_factory=dict)  # descriptors of segments being appended to

    def start(self) -> tuple[int, int]:
        """The newest file and its committed end, or a new one."""
        found = self.database.rows("SELECT id, bytes FROM segment ORDER BY id DESC LIMIT 1")
        if found and found[0][1] < limits.body_segment_bytes_max:
            return found[0][0], found[0][1]
        return self.database.insert("segment", {"bytes": 0}), 0

    def append(self, segment: int, offset: int, data: bytes) -> Place:
        """Write at the committed end, whatever a crash may have left there."""
        fd = self._written.get(segment)
        if fd is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = self._written[segment] = os.open(self._path(segment), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            os.ftruncate(fd, offset)
            _sync_folder(self.folder)  # a file that was just made must survive a power cut as well
        view = memoryview(data)
        at = offset
        while view:
            done = os.pwrite(fd, view, at)
            view, at = view[done:], at + done
        return Place(segment, offset, len(data))

    def sync(self) -> None:
        """What was appended is on disk when this returns. All but the newest descriptor are closed."""
        for fd in self._written.values():
            os.fdatasync(fd)
        for segment in sorted(self._written)[:-1]:
            os.close(self._written.pop(segment))

    def read(self, place: Place) -> bytes:
        """Raises OSError when the segment is gone. Opened each time: an unlinked file held open would fill the disk."""
        fd = os.open(self._path(place.segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, place.length, place.offset)
        finally:
            os.close(fd)

    def wipe(self, place: Place) -> None:
        """Overwritten at once: what is to be erased may be lost if the transaction fails."""
        try:
            fd = os.open(self._path(place.segment), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.pwrite(fd, bytes(place.length), place.offset)
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def unlink(self, segment: int) -> None:
        if (fd := self._written.pop(segment, None)) is not None:
            os.close(fd)
        self._path(segment).unlink(missing_ok=True)

    def close(self) -> None:
        for fd in self._written.values():
            os.close(fd)
        self._written.clear()

    def numbers(self) -> list[int]:
        """Of the files that are there."""
        return [int(file.stem) for file in self.folder.glob("*.bodies") if file.stem.isdecimal()]

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:08d}.bodies"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
