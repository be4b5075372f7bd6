"""Outline: of an event only what groups and counts it. Variables, source context and breadcrumbs are passed over.

Most events of a busy fault are counted and not kept. Reading them in full would cost several times as much as all the
rest. An event of any other form than the usual one is read in full instead, so the outline decides nothing.
"""

from __future__ import annotations

import typing
from typing import Any, Final, TypedDict

import msgspec

from fivehundred.event import Json


def outline(payload: bytes) -> dict[str, Json] | None:
    """The parts of an event that grouping and counting look at; None when it must be read in full to tell."""
    try:
        found: Any = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return dict(found)


class _Frame(TypedDict, total=False):
    filename: Any
    abs_path: Any
    module: Any
    function: Any
    lineno: Any
    colno: Any
    context_line: Any
    in_app: Any
    platform: Any


class _Stack(TypedDict, total=False):
    frames: list[_Frame | None] | None


class _Exception(TypedDict, total=False):
    type: Any
    value: Any
    module: Any
    mechanism: Any
    stacktrace: _Stack | None
    thread_id: Any


class _Exceptions(TypedDict):
    values: list[_Exception | None] | None


class _Request(TypedDict, total=False):
    method: Any
    url: Any


class _Sdk(TypedDict, total=False):
    name: Any
    version: Any


class _Ours(TypedDict, total=False):
    method: Any
    route: Any
    status: Any


class _Contexts(TypedDict, total=False):
    runtime: Any
    os: Any
    browser: Any
    fivehundred: _Ours | None


_names: Final = (
    "type", "event_id", "timestamp", "platform", "level", "logger", "transaction", "culprit", "server_name", "release",
    "dist", "environment", "logentry", "message", "fingerprint", "tags", "user",
    "sentry.interfaces.User", "sentry.interfaces.Message", "sentry.interfaces.Exception",
    "sentry.interfaces.Stacktrace", "sentry.interfaces.Http",
)  # fmt: skip
# made at run time, as names with dots have no other notation
_Event: Any = getattr(typing, "TypedDict")(  # noqa: B009 - mypy knows the name only as syntax
    "_Event",
    {
        **dict.fromkeys(_names, Any),
        "exception": _Exceptions | None,
        "stacktrace": _Stack | None,
        "request": _Request | None,
        "contexts": _Contexts | None,
        "sdk": _Sdk | None,
    },
    total=False,
)
_decode: Final = msgspec.json.Decoder(_Event).decode
