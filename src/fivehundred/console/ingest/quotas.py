"""Quotas at the door: counts the events of a project per minute, hour and day, and says when one is used up.

The figures come from wherever they are stored. Of several nodes each counts its own share. Only failures count:
sessions, traces and reports of what an SDK dropped are small, and refusing them would hide what is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from fivehundred.console.ingest import peek
from fivehundred.console.ingest.auth import Refused
from fivehundred.console.spool.base import Received
from fivehundred.envelope import header_bytes_max

log = logging.getLogger("fivehundred.console.ingest")

Rules = Mapping[str, Mapping[str, int]]  # project -> "minute", "hour", "day" -> events

_seconds: Final = {"minute": 60, "hour": 3_600, "day": 86_400}
_LOAD_AGAIN_S: Final = 2.0
_counted_doors: Final = ("store", "security", "nel", "otlp_logs", "otlp_traces")  # a request of these counts as one


class Quotas:
    """Asked by the ingest on its event loop. ``file`` keeps the counts over a restart."""

    def __init__(self, load: Callable[[], Awaitable[Rules]], file: Path, share: Callable[[], int] = lambda: 1) -> None:
        self._load = load
        self._file = file
        self._share = share
        self._rules: Rules = {}
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._counts = _kept(file)  # (project, span) -> (begin of the span, events)
        self._dirty = False

    def take(self, record: Received) -> None:
        """Counts one event. Raises Refused (429) when a quota is used up."""
        if time.monotonic() - self._loaded_at > _LOAD_AGAIN_S and self._loading is None:
            self._loading = asyncio.create_task(self._reload())
        rules = self._rules.get(record.project)
        if not rules or not _is_event(record):
            return
        now = record.received_at
        for span, most in rules.items():
            begin, events = self._count(record.project, span, now)
            allowed = max(1, most // max(1, self._share()))
            if events >= allowed:
                raise _refused(record.project, most, span, math.ceil(begin + _seconds[span] - now))
        for span in rules:
            begin, events = self._count(record.project, span, now)
            self._counts[record.project, span] = begin, events + 1
        self._dirty = True

    async def close(self) -> None:
        if self._loading is not None:
            await asyncio.wait([self._loading])
        self._save()

    def _count(self, project: str, span: str, now: float) -> tuple[float, int]:
        begin = now - now % _seconds[span]
        kept = self._counts.get((project, span))
        if kept is None or kept[0] + _seconds[span] <= now or kept[0] > begin + _seconds[span]:  # or a clock set back
            return begin, 0
        return kept

    async def _reload(self) -> None:
        try:
            self._rules = await self._load()
            await asyncio.to_thread(self._save)
        except Exception as e:  # the edge: without the store the quotas that are known stand
            log.warning("quotas could not be read (%s: %s); the last known ones stand", type(e).__name__, e)
        finally:
            self._loaded_at = time.monotonic()
            self._loading = None

    def _save(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        counts = [[project, span, *count] for (project, span), count in list(self._counts.items())]
        new = self._file.with_suffix(".new")
        try:
            new.write_text(json.dumps(counts), "ascii")
            os.replace(new, self._file)
        except OSError as e:
            log.warning("the counts of quotas could not be kept: %s; after a restart they begin anew", e)


def _kept(file: Path) -> dict[tuple[str, str], tuple[float, int]]:
    try:
        rows: list[tuple[str, str, float, int]] = msgspec.json.decode(
            file.read_bytes(), type=list[tuple[str, str, float, int]]
        )
    except (OSError, msgspec.MsgspecError):
        return {}
    return {(project, span): (begin, events) for project, span, begin, events in rows if span in _seconds}


def _is_event(record: Received) -> bool:
    if record.door != "envelope":
        return record.door in _counted_doors
    try:
        lines = peek.first_lines(record.body, record.meta.get("content_encoding", "identity"), 2, 2 * header_bytes_max)
        header: Any = msgspec.json.decode(lines[1]) if len(lines) > 1 else None
    except (peek.PeekError, msgspec.DecodeError, RecursionError):
        return True  # what cannot be read is kept as malformed, and counts
    return not isinstance(header, dict) or header.get("type") in ("event", "security", None)


def _refused(project: str, most: int, span: str, seconds: int) -> Refused:
    return Refused(
        429,
        f"project {project} has had its {most} events of this {span}; nothing was kept, it takes more in {seconds} s",
        "quota",
        headers=(
            (b"retry-after", b"%d" % seconds),
            (b"x-sentry-rate-limits", b"%d:default;error;security:project:quota" % seconds),
        ),
    )
