"""The bytes of the spool on disk: segment headers, records, positions. No file is opened here.

A segment begins with a header that holds a random salt; every record of the segment begins with that salt. After
damage a reader finds the next record by searching for it, and nobody who sends events can know it, so a body that
looks like a record is never taken for one. Sequence numbers run through all segments without a gap: what is missing
after damage is counted exactly.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import msgspec
from isal import isal_zlib

from fivehundred import limits
from fivehundred.console.spool.base import Door, Received

_SEGMENT: Final = struct.Struct("<8s8sQI4x")  # magic, salt, sequence of the first record, crc32 of the three
_RECORD: Final = struct.Struct("<8sQII")  # salt, sequence, length of the payload, crc32
_CHECKED: Final = struct.Struct("<QII")  # what the crc32 covers: sequence, length, crc32 of the payload
_PAYLOAD: Final = struct.Struct("<dBBI")  # received at, door, length of the project, length of the meta JSON

magic: Final = b"500SPL\x00\x01"
segment_header_bytes: Final = _SEGMENT.size
record_header_bytes: Final = _RECORD.size
doors: Final[tuple[Door, ...]] = get_args(Door)  # a record holds the index: append new doors at the end, never reorder
_door_index: Final = {door: i for i, door in enumerate(doors)}
_NAME: Final = re.compile(r"(\d{16})\.seg")


crc32 = isal_zlib.crc32  # that of zlib, in a third of the time


class RecordError(ValueError):
    """The bytes are not a record that this version can read."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two records. Ordered as the spool is."""

    segment: int
    at: int  # bytes from the start of the segment
    sequence: int  # of the record that follows

    def __str__(self) -> str:
        return f"{self.segment}:{self.at}:{self.sequence}"

    @classmethod
    def parse(cls, offset: str) -> Position | None:
        """None for "" and for what is not an offset of ours: then the reader starts at the beginning."""
        parts = offset.strip().split(":")
        if len(parts) != 3 or not all(p.isascii() and p.isdecimal() and len(p) <= 20 for p in parts):
            return None
        return cls(int(parts[0]), int(parts[1]), int(parts[2]))


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    salt: bytes
    first_sequence: int

    def encode(self) -> bytes:
        packed = _SEGMENT.pack(magic, self.salt, self.first_sequence, 0)
        return _SEGMENT.pack(magic, self.salt, self.first_sequence, crc32(packed[:24]))

    @classmethod
    def decode(cls, data: bytes) -> SegmentHeader | None:
        """None when the header is damaged or incomplete."""
        if len(data) < _SEGMENT.size:
            return None
        found_magic, salt, first, checksum = _SEGMENT.unpack_from(data)
        if found_magic != magic or crc32(data[:24]) != checksum:
            return None
        return cls(salt, first)


def new_salt() -> bytes:
    return os.urandom(8)


def encode_payload(record: Received) -> bytes:
    """A record without its header, which needs the sequence number that only the writing thread knows."""
    project = record.project.encode()
    meta = msgspec.json.encode(dict(record.meta))
    if len(project) > 255:
        raise RecordError(f"a project of {len(project)} bytes does not fit into a record")
    head = _PAYLOAD.pack(record.received_at, _door_index[record.door], len(project), len(meta))
    return b"".join((head, project, meta, record.body))


def record_header(salt: bytes, sequence: int, length: int, payload_crc32: int) -> bytes:
    return _RECORD.pack(salt, sequence, length, _checksum(sequence, length, payload_crc32))


def decode_header(data: bytes, salt: bytes) -> tuple[int, int, int] | None:
    """(sequence, length, crc32), or None when no record begins here."""
    if len(data) < _RECORD.size:
        return None
    found_salt, sequence, length, checksum = _RECORD.unpack_from(data)
    if found_salt != salt or length > limits.record_bytes_max:
        return None
    return sequence, length, checksum


def is_intact(sequence: int, length: int, checksum: int, payload: bytes) -> bool:
    return len(payload) == length and _checksum(sequence, length, crc32(payload)) == checksum


def _checksum(sequence: int, length: int, payload_crc32: int) -> int:
    return crc32(_CHECKED.pack(sequence, length, payload_crc32))


def decode_payload(payload: bytes) -> Received:
    """Raises RecordError; after a matching crc32 that means another version wrote it."""
    try:
        received_at, door, project_length, meta_length = _PAYLOAD.unpack_from(payload)
        project_end = _PAYLOAD.size + project_length
        meta_end = project_end + meta_length
        meta = msgspec.json.decode(payload[project_end:meta_end])
        return Received(
            project=payload[_PAYLOAD.size : project_end].decode(),
            door=doors[door],
            received_at=received_at,
            meta={str(k): str(v) for k, v in meta.items()},
            body=payload[meta_end:],
        )
    except (struct.error, ValueError, IndexError, AttributeError, msgspec.MsgspecError) as e:
        raise RecordError(str(e)) from e


def received_at(payload_start: bytes) -> float:
    return float(_PAYLOAD.unpack_from(payload_start)[0])


payload_head_bytes: Final = _PAYLOAD.size


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:016d}.seg"


def segments(folder: Path) -> list[int]:
    """The numbers of the segments that exist, oldest first."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(m[1]) for m in map(_NAME.fullmatch, names) if m)


def committed_path(folder: Path) -> Path:
    return folder / "committed"
