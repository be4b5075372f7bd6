"""How the Console itself is: liveness, readiness and figures for Prometheus. Written for machines that watch it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fivehundred import limits
from fivehundred.console.spool.base import Depth
from fivehundred.console.store.nodes import Node

behind_seconds_max = 60.0  # an accepted event that waits longer is not "ready"
_LIVE_S = 2.0  # a child that was just started again is not yet a failure


class Digesting(Protocol):
    """Who digests, as far as readiness cares."""

    restarts: int

    @property
    def is_up(self) -> bool: ...


class Counters(Protocol):
    """What the ingest has counted since its start."""

    accepted: Counter[str]  # door -> requests
    accepted_bytes: int
    refused: Counter[tuple[str, str]]  # (project, reason) -> requests


@dataclass(frozen=True, slots=True)
class Health:
    """What readiness and figures are made of; each is asked when needed."""

    backlog: Callable[[], Depth]
    digest: Digesting
    store_version: Callable[[], int]
    ingest: Counters
    damaged: Callable[[], int]  # records that the disk lost before they were digested
    disk: Disk
    started_at: float
    cluster_problem: Callable[[], str] = lambda: ""  # of the spool's cluster, where there is one
    nodes: Callable[[], Sequence[Node]] = tuple  # of an installation on several machines


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
    if not health.digest.is_up and now - health.started_at > _LIVE_S:
        yield "the digest process is not running; it is started again, see the log for why it ended"
    cluster = health.cluster_problem()
    if cluster:
        yield cluster
    if depth.oldest_at is not None and now - depth.oldest_at > behind_seconds_max:
        waited = now - depth.oldest_at
        yield f"{depth.records} accepted records wait to be digested, the oldest for {waited:.0f} seconds"


class Disk:
    """Whether the data folder can be written, tried at most once a second: strangers may ask as well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tried_at = float("-inf")
        self._problem = ""

    def free(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return 0

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
    _counters(lines, health.ingest)
    _backlog_of(lines, depth, now)
    _family(lines, "digest_up", "gauge", "1 while the digest process runs.", [("", int(health.digest.is_up))])
    _family(
        lines, "digest_restarts_total", "counter", "Times it had to be started again.", [("", health.digest.restarts)]
    )
    _family(lines, "store_up", "gauge", "1 while the store answers.", [("", int(_store_answers(health)))])
    _family(lines, "damaged_total", "counter", "Accepted records that the disk lost.", [("", _damaged(health))])
    _process(lines, health.started_at, health.disk, now)
    up = int(not health.cluster_problem())
    _family(lines, "cluster_up", "gauge", "0 while the spool's cluster is away.", [("", up)])
    _family(lines, "node_seen_seconds", "gauge", "Since a node was last heard of.", _nodes(health, now))
    return ("\n".join(lines) + "\n").encode()


def _counters(lines: list[str], ingest: Counters) -> None:
    _family(lines, "accepted_total", "counter", "Requests accepted into the spool.", _doors(ingest))
    _family(lines, "accepted_bytes_total", "counter", "Their bodies as sent.", [("", ingest.accepted_bytes)])
    _family(lines, "refused_total", "counter", "Requests refused, by project and reason.", _refused(ingest))


def _backlog_of(lines: list[str], depth: Depth, now: float) -> None:
    _family(lines, "backlog_records", "gauge", "Accepted and not yet digested.", [("", depth.records)])
    _family(lines, "backlog_bytes", "gauge", "Their bytes in the spool.", [("", depth.bytes)])
    age = now - depth.oldest_at if depth.oldest_at is not None else 0.0
    _family(lines, "backlog_oldest_seconds", "gauge", "How long the oldest of them waits.", [("", max(0.0, age))])


def _process(lines: list[str], started_at: float, disk: Disk, now: float) -> None:
    _family(lines, "uptime_seconds", "gauge", "Since this process was started.", [("", now - started_at)])
    _family(lines, "resident_memory_bytes", "gauge", "Of the process that accepts.", [("", _rss_bytes())])
    _family(lines, "open_files", "gauge", "Descriptors of the process that accepts.", [("", _open_files())])
    _family(lines, "disk_free_bytes", "gauge", "On the disk of the data folder.", [("", disk.free())])


def of_ingest(ingest: Counters, depth: Depth, disk: Disk, problem: str, started_at: float, now: float) -> bytes:
    """Of a node that only accepts: the same names."""
    lines: list[str] = []
    _counters(lines, ingest)
    _backlog_of(lines, depth, now)
    _process(lines, started_at, disk, now)
    _family(lines, "cluster_up", "gauge", "0 while the spool's cluster is away.", [("", int(not problem))])
    return ("\n".join(lines) + "\n").encode()


def _store_answers(health: Health) -> bool:
    try:
        return health.store_version() >= 0
    except Exception:  # the edge: whatever keeps it from answering is what is told
        return False


def _damaged(health: Health) -> int:
    try:
        return health.damaged()
    except Exception:  # the edge: the store is away, which store_up says
        return 0


def _doors(ingest: Counters) -> list[tuple[str, float]]:
    return [(f'{{door="{door}"}}', n) for door, n in sorted(dict(ingest.accepted).items())]


def _refused(ingest: Counters) -> list[tuple[str, float]]:
    # Projects are digits and reasons are our own words, so nothing here needs escaping.
    return [(f'{{project="{p}",reason="{r}"}}', n) for (p, r), n in sorted(dict(ingest.refused).items())]


def _nodes(health: Health, now: float) -> list[tuple[str, float]]:
    try:
        return [(f'{{node="{n.name}",kind="{n.kind}"}}', max(0.0, now - n.seen_at)) for n in health.nodes()]
    except Exception:  # the edge: the store is away, which store_up says
        return []


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


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
