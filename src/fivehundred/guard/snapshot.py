"""The process's and the machine's resources as numbers: memory, descriptors, disk, load, pressure, control group.

Reads ``/proc`` and ``/sys/fs/cgroup``; what is not there (another system, a sandbox) is left out. Taken by the
observer's thread; only ``at_once`` is cheap enough for the request's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from typing import Final

from fivehundred import limits
from fivehundred.event import Json

if sys.platform != "win32":
    import resource


def at_once() -> dict[str, Json]:
    """What may have changed a millisecond later: open descriptors. Two system calls, no descriptor needed."""
    found: dict[str, Json] = {}
    count = _descriptors()
    if count is not None:
        found["fds_open"] = count
        limit = _descriptor_limit()
        if limit:
            found["fds_max"] = limit
        if limit and count * 10 >= limit * 9 and (kinds := fd_kinds()):  # a moment later the leaked ones may be closed
            found["fd_kinds"] = kinds
    return found


def snapshot(disk: str) -> dict[str, Json]:
    """Everything, about 100 microseconds. ``disk`` is a path on the file system that matters to the application."""
    found: dict[str, Json] = {**at_once(), **_memory(), **_disk(disk)}
    kinds = fd_kinds()
    if kinds:
        found["fd_kinds"] = kinds
    found["threads"] = threading.active_count()
    found["cpus"] = _cpus()
    found["uptime_s"] = round(time.monotonic() - _started_at, 1)
    with contextlib.suppress(OSError, AttributeError):
        found["load_1m"] = round(os.getloadavg()[0], 2)
    for name in ("cpu", "memory", "io"):
        share = _pressure(name)
        if share is not None:
            found[f"psi_{name}"] = share
    group = cgroup()
    if group:
        found["cgroup"] = group
    return found


_started_at: Final = time.monotonic()


def _descriptors() -> int | None:
    """Of this process. Linux 6.2 tells it as the size of the folder; before, it has to be listed."""
    try:
        size = os.stat("/proc/self/fd").st_size
        return size if size else len(os.listdir("/proc/self/fd")) - 1
    except OSError as e:
        # no descriptor is left even for the listing: then all are in use, which is the very fact that matters
        return _descriptor_limit() if e.errno in (errno.EMFILE, errno.ENFILE) else None


def fd_kinds() -> dict[str, Json]:
    """How many descriptors are sockets, files, pipes and others: what leaks is seen by its kind. 2 us a descriptor.

    Listing them needs a descriptor, following one does not: where none is left every number up to the limit is tried.
    """
    found = {"socket": 0, "file": 0, "pipe": 0, "deleted": 0, "other": 0}
    looked_at = 0
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        names = [str(number) for number in range(min(_descriptor_limit() or 0, limits.open_files_looked_at_max))]
    for name in names[: limits.open_files_looked_at_max]:
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # closed since, the listing's own, or a number that is not in use
            continue
        found[_kind_of(target)] += 1
        looked_at += 1
    return {kind: count for kind, count in found.items() if count} if looked_at else {}


def _kind_of(target: str) -> str:
    if target.startswith("socket:"):
        return "socket"
    if target.startswith("pipe:"):
        return "pipe"
    if not target.startswith("/") or target.startswith("/dev/"):
        return "other"
    return "deleted" if target.endswith(" (deleted)") else "file"


def _descriptor_limit() -> int | None:
    if sys.platform == "win32":
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft if soft != resource.RLIM_INFINITY else None


def _cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def _memory() -> dict[str, Json]:
    found: dict[str, Json] = {}
    fields = _read("/proc/self/statm").split()
    if len(fields) > 1:
        found["rss_bytes"] = int(fields[1]) * _page_bytes
    if sys.platform != "win32":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else limits.KIB)
        # Linux counts the peak per processor and adds up late: it may still be behind what is in use now
        found["rss_max_bytes"] = max(peak, int(fields[1]) * _page_bytes if len(fields) > 1 else 0)
    return found


_page_bytes: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _disk(path: str) -> dict[str, Json]:
    try:
        status = os.statvfs(path)
    except (OSError, AttributeError):
        return {}
    found: dict[str, Json] = {
        "disk_free_bytes": status.f_bavail * status.f_frsize,
        "disk_total_bytes": status.f_blocks * status.f_frsize,
    }
    if status.f_files:  # file systems without a fixed number of inodes say 0
        found["inodes_free"] = status.f_favail
    return found


def _pressure(name: str) -> float | None:
    """The share of the last ten seconds, in percent, that some task waited for the resource."""
    for line in _read(f"/proc/pressure/{name}").splitlines():
        if line.startswith("some avg10="):
            return _float(line[len("some avg10=") :].split(" ", 1)[0])
    return None


# ---- control groups ------------------------------------------------------------------------------


def cgroup() -> dict[str, Json]:
    """Of version 2 at its root, which is what a container sees; else of version 1."""
    folder = _cgroup_folder()
    return _cgroup_v2(folder) if folder else _cgroup_v1()


def _cgroup_folder() -> str:
    for line in _read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            for place in ("/sys/fs/cgroup" + line[3:].rstrip("/"), "/sys/fs/cgroup"):
                if os.path.exists(f"{place}/memory.current"):
                    return place
    return ""


def _cgroup_v2(folder: str) -> dict[str, Json]:
    return _filled(
        {
            "memory_bytes": _int(_read(f"{folder}/memory.current")),
            "memory_max_bytes": _int(_read(f"{folder}/memory.max")),  # "max" is no number: no limit
            "oom_kills": _int(_field(_read(f"{folder}/memory.events"), "oom_kill")),
            "throttled_periods": _int(_field(_read(f"{folder}/cpu.stat"), "nr_throttled")),
        }
    )


def _cgroup_v1() -> dict[str, Json]:
    memory, cpu = _v1_folder("memory"), _v1_folder("cpu")
    limit = _int(_read(f"{memory}/memory.limit_in_bytes"))
    return _filled(
        {
            "memory_bytes": _int(_read(f"{memory}/memory.usage_in_bytes")),
            "memory_max_bytes": limit if limit is not None and limit < 1 << 60 else None,
            "oom_kills": _int(_field(_read(f"{memory}/memory.oom_control"), "oom_kill")),
            "throttled_periods": _int(_field(_read(f"{cpu}/cpu.stat"), "nr_throttled")),
        }
    )


def _v1_folder(controller: str) -> str:
    """Of our own group; in a container its own is mounted at the top."""
    for line in _read("/proc/self/cgroup").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        folder = f"/sys/fs/cgroup/{controller}{path.rstrip('/')}"
        if controller in names.split(",") and os.path.isdir(folder):
            return folder
    return f"/sys/fs/cgroup/{controller}"


def _filled(values: dict[str, int | None]) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value is not None}


def _field(text: str, name: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return value
    return ""


def _read(path: str) -> str:
    try:
        with open(path, "rb") as f:
            return f.read(8 * limits.KIB).decode("ascii", "replace")
    except OSError:
        return ""


def _int(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() else None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
