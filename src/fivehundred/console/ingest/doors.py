"""Which ingest endpoint a path names: its door, its project, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fivehundred.console.spool.base import Door

_PROJECT: Final = re.compile(r"/api/([0-9]{1,20})/(.*)", re.DOTALL)
_TAILS: Final[dict[str, Door]] = {
    "envelope": "envelope",
    "store": "store",
    "security": "security",
    "csp-report": "security",
    "nel": "nel",
    "integration/otlp/v1/logs": "otlp_logs",
    "integration/otlp/v1/traces": "otlp_traces",
    "otlp/v1/logs": "otlp_logs",
    "otlp/v1/traces": "otlp_traces",
}
_BARE: Final[dict[str, Door]] = {"/v1/logs": "otlp_logs", "/v1/traces": "otlp_traces"}
_CRON: Final = re.compile(r"cron/([^/]{1,200})(?:/([^/]+))?")
# Addresses of the protocol that are not served, and why: the sender's log shows the sentence.
_CRASHES: Final = "crash dumps are not taken: there is nothing here that could read them"
_REFUSALS: Final = (
    (re.compile(r"minidump|unreal/[^/]+"), _CRASHES),
    (re.compile(r"events/[^/]+/attachments"), "attachments are not kept"),
    (re.compile(r"(?:integration/)?otlp/v1/metrics"), "metrics are not taken; switch the metrics exporter off"),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    door: Door | None  # None: an address of the protocol that we do not serve; the answer says so
    project: str  # "": the key decides
    path_key: str = ""
    slug: str = ""  # the monitor of a check-in
    refusal: str = ""  # why there is no door


@lru_cache(maxsize=4096)
def endpoint_of(path: str) -> Endpoint | None:
    """None for what is no ingest address. With and without the last slash, since a redirect loses POST bodies."""
    bare = path.rstrip("/")
    if bare in _BARE:
        return Endpoint(_BARE[bare], "")
    if bare == "/v1/metrics":
        return Endpoint(None, "", refusal="metrics are not taken; switch the metrics exporter off")
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
    why = next((text for pattern, text in _REFUSALS if pattern.fullmatch(tail)), "")
    return Endpoint(None, project, refusal=why) if why else None
