"""How the Console itself is: liveness, readiness and figures for Prometheus. Written for machines that watch it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fivehundred import limits
from fivehundred.console.processes import DigestProcess
from fivehundred.console.spool.base import Depth

behind_seconds_max = 60.0  # an accepted event that waits longer is not "ready"
_LIVE_S = 2.0  # a child that was just started again is not yet a failure


@dataclass(frozen=True, slots=True)
class Health:
    """What readiness and figures are made of; each is asked when needed."""

    backlog: Callable[[], Depth]
    digest: DigestProcess
    store_version: Callable[[], int]
    accepted: Callable[[], dict[str, int]]
    accepted_bytes: Callable[[], int]
    refused: Callable[[], dict[tuple[str, str], int]]
    damaged: Callable[[], int]  # records that the disk lost before they were digested
    disk: Disk
    started_at: float


def ready(health: Health, now: float) -> tuple[int, bytes]:
    """200, or 503 with what is wrong and what to do."""
    depth, spool = _backlog(health)
    problems = [*spool, *_problems(health, depth, now)]
    document = {
        "status": "ready" if not problems else "not ready",
        "problems": problems,
        "backlog": {"records": depth.records, "bytes": depth.bytes, "oldest_at": depth.oldest_at},
    }
    return (503 if problems else 200), json.dumps(document).encode()


def _backlog(health: Health) -> tuple[Depth, list[str]]:
    try:
        return health.backlog(), []
    except OSError as e:  # the disk is gone: that is the answer here
        return Depth(0, 0, None), [f"the spool cannot be read: {e.strerror}"]


def _problems(health: Health, depth: Depth, now: float) -> Iterable[str]:
    try:
        health.store_version()
    except Exception as e:  # whatever keeps the store from answering is the answer here
        yield f"the store does not answer: {type(e).__name__}: {e}"
    disk = health.disk.problem()
    if disk:
        yield disk
    if health.digest.pid is None and now - health.started_at > _LIVE_S:
        yield "the digest process is not running; it is started again, see the log for why it ended"
    if depth.oldest_at is not None and now - depth.oldest_at > behind_seconds_max:
        waited = now - depth.oldest_at
        yield f"{depth.records} accepted records wait to be digested, the oldest for {waited:.0f} seconds"


class Disk:
    """Whether the data folder can be written, tried at most once a second: strangers may ask as well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tried_at = float("-inf")
        self._problem = ""

    def problem(self) -> str:
        """Empty when all is well."""
        now = time.monotonic()
        if now - self._tried_at >= 1.0:
            self._tried_at = now
            try:
                _try_a_write(self._folder)
                self._problem = ""
            except OSError as e:
                self._problem = f"the data folder {self._folder} cannot be written: {e.strerror}; nothing is accepted"
        return self._problem


def _try_a_write(folder: Path) -> None:
    """To the disk and not only to memory: a full or failing one shows itself no earlier. Raises OSError."""
    free = shutil.disk_usage(folder).free
    if free < limits.disk_free_bytes_min:
        raise OSError(errno.ENOSPC, f"{free} bytes are free, {limits.disk_free_bytes_min} are needed")
    number, name = tempfile.mkstemp(prefix=".ready-", dir=folder)
    try:
        os.write(number, b"ready\n" * 700)
        os.fsync(number)
    finally:
        os.close(number)
        os.unlink(name)


def prometheus(health: Health, now: float) -> bytes:
    """The text exposition format, version 0.0.4."""
    depth, _ = _backlog(health)
    lines: list[str] = []
    _family(lines, "accepted_total", "counter", "Requests accepted into the spool.", _doors(health))
    _family(lines, "accepted_bytes_total", "counter", "Their bodies as sent.", [("", health.accepted_bytes())])
    _family(lines, "refused_total", "counter", "Requests refused, by project and reason.", _refused(health))
    _family(lines, "backlog_records", "gauge", "Accepted and not yet digested.", [("", depth.records)])
    _family(lines, "backlog_bytes", "gauge", "Their bytes in the spool.", [("", depth.bytes)])
    age = now - depth.oldest_at if depth.oldest_at is not None else 0.0
    _family(lines, "backlog_oldest_seconds", "gauge", "How long the oldest of them waits.", [("", max(0.0, age))])
    _family(lines, "digest_up", "gauge", "1 while the digest process runs.", [("", int(health.digest.pid is not None))])
    _family(
        lines, "digest_restarts_total", "counter", "Times it had to be started again.", [("", health.digest.restarts)]
    )
    _family(lines, "damaged_total", "counter", "Accepted records that the disk lost.", [("", health.damaged())])
    _family(lines, "uptime_seconds", "gauge", "Since this Console was started.", [("", now - health.started_at)])
    _family(lines, "resident_memory_bytes", "gauge", "Of the process that accepts.", [("", _rss_bytes())])
    return ("\n".join(lines) + "\n").encode()


def _doors(health: Health) -> list[tuple[str, float]]:
    return [(f'{{door="{door}"}}', n) for door, n in sorted(health.accepted().items())]


def _refused(health: Health) -> list[tuple[str, float]]:
    # Projects are digits and reasons are our own words, so nothing here needs escaping.
    return [(f'{{project="{p}",reason="{r}"}}', n) for (p, r), n in sorted(health.refused().items())]


def _family(lines: list[str], name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> None:
    full = f"fivehundred_{name}"
    lines += (f"# HELP {full} {text}", f"# TYPE {full} {kind}")
    lines += (f"{full}{labels} {value}" for labels, value in samples)


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
