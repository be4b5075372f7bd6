"""The Console as one ASGI application, and the process that serves it: ingest, pages, API, health, one digest child.

The ingest goes before everything else and through no framework. Pages and API stand behind two checks that protect a
Console without accounts: the Host must be a name of this Console (or another site's page could read it by DNS
rebinding), and changes must come from its own pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
import uvloop
from starlette.applications import Starlette

from fivehundred.console import metrics
from fivehundred.console.access.gate import Gate
from fivehundred.console.access.identity import current
from fivehundred.console.access.visible import seen_by
from fivehundred.console.alerts_send import Sender
from fivehundred.console.api import sentry_cli, v1
from fivehundred.console.config import Config, is_loopback, url_of
from fivehundred.console.digest_items import doors as digest_doors
from fivehundred.console.ingest.doors import endpoint_of
from fivehundred.console.ingest.keys import KeyBook, Known
from fivehundred.console.ingest.origins import Origins
from fivehundred.console.ingest.origins import Rules as OriginRules
from fivehundred.console.ingest.quotas import Quotas, Rules
from fivehundred.console.ingest.route import Ingest, Receive, Scope, Send
from fivehundred.console.mcp import mount as mcp
from fivehundred.console.processes import DigestProcess, Lock
from fivehundred.console.protocol import BoundedProtocol
from fivehundred.console.site import Site
from fivehundred.console.spool.base import SpoolWriter
from fivehundred.console.spool.segments import SegmentWriter
from fivehundred.console.store import origins as store_origins
from fivehundred.console.store import quotas as store_quotas
from fivehundred.console.store.base import Project, Store, damaged_reason
from fivehundred.console.store.nodes import Node
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.vault import Vault
from fivehundred.console.web import pages

log = logging.getLogger("fivehundred.console.app")

_DRAIN_S = 5  # for requests in flight when the Console is stopped
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_safe_methods = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Started:
    """What a person or a script needs to know once the Console answers."""

    url: str
    dsn: str
    project: str
    data: Path


def serve(config: Config, announce: Callable[[Started], None]) -> None:
    """Until SIGINT or SIGTERM. Before it starts it may raise processes.InUse, OSError or store.base.StoreError."""
    listener = listen(config.host.strip("[]"), config.port)  # before anything is written: a taken port leaves no trace
    config.layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock(config.layout.lock)
    try:
        stores = Stores(lambda: SqliteStore(config.layout.database))
        project = first_project(stores.get())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, listener, stores, project, announce))
    finally:
        lock.release()


async def _serve(
    config: Config, listener: socket.socket, stores: Stores, project: Project, announce: Callable[[Started], None]
) -> None:
    url = config.public_url or url_of(config.host.strip("[]"), listener.getsockname()[1])
    spool = SegmentWriter(config.layout.spool)
    digest = DigestProcess(config)
    vault = Vault(config.layout.key)
    sender = Sender(stores.get, vault, url)
    app = build(Parts(spool, digest, stores, url, config.layout.root, vault))
    server = Server(app, lambda: announce(Started(url, dsn_of(url, project), project.id, config.layout.root)))
    keeper = asyncio.create_task(digest.run())
    sending = asyncio.create_task(sender.run())
    try:
        await server.serve(sockets=[listener])
    finally:
        await app.mcp.close()
        await sender.stop()
        await sending
        await app.ingest.close()
        await spool.close()
        await digest.stop()
        await keeper


@dataclass(frozen=True, slots=True)
class Parts:
    """What a Console is made of; one on several machines has other ones."""

    spool: SpoolWriter
    digest: metrics.Digesting
    stores: Stores
    url: str
    data: Path
    vault: Vault
    cluster_problem: Callable[[], str] = lambda: ""
    nodes: Callable[[], Sequence[Node]] = tuple
    share: Callable[[], int] = lambda: 1  # how many processes share the quotas


def build(parts: Parts) -> Console:
    stores = parts.stores
    ingest = door(parts.spool, stores, parts.data, parts.share)

    def refused() -> dict[tuple[str, str], int]:
        """Of this process, and of the other nodes as they last told."""
        found = Counter(ingest.refused)
        for node in parts.nodes():
            if node.kind == "ingest":
                found.update({(project, reason): n for project, reason, n in node.figures.get("refused", ())})
        return dict(found)

    def store() -> Store:
        """As whoever is asking may see it."""
        return seen_by(stores.get(), current.get())

    site = Site(store=store, public_url=parts.url, backlog=parts.spool.depth, refused=refused, vault=parts.vault)
    health = metrics.Health(
        backlog=parts.spool.depth,
        digest=parts.digest,
        store_version=lambda: stores.get().version(),
        ingest=ingest,
        damaged=lambda: _damaged(stores.get()),
        disk=metrics.Disk(parts.data),
        started_at=time.time(),
        cluster_problem=parts.cluster_problem,
        nodes=parts.nodes,
    )
    return Console(ingest, _pages(site), health, parts.url, stores.get)


def door(spool: SpoolWriter, stores: Stores, data: Path, share: Callable[[], int] = lambda: 1) -> Ingest:
    """The ingest with keys, quotas and allowed origins from the store. ``share``: how many nodes share the quotas."""

    async def keys() -> list[Known]:
        return await asyncio.to_thread(lambda: [Known(p.id, p.key) for p in stores.get().projects()])

    async def rules() -> Rules:
        return await asyncio.to_thread(lambda: store_quotas.Quotas(stores.get().database).all())

    async def origins() -> OriginRules:
        return await asyncio.to_thread(lambda: store_origins.Origins(stores.get().database).all())

    book = KeyBook(keys, data / "keys.json")
    quotas, pages = Quotas(rules, data / "quotas.json", share), Origins(origins, data / "origins.json")
    return Ingest(spool, book, digest_doors, quotas, pages)


class Console:
    """The ASGI application: who answers which path."""

    def __init__(
        self, ingest: Ingest, pages: Starlette, health: metrics.Health, url: str, store: Callable[[], Store]
    ) -> None:
        self.ingest = ingest
        self._gate = Gate(self._admitted, store)
        self._pages = pages
        self._health = health
        self._host = urlsplit(url).hostname or ""
        self.mcp = mcp.Mount(self._guarded, url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if endpoint_of(path) is not None:
            await self.ingest(scope, receive, send)
        elif path == "/healthz":
            await answer(send, 200, b"text/plain; charset=utf-8", b"ok\n")
        elif path == "/readyz":
            status, body = await asyncio.to_thread(metrics.ready, self._health, time.time())
            await answer(send, status, b"application/json", body)
        else:
            await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if not _is_own_name(host, self._host):
            detail = f"this Console is not called {host!r}; start it with --public-url to give it that name\n"
            await answer(send, 421, b"text/plain; charset=utf-8", detail.encode("utf-8", "replace"))
        elif scope["method"] not in _safe_methods and not _is_own_page(headers, host):
            detail = "changes are taken from this Console's own pages and from programs, not from other sites\n"
            await answer(send, 403, b"text/plain; charset=utf-8", detail.encode())
        else:
            await self._gate(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/mcp":
            await self.mcp(scope, receive, send)
        elif scope["path"] == "/metrics":
            body = await asyncio.to_thread(metrics.prometheus, self._health, time.time())
            await answer(send, 200, b"text/plain; version=0.0.4; charset=utf-8", body)
        else:
            await self._pages(scope, receive, send)


def _is_own_name(host: str, public_host: str) -> bool:
    """By name alone: the port differs behind forwarders, and another port of a loopback name is no stranger's."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == public_host.lower() or (is_loopback(name) and name != "")


