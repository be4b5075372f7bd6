"""Which keys are known. Fed from wherever projects are stored; remembers both answers for a short time.

Refusals are remembered by (project, key), never by project: a stranger with a wrong key must not silence the right one.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fivehundred import limits

_RELOAD_GAP_S = 0.05  # a flood of made-up keys costs at most 20 look-ups a second
_KNOWN_S = 10.0  # how long a key that was taken away in another process may still work
_NOBODY = "0" * 32


@dataclass(frozen=True, slots=True)
class Known:
    """One project and the key that is valid for it."""

    project: str
    key: str


class KeyBook:
    """Asked by the ingest on its event loop. ``load`` returns every valid pair and may take its time."""

    def __init__(self, load: Callable[[], Awaitable[list[Known]]]) -> None:
        self._load = load
        self._keys: dict[str, list[str]] = {}
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._refused: dict[tuple[str, str], float] = {}

    async def is_known(self, project: str, key: str) -> bool:
        now = time.monotonic()
        if self._match(project, key):
            if now - self._loaded_at > _KNOWN_S and self._loading is None:
                self._loading = asyncio.create_task(self._reload(0))
            return True
        refused_until = self._refused.get((project, key))
        if refused_until is not None and now < refused_until:
            return False
        await self._reloaded(now)
        if self._match(project, key):
            return True
        if len(self._refused) >= limits.refused_keys_max:
            self._refused.clear()
        self._refused[project, key] = time.monotonic() + limits.refused_key_seconds
        return False

    def has_project(self, project: str) -> bool:
        return project in self._keys

    def projects_of(self, key: str) -> list[str]:
        """For endpoints that name no project: those which this key belongs to."""
        return [p for p, keys in self._keys.items() for k in keys if _same(k, key)]

    async def refresh(self) -> None:
        await self._reloaded(time.monotonic())

    def _match(self, project: str, key: str) -> bool:
        known = self._keys.get(project) or [_NOBODY]  # an unknown project takes as long as a wrong key
        same = False
        for candidate in known:
            same |= _same(candidate, key)
        return same and project in self._keys

    async def _reloaded(self, now: float) -> None:
        """Everybody who waits shares one look-up, and it begins after they asked."""
        if self._loading is not None:
            await asyncio.shield(self._loading)
            if self._loaded_at >= now:
                return
        if self._loading is None:
            gap = max(0.0, self._loaded_at + _RELOAD_GAP_S - time.monotonic())
            self._loading = asyncio.create_task(self._reload(gap))
        await asyncio.shield(self._loading)

    async def _reload(self, gap_s: float) -> None:
        try:
            await asyncio.sleep(gap_s)
            started = time.monotonic()
            keys: dict[str, list[str]] = {}
            for known in await self._load():
                keys.setdefault(known.project, []).append(known.key)
            self._keys = keys
            self._loaded_at = started
        finally:
            self._loading = None


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())
