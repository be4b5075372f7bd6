"""Two servers with one and the same door: one takes the short way where it can, one hands every request to ASGI."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from fivehundred import limits
from fivehundred.console.ingest.keys import KeyBook, Known
from fivehundred.console.ingest.route import Ingest
from fivehundred.console.protocol import BoundedProtocol
from fivehundred.console.spool.base import Door
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter

key = "a1" * 16
all_doors: frozenset[Door] = frozenset(("envelope", "store", "security", "nel", "otlp_logs", "otlp_traces", "check_in"))
seconds = 0.3  # what a request may take to arrive, in these tests


class ServedDoor:
    """An ingest behind a real socket, in a thread of its own."""

    def __init__(self, folder: Path, *, short: bool) -> None:
        self.folder = folder
        self._short = short
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._started.wait(10)

    def ask(self, *pieces: bytes, pause_s: float = 0.0) -> bytes:
        """Everything that the server says until it closes the connection."""
        got = b""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause_s)
                while more := connection.recv(65_536):
                    got += more
            except ConnectionError:
                return got
        return got

    def kept(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        records = SegmentReader(self.folder).read("", records_max=100_000, bytes_max=1 << 30)
        return [(r.project, r.door, dict(r.meta), r.body) for _, r in records]

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        async def keys() -> list[Known]:
            return [Known("1", key)]

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        spool = SegmentWriter(self.folder)
        ingest = Ingest(spool, KeyBook(keys), all_doors)
        self.ingest = ingest

        async def only_asgi(scope: Any, receive: Any, send: Any) -> None:
            await ingest(scope, receive, send)

        app = ingest if self._short else only_asgi
        config = uvicorn.Config(app, http=BoundedProtocol, ws="none", lifespan="off", log_config=None, access_log=False)
        config.timeout_keep_alive = seconds  # type: ignore[assignment]
        config.load()
        config.loaded_app = app  # without uvicorn's own middleware, as the Console has it
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        listener = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port = listener.getsockname()[1]
        await server.startup([listener])
        self._started.set()
        await self._end.wait()
        await server.shutdown([listener])
        await spool.close()


class BothDoors:
    """The same bytes to both, at the same time."""

    def __init__(self, folder: Path) -> None:
        self.short = ServedDoor(folder / "short", short=True)
        self.long = ServedDoor(folder / "long", short=False)
        self._pool = ThreadPoolExecutor(2)

    def ask(self, *pieces: bytes, pause_s: float = 0.0) -> tuple[bytes, bytes]:
        answers = [self._pool.submit(d.ask, *pieces, pause_s=pause_s) for d in (self.short, self.long)]
        return answers[0].result(), answers[1].result()

    def stop(self) -> None:
        self.short.stop()
        self.long.stop()
        self._pool.shutdown()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothDoors]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "header_seconds_max", seconds)
        patch.setattr(limits, "body_seconds_max", seconds)
        both = BothDoors(tmp_path_factory.mktemp("doors"))
        yield both
        both.stop()
