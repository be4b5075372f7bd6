"""The Spool on NATS JetStream: many nodes accept, many workers digest, the records are kept three times in between.

A node answers 200 when the record is on its *own* disk, and carries it to the cluster right after, many records in one
message so that one sync of the servers covers them. While the cluster elects a leader (5 to 7 seconds) or is down,
nodes go on accepting until their backlog is full. Records are read per partition; a reader knows what it has read
before by node and number, so a record is digested once, however often it was published.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from fivehundred import limits
from fivehundred.console.spool import batch
from fivehundred.console.spool import format as fmt
from fivehundred.console.spool.base import Depth, Received, SpoolFull
from fivehundred.console.spool.batch import MessageError, Offset
from fivehundred.console.spool.cluster import Cluster, ClusterError, Link, fetch, states
from fivehundred.console.spool.format import Position
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter

__all__ = ["Cluster", "ClusterError", "JetStreamReader", "JetStreamWriter", "Link"]

log = logging.getLogger("fivehundred.console.spool")

_ASK_AGAIN_S: Final = 0.5  # how old the figures of the cluster's backlog may be
_ACK_S: Final = 3.0
_FORWARD_RECORDS: Final = 512  # read from the own disk at a time, for all partitions
_FORWARD_BYTES: Final = 8 * limits.MIB
_MESSAGE_BYTES: Final = limits.MIB // 2  # of several records; a single one may be larger
_MESSAGES_A_READ: Final = 16
_LOOK_AGAIN_S: Final = 1.0  # without a bell
_DRAIN_S: Final = 5.0  # what close waits for the cluster; the rest stays on the node's disk


class JetStreamWriter:
    """Appends from one event loop. ``folder`` is the node's own disk; opening it may raise OSError, the cluster may be
    down."""

    def __init__(self, folder: Path, *, link: Link) -> None:
        self._local = SegmentWriter(folder)
        self.link = link
        self._bound = link.cluster.backlog_bytes_max
        self._forwarder = Forwarder(folder, self.link)
        self._remote = RemoteDepth(self.link)
        self._watching = asyncio.run_coroutine_threadsafe(self._watch(), self.link.loop)

    async def append(self, record: Received) -> None:
        """Returns when the record is on this node's disk. Raises SpoolFull, OSError."""
        await self.append_soon(record)

    def append_soon(self, record: Received) -> asyncio.Future[None]:
        """Done when the record is on this node's disk, failed with OSError. Raises SpoolFull."""
        if self._remote.bytes_about + self._forwarder.published_since + self._forwarder.here > self._bound:
            raise SpoolFull(f"the backlog of the cluster has reached its bound of {self._bound} bytes")
        future = self._local.append_soon(record)
        self._forwarder.appended += len(record.body)
        future.add_done_callback(self._forwarder.ring)
        return future

    def depth(self) -> Depth:
        """Of this node and the cluster. A message of the cluster counts for at least one record."""
        here, there = self._local.depth(), self._remote.depth()
        self._forwarder.published_since = 0
        oldest = min((at for at in (here.oldest_at, there.oldest_at) if at is not None), default=None)
        return Depth(here.records + there.records, here.bytes + there.bytes, oldest)

    def here(self) -> Depth:
        """What this node has not given to the cluster yet."""
        return self._local.depth()

    @property
    def problem(self) -> str:
        return self.link.problem

    async def _watch(self) -> None:
        """On the link's loop: keeps the figures of the cluster fresh while there is anything in it."""
        js = await self.link.jetstream()
        while True:
            await asyncio.sleep(_ASK_AGAIN_S)
            if self._forwarder.published_since or self._remote.bytes_about:
                await self._remote.refresh(js)
                self._forwarder.published_since = 0

    async def close(self) -> None:
        await self._local.close()
        self._watching.cancel()
        await asyncio.to_thread(self._forwarder.close, _DRAIN_S)


