"""Frames of outlines: scrubbed and typed once, and then shared by all events in whose stacks they stand.

The same few thousand frames make up nearly all stacks of an application, and without variables they are equal.
"""

from __future__ import annotations

import marshal
from typing import Final

from fivehundred import limits
from fivehundred.event import Event, Frame, Json, parse
from fivehundred.scrub import scrub

Frames = list[Json]

_known: Final[dict[bytes, Frame]] = {}


def taken(outline: dict[str, Json]) -> list[Frames]:
    """Takes the frames of each exception out of an outline, whose form is known; the oldest exception's first."""
    exception = outline.get("exception")
    values = exception.get("values") if isinstance(exception, dict) else None
    return [_taken(x) for x in values if isinstance(x, dict)] if isinstance(values, list) else []


def put(event: Event, stacks: list[Frames]) -> None:
    """Gives the frames to the exceptions they were taken from; the parser keeps the newest exceptions."""
    for x, frames in zip(reversed(event.exceptions), reversed(stacks), strict=False):
        x.frames = [_frame(raw) for raw in _bounded(frames)]


def _taken(exception: dict[str, Json]) -> Frames:
    stack = exception.get("stacktrace")
    frames = stack.get("frames") if isinstance(stack, dict) else None
    if not isinstance(stack, dict) or not isinstance(frames, list):
        return []
    stack["frames"] = []
    return frames


def _bounded(frames: Frames) -> Frames:
    """Both ends of a long stack, as the parser does it."""
    found: Frames = [raw for raw in frames if raw is not None]
    half = limits.frames_max // 2
    return found if len(found) <= limits.frames_max else found[:half] + found[-half:]


def _frame(raw: Json) -> Frame:
    image = marshal.dumps(raw, 2)  # equal only for what is equal in kind as well
    found = _known.get(image)
    if found is None:
        found = parse(scrub({"stacktrace": [raw]}), received_at=0.0).frames[0]
        if len(image) <= limits.frame_remembered_bytes_max:
            if len(_known) >= limits.frames_remembered_max:
                _known.clear()
            _known[image] = found
    return found
