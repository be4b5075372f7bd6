"""Which keys are known. Fed from wherever projects are stored; remembers both answers for a short time.

Refusals are remembered by (project, key), never by project: a stranger with a wrong key must not silence the right one.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fivehundred import limits

log = logging.getLogger("fivehundred.console.ingest")

_RELOAD_GAP_S = 0.05  # a flood of made-up keys costs at most 20 look-ups a second
_KNOWN_S = 10.0  # how long a key that was taken away in another process may still work
_NOBODY = "0" * 32


class KeysUnknown(Exception):
    """No key could be read since the start: nobody can be told from a stranger."""


@dataclass(frozen=True, slots=True)
class Known:
    """One project and the key that is valid for it."""

    project: str
    key: str


class KeyBook:
    """Asked by the ingest on its event loop. ``load`` returns every valid pair and may take its time."""

    def __init__(self, load: Callable[[], Awaitable[list[Known]]], file: Path | None = None) -> None:
        """``file`` keeps the keys over a restart while the store is away; they are public."""
        self._load = load
        self._file = file
        self._keys: dict[str, list[str]] = _kept(file)
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

    def knows(self, project: str, key: str) -> bool:
        """At once, and only when what is known is fresh; False means: ask ``is_known``."""
        age = time.monotonic() - self._loaded_at
        if _KNOWN_S / 2 < age <= _KNOWN_S and self._loading is None:
            self._loading = asyncio.create_task(self._reload(0))  # in time: no sender is to wait for it
        return age <= _KNOWN_S and self._match(project, key)

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
            if keys != self._keys and self._file is not None:
                await asyncio.to_thread(_keep, self._file, keys)
            self._keys = keys
            self._loaded_at = started
        except Exception as e:  # the edge: without the store the keys that are known go on working
            log.warning("keys could not be read (%s: %s); the last known ones stand", type(e).__name__, e)
            if not self._keys:
                raise KeysUnknown("the keys of projects cannot be read yet") from e
        finally:
            self._loading = None


def _kept(file: Path | None) -> dict[str, list[str]]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]]) if file is not None else {}
    except (OSError, msgspec.MsgspecError):
        return {}


def _keep(file: Path, keys: dict[str, list[str]]) -> None:
    new = file.with_suffix(".new")
    try:
        new.write_bytes(msgspec.json.encode(keys))
        os.replace(new, file)
    except OSError as e:
        log.warning("keys could not be kept in %s: %s; without the store a restart will know none", file, e)


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())