class Forwarder:
    """Carries records from the node's disk to the cluster, in order, on the link's loop."""

    def __init__(self, folder: Path, link: Link) -> None:
        self._reader = SegmentReader(folder)
        self._folder = folder
        self._node = _node_of(folder)
        self._link = link
        self._cluster = link.cluster
        self._offset = ""
        self._lost_told = 0
        self._bell = asyncio.Event()
        self._stopping = False
        self._idle = threading.Event()
        self.published_since = 0  # bytes, since the cluster's backlog was last asked for
        self.appended = 0  # bytes of bodies that were given to the node's disk since it was last empty, by the writer
        self._carried = 0  # and of those, what the cluster has
        self._task = asyncio.run_coroutine_threadsafe(self._run(), link.loop)

    @property
    def here(self) -> int:
        """Bytes on the node's disk that the cluster does not have yet."""
        return max(0, self.appended - self._carried)

    def ring(self, appended: asyncio.Future[None]) -> None:
        if self._idle.is_set():  # else it looks again by itself
            self._idle.clear()
            self._link.loop.call_soon_threadsafe(self._bell.set)

    def close(self, wait_s: float) -> None:
        self._stopping = True
        if not self._link.loop.is_closed():
            self._link.loop.call_soon_threadsafe(self._bell.set)
            try:
                self._task.result(wait_s if not self._link.problem else 0.2)
            except TimeoutError:
                log.warning("what the cluster has not taken stays in %s and is sent at the next start", self._folder)
                self._task.cancel()
        self._reader.close()

    async def _run(self) -> None:
        self._offset = await asyncio.to_thread(_committed, self._folder)
        js = await self._link.jetstream()
        while True:
            try:
                moved = await self._step(js)
            except Exception:  # the edge: whatever the disk or the cluster does, records wait and are tried again
                log.exception("records could not be carried to the cluster; tried again in a second")
                await asyncio.sleep(1)
                continue
            if not moved:
                if self._stopping:
                    return
                await self._wait()

    async def _wait(self) -> None:
        self._bell.clear()
        self._idle.set()
        if self._reader.read(self._offset, records_max=1, bytes_max=1):
            return  # came in just now
        self._carried = self.appended  # what an earlier process had left counts in neither
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), _LOOK_AGAIN_S)

    async def _step(self, js: JetStreamContext) -> bool:
        found = self._reader.read(self._offset, records_max=_FORWARD_RECORDS, bytes_max=_FORWARD_BYTES)
        if not found:
            return False
        parts: dict[int, list[tuple[int, Received]]] = {}
        for offset, record in found:
            position = Position.parse(offset)
            assert position is not None  # noqa: S101 - our own reader's notation
            partition = batch.partition_of(record.project, self._cluster.partitions)
            parts.setdefault(partition, []).append((position.sequence - 1, record))
        lost, self._lost_told = self._reader.damaged - self._lost_told, self._reader.damaged
        first = next(iter(parts))
        await asyncio.gather(*(self._send(js, p, records, lost if p == first else 0) for p, records in parts.items()))
        self._offset = found[-1][0]
        self._reader.commit(self._offset)
        return True

    async def _send(self, js: JetStreamContext, partition: int, records: list[tuple[int, Received]], lost: int) -> None:
        for group in _groups(records):
            data = batch.encode(self._node, lost, group)
            await self._publish(js, partition, data, f"{self._node}:{group[0][0]}:{group[-1][0]}")
            self.published_since += len(data)
            self._carried += sum(len(record.body) for _, record in group)
            lost = 0
        client = js._nc
        await client.publish(self._cluster.bell(partition), b"")

    async def _publish(self, js: JetStreamContext, partition: int, data: bytes, message_id: str) -> None:
        """Until the cluster has it: the same id each time, so that it keeps one."""
        wait = 0.05
        while True:
            try:
                await js.publish(
                    self._cluster.subject(partition), data, timeout=_ACK_S, headers={"Nats-Msg-Id": message_id}
                )
                return
            except (OSError, nats.errors.Error) as e:
                log.log(
                    logging.WARNING if wait >= 1 else logging.DEBUG,
                    "partition %s does not take records (%s: %s); they wait on this node's disk",
                    partition,
                    type(e).__name__,
                    e,
                )
                await asyncio.sleep(wait)
                wait = min(wait * 2, 1.0)


