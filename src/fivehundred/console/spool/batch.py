"""One message of the cluster: up to 64 records of one partition and one node. No connection is made here.

A node numbers its records without a gap (the sequence of its own segment files). A reader that remembers the last
number of each node knows a record that comes twice, however late: a message may be published again after a lost
answer, a restart or a restored disk.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fivehundred.console.spool import format as fmt
from fivehundred.console.spool.base import Received

_HEAD: Final = struct.Struct("<4s16sIIII")  # magic, node, records, lost, raw length, crc32 of what follows
_RECORD: Final = struct.Struct("<QI")  # sequence, length of the payload
_MAGIC: Final = b"5JS\x01"
record_overhead_bytes: Final = _RECORD.size + 64
_OFFSET: Final = re.compile(r"js1;(\d{1,20});(\d{1,20});(\d{1,9})((?:;[0-9a-f]{16}=\d{1,20})*)")
_nodes_max: Final = 1_000  # remembered in an offset: nodes that were replaced leave theirs behind


class MessageError(ValueError):
    """The message is none that this version can read."""


@dataclass(frozen=True, slots=True)
class Message:
    node: str  # 16 hex digits
    lost: int  # records that the node's own disk lost since its last message
    records: tuple[tuple[int, Received], ...]  # (sequence, record)


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a reader stands: in which stream, before which message, how many of its records are done."""

    stream: int  # when the stream was made, in microseconds: a stream that was made anew is another one
    sequence: int  # of the message to read next
    done: int  # of its records
    nodes: tuple[tuple[str, int], ...]  # node -> its last sequence that was read; the most recent node last

    def __str__(self) -> str:
        nodes = "".join(f";{node}={last}" for node, last in self.nodes)
        return f"js1;{self.stream};{self.sequence};{self.done}{nodes}"

    @classmethod
    def parse(cls, text: str) -> Offset | None:
        """None for "" and for what is not an offset of ours: then the reader starts at the beginning."""
        found = _OFFSET.fullmatch(text)
        if found is None:
            return None
        pairs = (pair.partition("=") for pair in found[4].split(";") if pair)
        return cls(int(found[1]), int(found[2]), int(found[3]), tuple((node, int(last)) for node, _, last in pairs))

    def behind(self, sequence: int, done: int, node: str, last: int) -> Offset:
        others = [pair for pair in self.nodes if pair[0] != node][1 - _nodes_max :]
        return Offset(self.stream, sequence, done, (*others, (node, last)))

    def last_of(self, node: str) -> int:
        return next((last for name, last in self.nodes if name == node), -1)


def partition_of(project: str, partitions: int) -> int:
    """All records of one project go one way, so that one digest worker at a time groups its faults."""
    return zlib.crc32(project.encode()) % partitions


def encode(node: str, lost: int, records: Sequence[tuple[int, Received]]) -> bytes:
    parts: list[bytes] = []
    for sequence, record in records:
        payload = fmt.encode_payload(record)
        parts += (_RECORD.pack(sequence, len(payload)), payload)
    raw = b"".join(parts)
    return _HEAD.pack(_MAGIC, node.encode(), len(records), lost, len(raw), zlib.crc32(raw)) + raw


def decode(data: bytes) -> Message:
    """Raises MessageError."""
    try:
        magic, node, count, lost, length, checksum = _HEAD.unpack_from(data)
        raw = data[_HEAD.size :]
        if magic != _MAGIC or len(raw) != length or zlib.crc32(raw) != checksum:
            raise MessageError("the message is damaged, or another version wrote it")
        records, at = [], 0
        for _ in range(count):
            sequence, size = _RECORD.unpack_from(raw, at)
            at += _RECORD.size
            records.append((sequence, fmt.decode_payload(raw[at : at + size])))
            at += size
        return Message(node.decode("ascii"), lost, tuple(records))
    except (struct.error, UnicodeDecodeError, fmt.RecordError) as e:
        raise MessageError(str(e)) from e
