"""The connection to a NATS JetStream cluster, and the streams that hold the partitions. Synchronous to its callers.

It lives on a thread with an event loop of its own: the digest is synchronous, and what the cluster does must not hold
up the loop that accepts. The client library is the extra ``scale``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from fivehundred import limits
from fivehundred.console.spool.base import SpoolError

log = logging.getLogger("fivehundred.console.spool")

T = TypeVar("T")
_REQUEST_S: Final = 5.0
_RETRY_S: Final = 0.5
_DUPLICATES_S: Final = 600.0  # how long the cluster knows message ids; readers know sequences for ever
_Errors: Final = (OSError, asyncio.TimeoutError, nats.errors.Error)


class ClusterError(SpoolError):
    """The cluster does not answer, or cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the cluster is and how its streams are made."""

    servers: tuple[str, ...]
    stream: str = "fivehundred"
    partitions: int = 8
    replicas: int = 3
    backlog_bytes_max: int = 8 * limits.backlog_bytes_max  # of all partitions together
    user: str = ""
    password: str = ""
    token: str = ""
    credentials: str = ""  # path of a .creds file
    tls_ca: str = ""  # path of a PEM file; tls:// addresses without it use the system's

    def name(self, partition: int) -> str:
        return f"{self.stream}-{partition}"

    def subject(self, partition: int) -> str:
        return f"{self.stream}.records.{partition}"

    def bell(self, partition: int) -> str:
        """A plain subject: something was published. Losing one costs a second, nothing else."""
        return f"{self.stream}.bell.{partition}"


class Link:
    """One connection, made in the background and made again for ever. ``call`` runs a coroutine on its loop.

    ``looks``: it makes no streams, and says of those that are missing that they are.
    """

    def __init__(self, cluster: Cluster, *, looks: bool = False) -> None:
        self.cluster = cluster
        self._looks = looks
        self._told = 0.0
        self.loop = asyncio.new_event_loop()
        self._ready: asyncio.Future[JetStreamContext] = self.loop.create_future()
        self._client: Client | None = None
        self.problem = "the cluster has not answered yet"  # empty while all is well
        self._thread = threading.Thread(target=self._run, name="nats", daemon=True)
        self._thread.start()

    def call(self, make: Callable[[JetStreamContext], Coroutine[Any, Any, T]], timeout_s: float = 15.0) -> T:
        """Raises ClusterError when the cluster does not answer in time or refuses."""
        future = asyncio.run_coroutine_threadsafe(self._within(make, timeout_s), self.loop)
        try:
            return future.result(timeout_s + 1)
        except (*_Errors, TimeoutError) as e:
            future.cancel()
            why = self.problem or f"NATS at {self._where()} does not answer: {type(e).__name__}: {e}"
            raise ClusterError(why) from e

    async def jetstream(self) -> JetStreamContext:
        """On the link's own loop: waits until the streams are there."""
        return await asyncio.shield(self._ready)

    def close(self) -> None:
        if self.loop.is_closed():
            return
        with contextlib.suppress(Exception):  # the edge: an ill cluster must not keep a process from ending
            asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(3)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(3)

    async def _within(self, make: Callable[[JetStreamContext], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        async with asyncio.timeout(timeout_s):
            return await make(await self.jetstream())

    def _where(self) -> str:
        return ", ".join(server.rpartition("@")[2] for server in self.cluster.servers)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._connecting = self.loop.create_task(self._connect())
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def _connect(self) -> None:
        while True:
            try:
                client = self._client or await nats.connect(**self._options())
                self._client = client
                js = client.jetstream(timeout=_REQUEST_S)
                await _streams(js, self.cluster, client.max_payload, looks=self._looks)
                self.problem = ""
                self._ready.set_result(js)
                return
            except (*_Errors, ClusterError) as e:
                self.problem = f"NATS at {self._where()} cannot be used: {type(e).__name__}: {e}"
                self._tell()
                await asyncio.sleep(_RETRY_S)

    def _tell(self) -> None:
        """Now and then. Whoever only looks says it itself."""
        if time.monotonic() - self._told > 30 and not self._looks:
            self._told = time.monotonic()
            log.error("%s; it is tried again", self.problem)

    def _options(self) -> dict[str, Any]:
        cluster = self.cluster
        options: dict[str, Any] = {
            "servers": list(cluster.servers),
            "name": "fivehundred",
            "connect_timeout": 2,
            "reconnect_time_wait": 0.25,
            "max_reconnect_attempts": -1,
            "ping_interval": 5,
            "max_outstanding_pings": 2,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnect,
            "reconnected_cb": self._on_reconnect,
        }
        options |= {n: v for n in ("user", "password", "token") if (v := getattr(cluster, n))}
        if cluster.credentials:
            options["user_credentials"] = cluster.credentials
        if cluster.tls_ca:
            options["tls"] = ssl.create_default_context(cafile=cluster.tls_ca)
        return options

    async def _on_error(self, error: Exception) -> None:
        log.debug("NATS: %s", error)
        if not self._ready.done():  # the client library tries for ever, and says only here why it does not get in
            self.problem = f"NATS at {self._where()} cannot be used: {type(error).__name__}: {error}"
            self._tell()

    async def _on_disconnect(self) -> None:
        self.problem = f"the connection to NATS at {self._where()} is lost; it is made again"

    async def _on_reconnect(self) -> None:
        self.problem = ""

    async def _close(self) -> None:
        self._connecting.cancel()
        if self._client is not None:
            await self._client.close()


async def _streams(js: JetStreamContext, cluster: Cluster, payload_bytes_max: int, *, looks: bool) -> None:
    """Makes what is missing, or says so. Raises ClusterError for a cluster that would lose or refuse records."""
    if payload_bytes_max < limits.record_bytes_max:
        raise ClusterError(
            f"the servers take messages of up to {payload_bytes_max} bytes, records have up to"
            f" {limits.record_bytes_max}: set max_payload: 32MB in their configuration"
        )
    for partition in range(cluster.partitions):
        try:
            info = await js.stream_info(cluster.name(partition))
        except nats.js.errors.NotFoundError:
            if looks:
                raise ClusterError(
                    f"the stream {cluster.name(partition)} is missing: no node has been started with this file, or it"
                    " was deleted; the next node that starts makes it"
                ) from None
            info = await js.add_stream(_config(cluster, partition))
        made_for = (info.config.metadata or {}).get("partitions", "")
        if made_for != str(cluster.partitions):
            raise ClusterError(
                f"the stream {cluster.name(partition)} was made for {made_for or 'other'} partitions and the"
                f" configuration says {cluster.partitions}: write partitions = {made_for or '...'}, or use another"
                " name for the stream"
            )


def _config(cluster: Cluster, partition: int) -> StreamConfig:
    return StreamConfig(
        name=cluster.name(partition),
        description="records accepted by fivehundred and not yet digested",
        subjects=[cluster.subject(partition)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=cluster.replicas,
        discard=DiscardPolicy.NEW,  # a full disk refuses the new, and never drops what was acknowledged
        duplicate_window=_DUPLICATES_S,
        allow_direct=True,
        metadata={"partitions": str(cluster.partitions)},
    )


async def states(js: JetStreamContext, cluster: Cluster) -> list[StreamInfo]:
    return list(await asyncio.gather(*(js.stream_info(cluster.name(p)) for p in range(cluster.partitions))))


async def fetch(js: JetStreamContext, cluster: Cluster, partition: int, sequence: int, count: int) -> list[Msg]:
    """Messages from ``sequence`` on, from whichever replica answers: all that it has, up to ``count``."""
    client: Client = js._nc  # the client library gives batches of direct reads no call of their own
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    request = {
        "seq": sequence,
        "next_by_subj": cluster.subject(partition),
        "batch": count,
        "max_bytes": limits.record_bytes_max,
    }
    found: list[Msg] = []
    try:
        await client.publish(f"$JS.API.DIRECT.GET.{cluster.name(partition)}", json.dumps(request).encode(), inbox)
        while True:
            message = await subscription.next_msg(timeout=_REQUEST_S)
            status = (message.headers or {}).get("Status", "")
            if status:  # 204: the end of the batch, 404: nothing there yet
                if status in ("204", "404"):
                    return found
                raise nats.errors.Error(f"a read was refused: {status} {(message.headers or {}).get('Description')}")
            found.append(message)
    finally:
        await subscription.unsubscribe()
