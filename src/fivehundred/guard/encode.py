"""An Event as the bytes that go to the spool: JSON within ``event_bytes_max``, the least telling parts cut first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from fivehundred import limits
from fivehundred.event import Event, Json, context_name, to_wire


def encoded(event: Event) -> bytes:
    data = _dump(event)
    for step in _steps:
        if len(data) <= limits.event_bytes_max:
            return data
        _note(event, step(event))
        data = _dump(event)
    return data


def _dump(event: Event) -> bytes:
    return json.dumps(to_wire(event), separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _note(event: Event, what: str) -> None:
    ours = event.contexts.setdefault(context_name, {})
    cut = ours.setdefault("cut", {})
    if isinstance(cut, dict):
        cut[what] = 1


def _without_old_locals(event: Event) -> str:
    """The failing frame's own locals stay: they are what the report is read for."""
    frames = [f for x in event.exceptions for f in x.frames if f.vars]
    for frame in frames[:-1]:
        frame.vars = {}
    return "bytes_of_locals"


def _without_source(event: Event) -> str:
    for frame in (f for x in event.exceptions for f in x.frames):
        frame.pre_context, frame.post_context = [], []
    return "bytes_of_source"


def _without_body(event: Event) -> str:
    event.breadcrumbs = event.breadcrumbs[-10:]
    if event.request is not None:
        event.request.data = None
    return "bytes_of_request"


def _without_locals(event: Event) -> str:
    for frame in (f for x in event.exceptions for f in x.frames):
        frame.vars = {}
    event.breadcrumbs = []
    return "bytes_of_all_locals"


def _few_frames(event: Event) -> str:
    for exception in event.exceptions:
        exception.frames = exception.frames[-10:]
        exception.value = exception.value[:500]
        if exception.mechanism is not None:
            kept: dict[str, Json] = {
                k: v for k, v in exception.mechanism.data.items() if k not in ("attrs", "notes", "mro")
            }
            exception.mechanism.data = kept
    return "bytes_of_frames"


_steps: Final[tuple[Callable[[Event], str], ...]] = (
    _without_old_locals,
    _without_source,
    _without_body,
    _without_locals,
    _few_frames,
)
