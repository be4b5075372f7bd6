"""Requests in flight, counted, and on disk: so that a process that dies in the middle of one leaves word of it.

One small file per process, mapped into memory: a request that begins writes its method, path and time into a slot of
it, one that ends clears the slot; neither is a system call. The file is locked while its process lives. What a dead
process left is read by ``deaths.py``. Without a writable folder requests are counted and nothing is written.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from fivehundred import limits
from fivehundred.guard.flight import Flight, _flight

try:
    import fcntl
    import mmap
except ImportError:  # Windows: nobody could tell a dead owner
    fcntl = None  # type: ignore[assignment]

_magic: Final = b"5HFLIGHT"
_size: Final = limits.flight_bytes
_slot: Final = struct.Struct(f"<Bd{_size - 9}s")  # method, seconds since 1970, path: cut or filled with NULs
_write: Final = _slot.pack_into
suffix: Final = ".flight"
_free_slot: Final = 0
_spelled_out: Final = 1  # a method that is not in the table stands before the path: "BREW /path"
_methods: Final = {m: n for n, m in enumerate(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), start=2)}
_method_names: Final = {number: name for name, number in _methods.items()}
_time: Final = time.time
_set: Final = _flight.set


class InFlight(NamedTuple):
    """A request that was running when its process died."""

    method: str
    path: str
    began_at: float


class Slots:
    def __init__(
        self,
        folder: Path | None,
        about: dict[str, str] | None = None,
        opened: Callable[[Path], None] = lambda path: None,
        forked: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = folder if fcntl is not None else None
        self.about = about or {}
        self._opened, self._forked = opened, forked
        self.path: Path | None = None
        self.used = False  # an integration counts with it: only then "no request is running" means anything
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        self._free = list(range(limits.flights_max * _size, 0, -_size))  # offsets; the first block is the header
        self._over = 0  # requests for which no slot was left
        self._map: Any = None
        self._fd = -1
        self._tried = False

    @property
    def now(self) -> int:
        return limits.flights_max - len(self._free) + self._over

    def begin(self, method: str, path: str) -> Flight:
        """A flight for the request that starts now, in this context. Half a microsecond."""
        flight = Flight()
        self.enter(flight, method, path)
        return flight

    def enter(self, flight: Flight, method: str, path: str) -> None:
        """The same for what is a flight already: an exchange."""
        _set(flight)
        flight.slots = self
        try:
            at = flight.slot = self._free.pop()
        except IndexError:
            flight.slot = -1
            self._over += 1
            return
        mapped = self._map
        if mapped is None:
            if self._tried or not self._open():
                return
            mapped = self._map
        try:
            _write(mapped, at, _methods[method], _time(), path.encode())
        except (KeyError, UnicodeEncodeError):
            _write(mapped, at, _spelled_out, _time(), f"{method} {path}".encode("utf-8", "replace"))

    def give_back(self, at: int) -> None:
        if at < 0:
            self._over -= 1
            return
        if self._map is not None:
            self._map[at] = _free_slot
        self._free.append(at)

    def _open(self) -> bool:
        """At the first request of a process, so that a server's master that only forks has none."""
        self._tried = self.used = True
        if self.folder is None:
            return False
        path = self.folder / f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}{suffix}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError:  # read-only, full, no descriptor: requests are counted, deaths go untold
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(descriptor, 0, (limits.flights_max + 1) * _size)  # a full disk now, not a SIGBUS later
            mapped = mmap.mmap(descriptor, (limits.flights_max + 1) * _size)
        except (OSError, ValueError, AttributeError):
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return False
        header = json.dumps({"pid": os.getpid(), "at": time.time(), "oom_kills": oom_kills(), **self.about}).encode()
        mapped[: len(_magic)] = _magic
        mapped[len(_magic) : len(_magic) + min(len(header), _size - len(_magic))] = header[: _size - len(_magic)]
        self.path, self._fd, self._map = path, descriptor, mapped
        with contextlib.suppress(OSError):
            self._opened(path)
        return True

    def close(self) -> None:
        """A process that ends as it should leaves nothing."""
        path, self.path = self.path, None
        self._forget()
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        _all.discard(self)

    def _forget(self) -> None:
        mapped, self._map = self._map, None
        self._tried = True
        if mapped is not None:
            with contextlib.suppress(BufferError, OSError):
                mapped.close()
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def after_fork(self) -> None:
        """In the child: file and requests are the parent's; the copy of its lock has to go with both descriptors."""
        if self._map is not None:
            self._forked()
        self._forget()
        self.path = None
        self._reset()


def oom_kills() -> int:
    """Of this control group since it was made; 0 where the system does not tell."""
    from fivehundred.guard.snapshot import cgroup

    found = cgroup().get("oom_kills")
    return found if isinstance(found, int) else 0


# ---- what a dead process left ----------------------------------------------------------------------


class Left(NamedTuple):
    about: dict[str, Any]
    running: list[InFlight]


def take_over(path: Path) -> Left | None:
    """Reads and removes the file of a dead process; None while its owner lives, or when it is no such file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = os.pread(descriptor, (limits.flights_max + 1) * _size, 0)
        if os.fstat(descriptor).st_nlink == 0:
            return None  # somebody else was quicker
        path.unlink(missing_ok=True)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return Left(_header(data[:_size]), _running(data)) if data[: len(_magic)] == _magic else None


def _header(block: bytes) -> dict[str, Any]:
    try:
        found = json.loads(block[len(_magic) :].rstrip(b"\0"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _running(data: bytes) -> list[InFlight]:
    found: list[InFlight] = []
    for at in range(_size, len(data) - _size + 1, _size):
        number, began_at, raw = _slot.unpack_from(data, at)
        if not _spelled_out <= number <= max(_method_names) or not math.isfinite(began_at):
            continue
        method, path = _method_names.get(number, ""), raw.rstrip(b"\0").decode("utf-8", "replace")
        if number == _spelled_out:
            method, _, path = path.partition(" ")
        found.append(InFlight(method, path, began_at))
    return sorted(found, key=lambda one: one.began_at)


# ---- the process's life ----------------------------------------------------------------------------

_all: weakref.WeakSet[Slots] = weakref.WeakSet()


def _after_fork() -> None:
    for slots in list(_all):
        slots.after_fork()


def every() -> list[Slots]:
    """Of this process, one per Guard."""
    return list(_all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
