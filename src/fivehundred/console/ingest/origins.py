"""Which web pages may send to a project: the decision about one request, and the rules as the door knows them.

A page that puts a stranger's DSN into its own script fills that stranger's project. Browsers say which page sends
(Origin, else Referer); programs say nothing and are not asked. The rules come from wherever they are stored.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from fivehundred.console.ingest.auth import Refused

log = logging.getLogger("fivehundred.console.ingest")

Rules = Mapping[str, Sequence[str]]  # project -> origins, as they are stored; a project without takes every page's

_LOAD_AGAIN_S: Final = 2.0
_ports: Final = {"http": "80", "https": "443"}


def allows(rules: Sequence[str], origin: str) -> bool:
    """A rule is ``https://shop.example[:PORT]``, or without a scheme ``HOST[:PORT]`` of any; HOST may be ``*.HOST``."""
    if not rules:
        return True
    scheme, _, address = origin.lower().partition("://")
    host, port = _host_and_port(address)
    port = port or _ports.get(scheme, "")
    return bool(host) and any(_fits(rule, scheme, host, port) for rule in rules)


def origin_of(headers: Mapping[bytes, bytes]) -> str:
    """Of the page that sends; "" for a program. ``null``, which is what a sandboxed page says, is no page's."""
    origin = headers.get(b"origin")
    if origin is not None:
        return origin[:300].decode("latin-1").strip()
    referer = headers.get(b"referer")
    return "/".join(referer[:300].decode("latin-1").strip().split("/")[:3]) if referer else ""


def _fits(rule: str, scheme: str, host: str, port: str) -> bool:
    wanted_scheme, _, address = rule.rpartition("://")
    wanted_host, wanted_port = _host_and_port(address)
    if wanted_scheme and (scheme, port) != (wanted_scheme, wanted_port or _ports.get(wanted_scheme, "")):
        return False
    if wanted_port and port != wanted_port:
        return False
    return host.endswith(wanted_host[1:]) if wanted_host.startswith("*.") else host == wanted_host


def _host_and_port(address: str) -> tuple[str, str]:
    host, colon, port = address.rpartition(":")
    return (host, port) if colon and "]" not in port else (address, "")  # [::1] has colons of its own


class Origins:
    """Asked by the ingest on its event loop. ``file`` keeps the rules over a restart while the store is away."""

    def __init__(self, load: Callable[[], Awaitable[Rules]], file: Path) -> None:
        self._load = load
        self._file = file
        self._rules: Rules = _kept(file)
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    def fits(self, project: str, headers: Mapping[bytes, bytes]) -> bool:
        """At once; False means: ask ``check``, which knows better or says why not."""
        origin = origin_of(headers)
        if not origin:
            return True
        self._refresh()
        return self._loaded_at > 0 and allows(self._rules.get(project, ()), origin)

    async def check(self, project: str, headers: Mapping[bytes, bytes]) -> None:
        """Raises Refused (403) for a page that may not send to this project."""
        origin = origin_of(headers)
        if not origin:
            return
        self._refresh()
        if self._loading is not None and self._loaded_at < 0:
            await asyncio.shield(self._loading)
        rules = self._rules.get(project, ())
        if not allows(rules, origin):
            raise Refused(403, f"project {project} takes nothing from {origin!r}; nothing was kept. The origins that it"
                          " allows are in its settings", "origin")  # fmt: skip

    def _refresh(self) -> None:
        if time.monotonic() - self._loaded_at > _LOAD_AGAIN_S and self._loading is None:
            self._loading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        try:
            rules = await self._load()
            if rules != self._rules:
                await asyncio.to_thread(_keep, self._file, rules)
            self._rules = rules
        except Exception as e:  # the edge: without the store the rules that are known stand
            log.warning("allowed origins could not be read (%s: %s); the last known ones stand", type(e).__name__, e)
        finally:
            self._loaded_at = time.monotonic()
            self._loading = None


def _kept(file: Path) -> Rules:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]])
    except (OSError, msgspec.MsgspecError):
        return {}


def _keep(file: Path, rules: Rules) -> None:
    new = file.with_suffix(".new")
    try:
        new.write_bytes(msgspec.json.encode(rules))
        os.replace(new, file)
    except OSError as e:
        log.warning("allowed origins could not be kept in %s: %s", file, e)
