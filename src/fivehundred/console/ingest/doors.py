"""Which ingest endpoint a path names: its door, its project, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fivehundred.console.spool.base import Door

_PROJECT: Final = re.compile(r"/api/([0-9]{1,20})/(.*)", re.DOTALL)
_TAILS: Final[dict[str, Door | None]] = {
    "envelope": "envelope",
    "store": "store",
    "security": "security",
    "csp-report": "security",
    "minidump": "minidump",
    "integration/otlp/v1/logs": "otlp_logs",
    "integration/otlp/v1/traces": "otlp_traces",
    "otlp/v1/logs": "otlp_logs",
    "otlp/v1/traces": "otlp_traces",
    "nel": None,
}
_BARE: Final[dict[str, Door | None]] = {"/v1/logs": "otlp_logs", "/v1/traces": "otlp_traces", "/v1/metrics": None}
_CRON: Final = re.compile(r"cron/([^/]{1,200})(?:/([^/]+))?")
_NONE_YET: Final = re.compile(r"unreal/[^/]+|events/[^/]+/attachments")


@dataclass(frozen=True, slots=True)
class Endpoint:
    door: Door | None  # None: an address of the protocol that we do not serve; the answer says so
    project: str  # "": the key decides
    path_key: str = ""
    slug: str = ""  # the monitor of a check-in


@lru_cache(maxsize=4096)
def endpoint_of(path: str) -> Endpoint | None:
    """None for what is no ingest address. With and without the last slash, since a redirect loses POST bodies."""
    bare = path.rstrip("/")
    if bare in _BARE:
        return Endpoint(_BARE[bare], "")
    if bare == "/api/store":
        return Endpoint("store", "")
    match = _PROJECT.fullmatch(bare)
    if match is None:
        return None
    project, tail = match.groups()
    if tail in _TAILS:
        return Endpoint(_TAILS[tail], project)
    cron = _CRON.fullmatch(tail)
    if cron:
        return Endpoint("check_in", project, cron[2] or "", cron[1])
    return Endpoint(None, project) if _NONE_YET.fullmatch(tail) else None
