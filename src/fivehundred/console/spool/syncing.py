"""Has the disk keep what was written to a file, and says so later: nobody waits for it on the event loop."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from typing import Protocol

Done = Callable[[OSError | None], None]  # on the event loop


class Syncer(Protocol):
    """One sync at a time: ``start`` is not called again before ``done`` was."""

    def start(self, fd: int, done: Done) -> None: ...
    def close(self) -> None: ...


class ThreadSyncer:
    """A thread that sits in fdatasync.

    Linux could do without (``io_submit`` of an FDSYNC, and a descriptor that rings). On two busy cores that took half
    as many records again as this does: its kernel thread is bound to the processor that the event loop keeps busy.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._orders: queue.SimpleQueue[tuple[int, Done] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def start(self, fd: int, done: Done) -> None:
        self._orders.put((fd, done))

    def close(self) -> None:
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync  # macOS has the one alone
        while (order := self._orders.get()) is not None:
            fd, done = order
            error: OSError | None = None
            try:
                sync(fd)
            except OSError as e:  # belongs to all that was written
                error = e
            self._loop.call_soon_threadsafe(done, error)
