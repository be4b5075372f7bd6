"""How the Console itself is: liveness, readiness and figures for Prometheus. Written for machines that watch it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
    started_at: float


def ready(health: Health, now: float) -> tuple[int, bytes]:
    """200, or 503 with what is wrong and what to do."""
    problems = list(_problems(health, now))
    depth = health.backlog()
    document = {
        "status": "ready" if not problems else "not ready",
        "problems": problems,
        "backlog": {"records": depth.records, "bytes": depth.bytes, "oldest_at": depth.oldest_at},
    }
    return (503 if problems else 200), json.dumps(document).encode()


def _problems(health: Health, now: float) -> Iterable[str]:
    try:
        health.store_version()
    except Exception as e:  # whatever keeps the store from answering is the answer here
        yield f"the store does not answer: {type(e).__name__}: {e}"
    if health.digest.pid is None and now - health.started_at > _LIVE_S:
        yield "the digest process is not running; it is started again, see the log for why it ended"
    depth = health.backlog()
    if depth.oldest_at is not None and now - depth.oldest_at > behind_seconds_max:
        waited = now - depth.oldest_at
        yield f"{depth.records} accepted records wait to be digested, the oldest for {waited:.0f} seconds"


def prometheus(health: Health, now: float) -> bytes:
    """The text exposition format, version 0.0.4."""
    depth = health.backlog()
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
