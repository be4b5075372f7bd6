"""Has the disk keep what was written to a file, and says so later: nobody waits for it on the event loop.

Linux does it in the kernel and tells by a descriptor that the loop watches (``io_submit`` of an FDSYNC). A thread that
sits in ``fdatasync`` does the same where there is no such call, and costs some 90 us a time on a busy machine: it and
the loop take the interpreter from each other at every step.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import queue
import struct
import sys
import threading
from collections.abc import Callable
from typing import Final, Protocol

Done = Callable[[OSError | None], None]  # on the event loop

# io_setup, io_destroy, io_submit, io_getevents; 64-bit ARM has the numbers of all newer architectures
_CALLS: Final = {"x86_64": (206, 207, 209, 208), "aarch64": (0, 1, 2, 4)}
_IOCB: Final = struct.Struct("<QIIHhIQQqQII")
_EVENT: Final = struct.Struct("<QQqq")
_FDSYNC: Final = 3
_RESFD: Final = 1


class Syncer(Protocol):
    """One sync at a time: ``start`` is not called again before ``done`` was."""

    def start(self, fd: int, done: Done) -> None: ...
    def close(self) -> None: ...


def best(loop: asyncio.AbstractEventLoop) -> Syncer:
    """What this machine offers; containers may forbid the calls."""
    try:
        return KernelSyncer(loop)
    except (OSError, KeyError, AttributeError, NotImplementedError):
        return ThreadSyncer(loop)


class KernelSyncer:
    """Raises OSError, KeyError, AttributeError or NotImplementedError where it cannot be had."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        if sys.platform != "linux" or sys.byteorder != "little" or sys.maxsize < 2**32:
            raise NotImplementedError
        self._loop = loop
        self._setup, self._destroy, self._submit, self._getevents = _CALLS[platform.machine()]
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._context = ctypes.c_ulong(0)
        self._done: Done | None = None
        self._fallback: ThreadSyncer | None = None
        self._call(self._setup, 1, ctypes.byref(self._context))
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._events = ctypes.create_string_buffer(_EVENT.size)
        loop.add_reader(self._bell, self._rang)

    def start(self, fd: int, done: Done) -> None:
        if self._fallback is not None:
            self._fallback.start(fd, done)
            return
        order = ctypes.create_string_buffer(_IOCB.pack(0, 0, 0, _FDSYNC, 0, fd, 0, 0, 0, 0, _RESFD, self._bell))
        orders = (ctypes.c_void_p * 1)(ctypes.addressof(order))  # the kernel copies both before it returns
        self._done = done
        try:
            self._call(self._submit, self._context, ctypes.c_long(1), orders)
        except OSError:  # a file system that knows no such order
            self._fallback = ThreadSyncer(self._loop)
            self._fallback.start(fd, done)

    def close(self) -> None:
        if self._fallback is not None:
            self._fallback.close()
        if self._bell >= 0:
            self._loop.remove_reader(self._bell)
            self._call(self._destroy, self._context)
            os.close(self._bell)
            self._bell = -1

    def _rang(self) -> None:
        os.eventfd_read(self._bell)
        self._call(self._getevents, self._context, ctypes.c_long(1), ctypes.c_long(1), self._events, None)
        _, _, result, _ = _EVENT.unpack(self._events.raw)
        done, self._done = self._done, None
        if done is not None:
            done(OSError(-result, os.strerror(-result)) if result < 0 else None)

    def _call(self, number: int, *arguments: object) -> None:
        if self._libc.syscall(ctypes.c_long(number), *arguments) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


class ThreadSyncer:
    """A thread that waits in fdatasync."""

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
