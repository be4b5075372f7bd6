"""The Guard's own spool: what is captured and not yet delivered, in one append-only file per process.

An append is one ``pwrite`` into the page cache: no sync, as it must outlive the process, not the machine. The file is
locked while its process lives; a file whose lock is free belonged to a dead one and is drained by whoever finds it.
Without a writable folder events wait in memory. Bounded either way; what does not fit is refused, and counted above.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import threading
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from fivehundred import limits

try:
    import fcntl
except ImportError:  # Windows: no other process can tell a dead owner, so only this process drains its own file
    fcntl = None  # type: ignore[assignment]

_magic: Final = b"5HGUARD1"
_header: Final = struct.Struct("<8sQ")  # magic, offset up to which everything is delivered
_record: Final = struct.Struct("<II")  # length, CRC-32
_making: Final = ".making"


class Waiting(NamedTuple):
    """A record that is to be delivered next. ``end`` is what ``done`` wants when it is."""

    data: bytes
    end: int


class Spool(Protocol):
    """Records in the order they came: ``append``, then ``next`` and ``done`` until nothing waits."""

    bytes_max: int

    def append(self, data: bytes) -> bool: ...
    def next(self) -> Waiting | None: ...
    def done(self, end: int) -> None: ...
    @property
    def bytes_waiting(self) -> int: ...
    def close(self) -> None: ...


def open_spool(folder: Path | None) -> Spool:
    """A file in ``folder``, or memory when there is none that this user alone can write."""
    if folder is not None:
        try:
            return FileSpool.create(folder)
        except OSError:
            pass  # read-only, full, or no free descriptor: memory is the answer to each
    return MemorySpool()


def folder_for(destination: str, root: Path | None = None) -> Path | None:
    """This user's folder for one destination, made when needed; None when there is no safe place.

    The destination is in the name as a hash, so that events never go to another DSN than they were captured for.
    """
    owner = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    base = root or Path(os.environ.get("FIVEHUNDRED_SPOOL") or Path(_temporary(), f"fivehundred{owner}"))
    folder = base / f"{zlib.crc32(destination.encode()):08x}-{len(destination)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in (base, folder):
            _check_private(place, of_our_making=root is None)
    except OSError:
        return None
    return folder


def _temporary() -> str:
    """As ``tempfile`` finds it, which is slow to import."""
    named = (os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP"))
    return next((place for place in named if place), "/tmp" if os.name == "posix" else os.getcwd())  # noqa: S108


def _check_private(place: Path, *, of_our_making: bool) -> None:
    """In a shared /tmp somebody else may have made the folder first, to read or to plant events."""
    status = os.lstat(place)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "the spool folder is not a folder", str(place))
    if of_our_making and hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise PermissionError(errno.EACCES, "the spool folder can be written by others", str(place))


class FileSpool:
    """One file, one owner. Appends come from any thread; ``next`` and ``done`` from the shipping thread alone."""

    def __init__(self, path: Path, descriptor: int, *, end: int, delivered: int) -> None:
        self.path = path
        self.bytes_max = limits.guard_spool_bytes_max
        self._fd = descriptor
        self._end = end
        self._delivered = delivered
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path) -> FileSpool:
        """Under another name until it is locked and has its header: a process that looks for orphans in between would
        take it for an unfinished one and delete it."""
        path = folder / f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}.spool"
        making = path.with_suffix(_making)
        descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _take_lock(descriptor)
            os.pwrite(descriptor, _header.pack(_magic, _header.size), 0)
            making.rename(path)
        except OSError:
            os.close(descriptor)
            making.unlink(missing_ok=True)
            raise
        return cls(path, descriptor, end=_header.size, delivered=_header.size)

    @classmethod
    def adopt(cls, path: Path) -> FileSpool | None:
        """The spool of a process that is gone; None while its owner lives, or when it is no spool."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return None
        try:
            _take_lock(descriptor)
            head = os.pread(descriptor, _header.size, 0)
            if len(head) < _header.size:
                raise OSError(errno.EINVAL, "an unfinished spool")
            magic, delivered = _header.unpack(head)
            if magic != _magic:
                raise OSError(errno.EINVAL, "not a spool of this version")
            return cls(path, descriptor, end=os.fstat(descriptor).st_size, delivered=delivered)
        except OSError as e:
            os.close(descriptor)
            if e.errno == errno.EINVAL:
                path.unlink(missing_ok=True)
            return None

    def append(self, data: bytes) -> bool:
        record = _record.pack(len(data), zlib.crc32(data)) + data
        with self._lock:
            if self._end - self._delivered + len(record) > self.bytes_max:
                return False
            try:
                written = os.pwrite(self._fd, record, self._end)
            except OSError:
                return False
            if written < len(record):  # the disk is full; what was written of it is overwritten by the next
                return False
            self._end += written
        return True

    def next(self) -> Waiting | None:
        with self._lock:
            at, end = self._delivered, self._end
        head = os.pread(self._fd, _record.size, at) if at < end else b""
        if len(head) < _record.size:
            return None
        size, checksum = _record.unpack(head)
        data = os.pread(self._fd, size, at + _record.size) if at + _record.size + size <= end else b""
        if len(data) != size or zlib.crc32(data) != checksum:
            self.done(end)  # the process died while it wrote, or the disk lied: nothing after it can be trusted
            return None
        return Waiting(data, at + _record.size + size)

    def done(self, end: int) -> None:
        with self._lock:
            self._delivered = end
            if end >= self._end and end > limits.MIB:
                os.ftruncate(self._fd, _header.size)
                self._end = self._delivered = _header.size
            os.pwrite(self._fd, _header.pack(_magic, self._delivered), 0)

    @property
    def bytes_waiting(self) -> int:
        return self._end - self._delivered

    @property
    def end(self) -> int:
        return self._end

    @property
    def age_s(self) -> float:
        """Since the last append, by the file's own time."""
        return time.time() - os.fstat(self._fd).st_mtime

    def count(self) -> int:
        """Records that wait, by their lengths alone."""
        at, found = self._delivered, 0
        while at < self._end and len(head := os.pread(self._fd, _record.size, at)) == _record.size:
            at += _record.size + int(_record.unpack(head)[0])
            found += 1
        return found

    def close(self) -> None:
        """Gives the file up; removes it when everything in it is delivered."""
        with contextlib.suppress(OSError):
            if self.bytes_waiting == 0:
                self.path.unlink(missing_ok=True)
            os.close(self._fd)

    def forget(self) -> None:
        """In a forked child: the file is the parent's, only this copy of the descriptor goes."""
        with contextlib.suppress(OSError):
            os.close(self._fd)


def _take_lock(descriptor: int) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class MemorySpool:
    """The same without a disk: lost with its process."""

    def __init__(self) -> None:
        self.bytes_max = limits.guard_memory_bytes_max
        self._records: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, data: bytes) -> bool:
        with self._lock:
            if self._bytes + len(data) > self.bytes_max:
                return False
            self._records.append(data)
            self._bytes += len(data)
        return True

    def next(self) -> Waiting | None:
        with self._lock:
            return Waiting(self._records[0], 0) if self._records else None

    def done(self, end: int) -> None:
        with self._lock:
            if self._records:
                self._bytes -= len(self._records.popleft())

    @property
    def bytes_waiting(self) -> int:
        return self._bytes

    def close(self) -> None:
        pass


def orphans(folder: Path) -> list[Path]:
    """Spools of dead processes, and of living ones whose lock will say so, oldest first."""
    try:
        for left in folder.glob(f"*{_making}"):  # its maker died within the microseconds that making one takes
            if time.time() - left.stat().st_mtime > limits.spool_age_max_s:
                left.unlink(missing_ok=True)
        return sorted(folder.glob("*.spool"))
    except OSError:
        return []
