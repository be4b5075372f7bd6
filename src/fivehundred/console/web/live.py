"""/live: a stream that says "something changed" within a twentieth of a second, as long as a page listens.

One task asks the store for its version twenty times a second while there are listeners and not at all when there are
none. The stream carries the version alone; what changed the page asks for itself, in the form it already has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fivehundred import limits
from fivehundred.console.site import Site
from fivehundred.console.store.base import StoreError

poll_seconds: Final = 0.05
beat_seconds: Final = 15.0  # a comment line now and then: proxies close what is silent

log = logging.getLogger("fivehundred.console")


class Live:
    """The listeners of one process and the task that watches for them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listeners: set[asyncio.Queue[int]] = set()
        self._watcher: asyncio.Task[None] | None = None

    async def endpoint(self, request: Request) -> Response:
        if len(self._listeners) >= limits.listeners_max:
            return Response("Too many pages listen already.\n", 503, {"retry-after": "30"}, "text/plain")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    async def _stream(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        self._listeners.add(queue)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    version = await asyncio.wait_for(queue.get(), beat_seconds)
                except TimeoutError:
                    yield ":\n\n"
                    continue
                yield f"event: change\ndata: {version}\n\n"
        finally:
            self._listeners.discard(queue)

    async def _watch(self) -> None:
        """Ends by itself soon after the last listener has gone."""
        last: int | None = None
        while self._listeners:
            try:
                version = await run_in_threadpool(self._version)
            except StoreError as e:  # an edge: the pages still work, and the next second may be better
                log.warning("live updates pause for a second: the store answered %r", e)
                await asyncio.sleep(1)
                continue
            if version != last:
                if last is not None:
                    self._tell(version)
                last = version
            await asyncio.sleep(poll_seconds)

    def _version(self) -> int:
        return self._site.store().version()

    def _tell(self, version: int) -> None:
        for queue in self._listeners:
            if queue.empty():  # a slow listener is told once, whatever happened meanwhile
                queue.put_nowait(version)
