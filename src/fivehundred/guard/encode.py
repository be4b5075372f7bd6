"""An Event as the bytes that go to the spool: JSON within ``event_bytes_max``, the least telling parts cut first.

Frames without locals are the same objects from event to event (``frames.py``), so their JSON is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from fivehundred import limits
from fivehundred.event import Event, ExceptionItem, Frame, Json, context_name
from fivehundred.event_wire import exception_to_wire, frame_to_wire, to_wire
from fivehundred.guard.kept import Kept
from fivehundred.record import replace


def encoded(event: Event) -> bytes:
    data = _dump(event)
    for step in _steps:
        if len(data) <= limits.event_bytes_max:
            return data
        _note(event, step(event))
        data = _dump(event)
    return data


def _dump(event: Event) -> bytes:
    """The event's id stands first in it: the shipping thread reads it there."""
    text = _json(to_wire(event, with_exceptions=False))
    if event.exceptions:
        text = f'{text[:-1]},"exception":{{"values":[{",".join(map(_exception, event.exceptions))}]}}}}'
    return text.encode("ascii")


def _json_writer() -> Callable[[object], str]:
    """``JSONEncoder.encode`` makes its C part anew for each value, which takes a third of its time on small ones."""
    whole = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without the C part
        return whole.encode
    pieces = make(None, whole.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    return lambda value: "".join(pieces(value, 0))


_json: Final = _json_writer()


def _exception(item: ExceptionItem) -> str:
    text = _json(exception_to_wire(item, with_frames=False))
    if not item.frames:
        return text
    frames = ",".join([_frame(frame) if frame.vars else _frames(frame) for frame in item.frames])
    return f'{text[:-1]},"stacktrace":{{"frames":[{frames}]}}}}'


def _frame(frame: Frame) -> str:
    return _json(frame_to_wire(frame))


_frames: Final = Kept(_frame)


def _note(event: Event, what: str) -> None:
    ours = event.contexts.setdefault(context_name, {})
    cut = ours.setdefault("cut", {})
    if isinstance(cut, dict):
        cut[what] = 1


def _without_old_locals(event: Event) -> str:
    """The failing frame's own locals stay: they are what the report is read for."""
    with_locals = [frame for item in event.exceptions for frame in item.frames if frame.vars]
    for item in event.exceptions:
        item.frames = [_bare(frame) if frame is not with_locals[-1] else frame for frame in item.frames]
    return "bytes_of_locals"


def _bare(frame: Frame) -> Frame:
    return replace(frame, vars={}) if frame.vars else frame


def _without_source(event: Event) -> str:
    for item in event.exceptions:
        item.frames = [replace(frame, pre_context=[], post_context=[]) for frame in item.frames]
    return "bytes_of_source"


def _without_body(event: Event) -> str:
    event.breadcrumbs = event.breadcrumbs[-10:]
    if event.request is not None:
        event.request.data = None
    return "bytes_of_request"


def _without_locals(event: Event) -> str:
    for item in event.exceptions:
        item.frames = [_bare(frame) for frame in item.frames]
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
