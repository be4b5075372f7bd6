"""Spool: the durable log between accepted and digested. The protocol that segment files and JetStream implement.

One process appends, another reads. What ``append`` has returned for survives a kill -9 and a power cut; a reader that
dies before its offset was stored reads the same records again (at least once).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Door: TypeAlias = Literal["envelope", "store", "security", "otlp_logs", "otlp_traces", "minidump", "check_in", "nel"]


class SpoolError(Exception):
    """The root of what a Spool raises on purpose."""


class SpoolFull(SpoolError):
    """The backlog has reached its bound: nothing was written, and the sender must be told so (429)."""


@dataclass(frozen=True, slots=True)
class Received:
    """What the ingest accepted, byte for byte."""

    project: str
    door: Door  # the kind of endpoint it came through
    received_at: float  # seconds since 1970
    meta: Mapping[str, str]  # "content_encoding", "content_type", "client" (SDK name/version), "peer", "event_id"
    body: bytes  # as received: still compressed


@dataclass(frozen=True, slots=True)
class Depth:
    """The backlog: what was appended and is not yet committed."""

    records: int
    bytes: int
    oldest_at: float | None  # when the oldest of them was received


class SpoolWriter(Protocol):
    async def append(self, record: Received) -> None: ...  # returns when it is durable; raises SpoolFull, OSError
    def append_soon(self, record: Received) -> asyncio.Future[None]: ...  # the same; raises SpoolFull at once
    def depth(self) -> Depth: ...
    async def close(self) -> None: ...


class SpoolReader(Protocol):
    """``offset`` is the implementation's own notation; "" is the beginning of what is still kept.

    Each record comes with the offset *behind* it: store that one when the record is done.
    """

    damaged: int  # records that were in the spool and cannot be read any more, so far

    def read(self, offset: str, *, records_max: int, bytes_max: int) -> Sequence[tuple[str, Received]]: ...
    def wait(self, offset: str, timeout_s: float) -> bool: ...  # True as soon as something follows the offset
    def commit(self, offset: str) -> None: ...  # what lies before it may be deleted
    def close(self) -> None: ...