def _is_own_page(headers: dict[bytes, bytes], host: str) -> bool:
    """Browsers say where a change comes from; programs send neither header and are no browser to be tricked."""
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        return False
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == host


async def answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# ---- the parts -----------------------------------------------------------------------------------


class Stores:
    """One connection a thread, opened when first asked for and kept."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._local = threading.local()

    def get(self) -> Store:
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            store = self._local.store = self._open()
        return store


def first_project(store: Store) -> Project:
    projects = store.projects()
    return projects[0] if projects else store.create_project("My project", now=time.time())


def _damaged(store: Store) -> int:
    tallies = store.stats(None, hours=1, now=time.time()).tallies
    return sum(t.quantity for t in tallies if t.reason == damaged_reason)


def _pages(site: Site) -> Starlette:
    return Starlette(routes=[*v1.routes(site), *sentry_cli.routes(site), *pages.routes(site)])


def dsn_of(url: str, project: Project) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{project.key}@{rest}/{project.id}"


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """uvicorn that tells when it answers, and that leaves the rest of the shutdown to us."""

    def __init__(self, app: App, on_start: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_DRAIN_S,
                timeout_keep_alive=30,
                backlog=2048,
            )
        )
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        # What is loaded by now stays: the collector need not walk 100,000 objects again while senders wait.
        gc.collect()
        gc.freeze()
        self._on_start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again after its own shutdown, which would end us before the spool is closed."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