class RemoteDepth:
    """The backlog in the cluster, as last told. While the cluster is away the last figures stand."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known = Depth(0, 0, None)

    @property
    def bytes_about(self) -> int:
        return self._known.bytes

    def depth(self) -> Depth:
        if not self._link.problem:
            with contextlib.suppress(ClusterError):
                self._link.call(self.refresh, 3.0)
        return self._known

    async def refresh(self, js: JetStreamContext) -> None:
        with contextlib.suppress(OSError, nats.errors.Error):
            self._known = await self._ask(js)

    async def _ask(self, js: JetStreamContext) -> Depth:
        records, size, oldest = 0, 0, None
        for info in await states(js, self._link.cluster):
            records += info.state.messages
            size += info.state.bytes if info.state.messages else 0
            if info.state.messages:
                at = await self._oldest(js, info.config.name or "", info.state.first_seq)
                oldest = at if oldest is None or (at is not None and at < oldest) else oldest
        return Depth(records, size, oldest)

    async def _oldest(self, js: JetStreamContext, stream: str, sequence: int) -> float | None:
        try:
            message = await js.get_msg(stream, sequence)
            return min(record.received_at for _, record in batch.decode(message.data or b"").records)
        except (nats.js.errors.NotFoundError, MessageError, ValueError):
            return None  # digested in this very moment, or damaged: the digest will say so


class JetStreamReader:
    """Reads one partition from one thread. Raises ClusterError while the cluster does not answer."""

    def __init__(self, link: Link, partition: int) -> None:
        self._link = link
        self._cluster = link.cluster
        self._partition = partition
        self.damaged = 0
        self._ahead: list[tuple[str, Received]] = []  # read and not yet asked for
        self._ahead_of = ""
        self._stream = 0  # when it was made
        self._first = 1
        self._bell = threading.Event()
        self._listening = False

    def read(self, offset: str, *, records_max: int, bytes_max: int) -> Sequence[tuple[str, Received]]:
        """Records after ``offset``, each with the offset behind it; at least one when there is one. Empty: none yet."""
        if not self._ahead or self._ahead_of != offset:
            self._ahead = self._fetch(self._locate(offset))
        taken = size = 0
        while taken < min(records_max, len(self._ahead)) and size < bytes_max:
            size += len(self._ahead[taken][1].body)
            taken += 1
        found, self._ahead = self._ahead[:taken], self._ahead[taken:]
        self._ahead_of = found[-1][0] if found else ""
        return found

    def wait(self, offset: str, timeout_s: float) -> bool:
        """True as soon as a record follows ``offset``."""
        self._listen()
        deadline = time.monotonic() + timeout_s
        while True:
            self._bell.clear()
            if not self._ahead or self._ahead_of != offset:
                self._ahead, self._ahead_of = self._fetch(self._locate(offset)), offset
            left = deadline - time.monotonic()
            if self._ahead or left <= 0:
                return bool(self._ahead)
            self._bell.wait(min(left, _LOOK_AGAIN_S))

    def rang(self) -> bool:
        """For a worker with several partitions: whether something may have come since this was last asked."""
        self._listen()
        rang = self._bell.is_set()
        self._bell.clear()
        return rang

    def commit(self, offset: str) -> None:
        """What lies before ``offset`` is done and deleted in the cluster."""
        at = Offset.parse(offset)
        if at is None or at.stream != self._made_at() or at.sequence <= self._first:
            return
        self._link.call(lambda js: js.purge_stream(self._cluster.name(self._partition), seq=at.sequence))
        self._first = at.sequence

    def close(self) -> None:
        self._ahead = []

    # ---- reading

    def _made_at(self) -> int:
        if not self._stream:
            info = self._link.call(lambda js: js.stream_info(self._cluster.name(self._partition)))
            self._stream = int(info.created.timestamp() * 1e6) if info.created else 1
            self._first = info.state.first_seq
        return self._stream

    def _locate(self, offset: str) -> Offset:
        """The place itself; in a stream that was made anew the beginning, with what is known of the nodes."""
        made_at = self._made_at()
        at = Offset.parse(offset)
        if at is None:
            return Offset(made_at, 1, 0, ())
        return at if at.stream == made_at else Offset(made_at, 1, 0, at.nodes)

    def _fetch(self, at: Offset) -> list[tuple[str, Received]]:
        found: list[tuple[str, Received]] = []
        while not found:
            start = at.sequence
            messages = self._link.call(lambda js: fetch(js, self._cluster, self._partition, start, _MESSAGES_A_READ))  # noqa: B023
            for message in messages:
                at = self._unpack(message, at, found)
            if not messages:
                break  # else all of them had been read before: what follows them counts
        return found

    def _unpack(self, message: Msg, at: Offset, found: list[tuple[str, Received]]) -> Offset:
        sequence = int((message.headers or {})["Nats-Sequence"])
        done = at.done if sequence == at.sequence else 0
        try:
            opened = batch.decode(message.data)
        except MessageError:
            log.error("message %s of partition %s cannot be read and is passed over", sequence, self._partition)
            self.damaged += 1
            return Offset(at.stream, sequence + 1, 0, at.nodes)
        if done == 0:
            self.damaged += opened.lost
        records = opened.records
        for number, (own, record) in enumerate(records[done:], done + 1):
            fresh = own > at.last_of(opened.node)
            place = (sequence + 1, 0) if number == len(records) else (sequence, number)
            at = at.behind(*place, opened.node, max(own, at.last_of(opened.node)))
            if fresh:
                found.append((str(at), record))
        return at if records[done:] else Offset(at.stream, sequence + 1, 0, at.nodes)

    def _listen(self) -> None:
        if self._listening:
            return
        self._listening = True
        bell = self._bell

        async def ring(_: Msg) -> None:
            bell.set()

        async def subscribe(js: JetStreamContext) -> None:
            await js._nc.subscribe(self._cluster.bell(self._partition), cb=ring)

        self._link.call(subscribe)


def _groups(records: list[tuple[int, Received]]) -> list[list[tuple[int, Received]]]:
    groups: list[list[tuple[int, Received]]] = []
    size = 0
    for pair in records:
        length = len(pair[1].body) + batch.record_overhead_bytes
        if not groups or len(groups[-1]) >= limits.records_a_message_max or size + length > _MESSAGE_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(pair)
        size += length
    return groups


def _committed(folder: Path) -> str:
    try:
        return fmt.committed_path(folder).read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _node_of(folder: Path) -> str:
    """Made once for a folder: its sequence numbers belong to it."""
    file = folder / "node"
    try:
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return file.read_text("ascii").strip()
    node = secrets.token_hex(8)
    with open(made, "w", encoding="ascii") as out:
        out.write(node)
        out.flush()
        os.fsync(out.fileno())
    return node
