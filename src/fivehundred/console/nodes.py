"""The processes of an installation on several machines: ingest nodes, digest workers, the Console. One file wires them.

Each says in the database that it lives, and with what figures. An ingest node needs neither the cluster nor the
database to go on accepting: it keeps what it accepts, and the keys it knows, on its own disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import uvloop

from fivehundred import limits
from fivehundred.console import metrics
from fivehundred.console.alerts_send import Sender
from fivehundred.console.app import Parts, Server, Started, Stores, answer, build, door, dsn_of, first_project, listen
from fivehundred.console.config import Layout, url_of
from fivehundred.console.digest_worker import Worker
from fivehundred.console.ingest.doors import endpoint_of
from fivehundred.console.ingest.route import Ingest, Receive, Scope, Send
from fivehundred.console.processes import InUse, Lock
from fivehundred.console.scale import ConsolePart, IngestPart, Scale, ScaleError, is_postgres
from fivehundred.console.spool.jetstream import Cluster, JetStreamWriter, Link
from fivehundred.console.store.base import Retention, Store
from fivehundred.console.store.nodes import Node, Nodes, alive_s
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.vault import Vault

log = logging.getLogger("fivehundred.console.nodes")

_TELL_S: Final = alive_s / 4

T = TypeVar("T")
Announce = Callable[[Mapping[str, object]], None]


def serve_ingest(scale: Scale, announce: Announce) -> None:
    """Accepts until SIGINT or SIGTERM. May raise ScaleError, processes.InUse, OSError."""
    part = _part(scale.ingest, scale, "ingest")
    listener = listen(part.host.strip("[]"), part.port)
    data, lock = _folder(part.data)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_ingest(scale, part, data, listener, announce))
    finally:
        lock.release()


def serve_digest(scale: Scale, announce: Announce) -> None:
    """Digests until SIGINT or SIGTERM. May raise ScaleError, processes.InUse, OSError."""
    part = _part(scale.digest, scale, "digest")
    alone = _alone(scale)
    data, lock = _folder(part.data)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    link = Link(cluster_of(scale))
    rules = Retention(part.retention_days, part.disk_max_mb * limits.MIB)
    name = _name("digest", data)
    worker = Worker(lambda: open_store(scale), link, name, data, rules, stop)
    announce({"node": name, "data": str(data)})
    try:
        worker.run()
    finally:
        link.close()
        lock.release()
        if alone is not None:
            alone.release()


def serve_console(scale: Scale, announce: Callable[[Started], None]) -> None:
    """Pages, API, alerts, and a door of its own. May raise ScaleError, processes.InUse, OSError, StoreError."""
    part = _part(scale.console, scale, "console")
    listener = listen(part.host.strip("[]"), part.port)
    data, lock = _folder(part.data)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_console(scale, part, data, listener, announce))
    finally:
        lock.release()


async def _ingest(scale: Scale, part: IngestPart, data: Path, listener: socket.socket, announce: Announce) -> None:
    link = Link(cluster_of(scale))
    spool = JetStreamWriter(data / "spool", link=link)
    stores = Stores(lambda: open_store(scale))
    name = _name("ingest", data)
    present = _Presence(stores, name, "ingest")
    node = IngestNode(door(spool, stores, data, present.share), spool, data)
    url = url_of(part.host.strip("[]"), listener.getsockname()[1])
    server = Server(node, lambda: announce({"node": name, "url": url, "data": str(data)}))
    telling = asyncio.create_task(present.run(node.figures))
    try:
        await server.serve(sockets=[listener])
    finally:
        await present.stop()
        await telling
        await node.ingest.close()
        await spool.close()
        await asyncio.to_thread(link.close)


async def _console(
    scale: Scale, part: ConsolePart, data: Path, listener: socket.socket, announce: Callable[[Started], None]
) -> None:
    stores = Stores(lambda: open_store(scale))
    project = first_project(stores.get())
    url = part.public_url.rstrip("/") or url_of(part.host.strip("[]"), listener.getsockname()[1])
    link = Link(cluster_of(scale))
    spool = JetStreamWriter(data / "spool", link=link)
    vault = Vault(Layout(data).key)
    present = _Presence(stores, _name("console", data), "console")
    sender = Sender(stores.get, vault, url)
    console = build(Parts(spool, present, stores, url, data, vault, lambda: link.problem, present.nodes, present.share))
    dsn = dsn_of(part.ingest_url.rstrip("/") or url, project)
    server = Server(console, lambda: announce(Started(url, dsn, project.id, data)))
    tasks = [asyncio.create_task(present.run(lambda: counters(console.ingest))), asyncio.create_task(sender.run())]
    try:
        await server.serve(sockets=[listener])
    finally:
        await console.mcp.close()
        await sender.stop()
        await present.stop()
        await asyncio.gather(*tasks)
        await console.ingest.close()
        await spool.close()
        await asyncio.to_thread(link.close)


class IngestNode:
    """The ASGI application of a node that only accepts."""

    def __init__(self, ingest: Ingest, spool: JetStreamWriter, data: Path) -> None:
        self.ingest = ingest
        self._spool = spool
        self._disk = metrics.Disk(data)
        self._started_at = time.time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if endpoint_of(path) is not None:
            await self.ingest(scope, receive, send)
        elif path == "/healthz":
            await answer(send, 200, b"text/plain; charset=utf-8", b"ok\n")
        elif path == "/readyz":
            status, body = await asyncio.to_thread(self._ready)
            await answer(send, status, b"application/json", body)
        elif path == "/metrics" and _is_near(scope):
            body = await asyncio.to_thread(self._metrics)
            await answer(send, 200, b"text/plain; version=0.0.4; charset=utf-8", body)
        else:
            detail = b"this node only accepts events; the pages are the Console's\n"
            await answer(send, 404, b"text/plain; charset=utf-8", detail)

    def figures(self) -> dict[str, object]:
        depth = self._spool.here()
        return counters(self.ingest) | {"waiting": depth.records, "problem": self._spool.problem}

    def _ready(self) -> tuple[int, bytes]:
        """It is ready without the cluster: that is what its own disk is for. Until that is full."""
        depth = self._spool.here()
        problems = [p for p in (self._disk.problem(),) if p]
        if depth.bytes > limits.backlog_bytes_max * 9 // 10:
            problems.append(f"{depth.bytes} bytes wait for the cluster: {self._spool.problem or 'it is slow'}")
        document = {
            "status": "not ready" if problems else "ready",
            "problems": problems,
            "notes": [p for p in (self._spool.problem,) if p],
            "backlog": {"records": depth.records, "bytes": depth.bytes, "oldest_at": depth.oldest_at},
        }
        return (503 if problems else 200), json.dumps(document).encode()

    def _metrics(self) -> bytes:
        return metrics.of_ingest(
            self.ingest, self._spool.here(), self._disk, self._spool.problem, self._started_at, time.time()
        )


class _Presence:
    """Says that this process lives, and knows who else does. Also what a Console calls its digest: any worker."""

    restarts = 0

    def __init__(self, stores: Stores, name: str, kind: str) -> None:
        self._stores = stores
        self._name = name
        self._kind = kind
        self._started_at = time.time()
        self._nodes: list[Node] = []
        self._stopping = asyncio.Event()

    @property
    def is_up(self) -> bool:
        now = time.time()
        return any(node.kind == "digest" and node.is_alive(now) for node in self._nodes)

    def share(self) -> int:
        """How many processes accept, this one included."""
        now = time.time()
        return max(1, sum(node.kind in ("ingest", "console") and node.is_alive(now) for node in self._nodes))

    def nodes(self) -> list[Node]:
        return self._nodes

    async def run(self, figures: Callable[[], Mapping[str, object]]) -> None:
        while not self._stopping.is_set():
            try:
                self._nodes = await asyncio.to_thread(self._tell, figures())
            except Exception as e:  # the edge: without the database a node goes on accepting
                log.warning("the database was not told of this node: %s: %s", type(e).__name__, e)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TELL_S)
        with contextlib.suppress(Exception):
            await asyncio.to_thread(lambda: Nodes(self._stores.get().database).leave(self._name))

    async def stop(self) -> None:
        self._stopping.set()

    def _tell(self, figures: Mapping[str, object]) -> list[Node]:
        desk, now = Nodes(self._stores.get().database), time.time()
        desk.tell(self._name, self._kind, self._started_at, figures, now=now)
        return desk.all(now=now)


def counters(ingest: Ingest) -> dict[str, object]:
    return {
        "accepted": sum(ingest.accepted.values()),
        "refused": [[project, reason, n] for (project, reason), n in ingest.refused.items()],
    }


def cluster_of(scale: Scale) -> Cluster:
    spool = scale.spool
    return Cluster(
        servers=tuple(spool.servers),
        stream=spool.stream,
        partitions=spool.partitions,
        replicas=spool.replicas,
        backlog_bytes_max=spool.backlog_mb * limits.MIB,
        user=spool.user,
        password=spool.password,
        token=spool.token,
        credentials=spool.credentials,
        tls_ca=spool.tls_ca,
    )


def open_store(scale: Scale) -> Store:
    """Raises StoreError."""
    if is_postgres(scale.store.url):
        from fivehundred.console.store.postgres import PostgresStore  # its driver is an extra

        return PostgresStore(scale.store.url)
    return SqliteStore(Path(scale.store.url))


def _part(part: T | None, scale: Scale, name: str) -> T:
    if part is None:
        raise ScaleError(f'{scale.file} has no part [{name}]; write at least: [{name}] data = "/var/lib/fivehundred"')
    return part


def _folder(data: str) -> tuple[Path, Lock]:
    root = Path(data)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root, Lock(root / "node.lock", wait_s=5.0)


def _alone(scale: Scale) -> Lock | None:
    """An SQLite store, its payloads above all, is written by one digest process."""
    if is_postgres(scale.store.url):
        return None
    path = Path(scale.store.url)
    folder = path.parent if path.suffix == ".db" else path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return Lock(folder / Layout(folder).digest_lock.name, wait_s=1.0)
    except InUse as e:
        raise ScaleError(
            f"{scale.file}: [store.url]: {scale.store.url!r} is a folder, which one digest process writes, and {e}"
            " does. For several digest workers the store is a PostgreSQL: postgresql://..."
        ) from None


def _name(kind: str, data: Path) -> str:
    """The same after a restart: host and folder."""
    return f"{kind}@{socket.gethostname()}{data.resolve()}"


def _is_near(scope: Scope) -> bool:
    """Figures are for the monitoring of the same network, not for whoever can send events."""
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_private
    except ValueError:
        return False
