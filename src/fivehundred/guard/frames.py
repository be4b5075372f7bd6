"""The frames of a traceback as values: where, the source around, and the locals of the application's own frames."""

from __future__ import annotations

import os
from types import CodeType, FrameType, TracebackType
from typing import Final, NamedTuple

from fivehundred import limits
from fivehundred.event import Frame, Json, clean
from fivehundred.guard.places import Place, may_be_own, place_of
from fivehundred.guard.render import Renderer, plain_name
from fivehundred.guard.source import lines_around


class Stack(NamedTuple):
    """A stack as it looks each time it fails this way: without locals, shared by its events, changed by nobody."""

    codes: tuple[CodeType, ...]  # kept, so that their ids stay their own
    frames: list[Frame]
    own: list[int]  # the application's frames that carry locals, the innermost first


def walked(traceback: TracebackType | None, r: Renderer, frames_max: int) -> list[TracebackType]:
    """Caller first; both ends when there are too many, the middle counted. The Guard's own frames are left out."""
    found: list[TracebackType] = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_own_folder):
            found.append(traceback)
        traceback = traceback.tb_next
        if len(found) >= _walked_max:
            break
    if len(found) > frames_max:
        r.count("frames", len(found) - frames_max)
        outer = frames_max // 3
        found = found[:outer] + found[-(frames_max - outer) :]
    return found


_walked_max: Final = 20_000  # a recursion limit somebody raised; the innermost frames beyond it are not seen
_own_folder: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep


def stacks_of(walks: list[list[TracebackType]], app_paths: tuple[str, ...], *, slim: bool) -> list[Stack]:
    """The stacks of an event, with the application's frames marked.

    An application that was installed lies where its libraries lie. So when no frame at all is the application's by its
    path, those that are of no known library are.
    """
    found = [_stack(entries, app_paths, slim, installed=False) for entries in walks]
    if any(stack.own for stack in found):
        return found
    return [_stack(entries, app_paths, slim, installed=True) for entries in walks]


def _stack(entries: list[TracebackType], app_paths: tuple[str, ...], slim: bool, *, installed: bool) -> Stack:
    codes = [entry.tb_frame.f_code for entry in entries]
    key = (slim, installed, *map(id, codes), *[entry.tb_lasti for entry in entries])
    found = _stacks.get(key)
    if found is None:
        if len(_stacks) >= limits.faults_remembered_max:
            _stacks.clear()
        found = _stacks[key] = _make_stack(entries, tuple(codes), app_paths, slim, installed)
    return found


_stacks: dict[tuple[int, ...], Stack] = {}


def _make_stack(
    entries: list[TracebackType], codes: tuple[CodeType, ...], app_paths: tuple[str, ...], slim: bool, installed: bool
) -> Stack:
    places = [place_of(entry.tb_frame, app_paths) for entry in entries]
    if installed:
        places = [place._replace(in_app=may_be_own(place)) for place in places]
    own = [i for i, place in enumerate(places) if place.in_app]
    near = len(entries) - _innermost_with_source
    frames = [
        _frame(entry.tb_lineno or 0, place, around=not slim and (place.in_app or i >= near))
        for i, (entry, place) in enumerate(zip(entries, places, strict=True))
    ]
    return Stack(codes, frames, own[: -limits.frames_with_locals_max - 1 : -1])


_innermost_with_source: Final = 3  # whosever they are: the last lines before a failure say what was asked of a library


def _frame(lineno: int, place: Place, *, around: bool) -> Frame:
    key = (id(place.code), lineno, place.in_app, around)
    kept = _frames.get(key)
    if kept is not None:
        return kept[1]
    if len(_frames) >= limits.source_lines_kept_max:
        _frames.clear()
    before, line, after = lines_around(place.code.co_filename, lineno, limits.source_lines if around else 0)
    frame = Frame(
        filename=place.filename,
        abs_path=place.abs_path,
        module=place.module,
        function=place.function,
        lineno=lineno or None,
        context_line=line,
        pre_context=before,
        post_context=after,
        in_app=place.in_app,
    )
    _frames[key] = (place.code, frame)
    return frame


_frames: dict[tuple[int, int, bool, bool], tuple[CodeType, Frame]] = {}


def with_locals(stack: Stack, entries: list[TracebackType], r: Renderer) -> list[Frame]:
    """The stack's frames, with locals where they are the application's. The failing one gets the budget first."""
    frames = list(stack.frames)
    for i in stack.own:
        found = locals_of(entries[i].tb_frame, r)
        if found:
            frames[i] = _copy(frames[i], found)
    return frames


def _copy(f: Frame, found: dict[str, Json]) -> Frame:
    """As ``dataclasses.replace`` makes it, which takes five times as long."""
    return Frame(
        f.filename, f.abs_path, f.module, f.function, f.lineno, f.colno,
        f.context_line, f.pre_context, f.post_context, f.in_app, found, f.platform,
    )  # fmt: skip


def locals_of(frame: FrameType, r: Renderer) -> dict[str, Json]:
    values = frame.f_locals
    # a class body or exec() may run in a mapping of the application's own, which must not be asked
    if type(values) is not dict and plain_name(type(values)) != "FrameLocalsProxy":
        r.count("locals")
        return {}
    of_module = frame.f_code.co_name == "<module>"
    found: dict[str, Json] = {}
    for name in list(values)[:_names_looked_at_max]:
        if name.startswith("__") or (of_module and _is_definition(values[name])):
            continue
        if len(found) >= limits.locals_per_frame_max:
            r.count("locals", len(values) - len(found))
            break
        found[clean(name[:100])] = r.local(name, values[name])
    return found


_names_looked_at_max: Final = 500


def _is_definition(value: object) -> bool:
    kind = type(value)
    return any(kind is known for known in _definitions) or issubclass(kind, type)


_definitions: Final = (type(os), type(locals_of), type(len))
