"""The frames of a traceback as values: where, the source around, and the locals of the application's own frames."""

from __future__ import annotations

import os
from types import CodeType, FrameType, TracebackType
from typing import Final, NamedTuple

from fivehundred import limits
from fivehundred.event import Frame, Json, clean
from fivehundred.guard.render import Renderer, plain_name
from fivehundred.guard.source import lines_around


class Step(NamedTuple):
    """One entry of a traceback."""

    frame: FrameType
    lineno: int


def steps_of(traceback: TracebackType | None, r: Renderer, frames_max: int) -> list[Step]:
    """Caller first; both ends when there are too many, the middle counted. The Guard's own frames are left out."""
    found: list[Step] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_own_folder):
            found.append(Step(traceback.tb_frame, traceback.tb_lineno or 0))
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


def frames_of(steps: list[Step], places: list[Place], *, slim: bool = False) -> list[Frame]:
    near = len(steps) - _innermost_with_source
    return [
        _frame(step, place, slim=slim or not (place.in_app or i >= near))
        for i, (step, place) in enumerate(zip(steps, places, strict=True))
    ]


_innermost_with_source: Final = 3  # whosever they are: the last lines before a failure say what was asked of a library


def add_locals(frames: list[Frame], steps: list[Step], r: Renderer) -> None:
    """Of the application's frames, the failing one first: it gets the budget while there is some."""
    in_app = [i for i, frame in enumerate(frames) if frame.in_app]
    for i in reversed(in_app[-limits.frames_with_locals_max :]):
        frames[i].vars = locals_of(steps[i].frame, r)


class Place(NamedTuple):
    """What is the same each time a code object runs."""

    code: CodeType  # kept, so that its id stays its own
    filename: str
    abs_path: str
    module: str
    function: str
    in_app: bool


def places_of(stacks: list[list[Step]], app_paths: tuple[str, ...]) -> list[list[Place]]:
    """Where the frames of an event's stacks are, and which of them are the application's.

    An application that was installed lies where its libraries lie. So when no frame at all is the application's by its
    path, those that are of no known library are.
    """
    found = [[place_of(step.frame, app_paths) for step in steps] for steps in stacks]
    if any(place.in_app for places in found for place in places):
        return found
    return [[_as_own(place) if may_be_own(place) else place for place in places] for places in found]


def may_be_own(place: Place) -> bool:
    from fivehundred.fingerprint.libraries import owner  # some ms of tables; the Guard loads them when it is made

    return place.in_app or owner(place.module, place.abs_path, None) != "library"


def _as_own(place: Place) -> Place:
    found = _own_places.get(id(place.code))
    if found is None or found.code is not place.code:
        if len(_own_places) >= _places_max:
            _own_places.clear()
        found = _own_places[id(place.code)] = place._replace(in_app=True)
    return found


_own_places: dict[int, Place] = {}
_places: dict[int, Place] = {}


def place_of(frame: FrameType, app_paths: tuple[str, ...]) -> Place:
    code = frame.f_code
    place = _places.get(id(code))
    if place is None:
        if len(_places) >= _places_max:
            _places.clear()
        place = _places[id(code)] = _make_place(frame, code, app_paths)
    return place


_places_max: Final = 5_000


def _make_place(frame: FrameType, code: CodeType, app_paths: tuple[str, ...]) -> Place:
    name = dict.get(frame.f_globals, "__name__")
    module = clean(name[: limits.name_chars_max]) if type(name) is str else ""
    path = clean(code.co_filename[: limits.name_chars_max])
    function = clean(code.co_qualname[: limits.name_chars_max])
    return Place(code, _short(path, module), path, module, function, is_application(code.co_filename, app_paths))


def _short(path: str, module: str) -> str:
    """``shop/orders.py`` of ``/srv/releases/42/shop/orders.py``: the same on each host and in each release folder."""
    depth = module.count(".") + (2 if os.path.basename(path) == "__init__.py" else 1)
    parts = path.replace("\\", "/").split("/")
    return "/".join(parts[-depth:]) if path[:1] != "<" else path


def is_application(filename: str, app_paths: tuple[str, ...] = ()) -> bool:
    """Whether a file is the application's own: not installed, not the standard library's, not generated."""
    if app_paths and filename.startswith(app_paths):
        return True
    if filename.startswith((*_library_folders, "<frozen")):
        return filename.startswith(_demo_folder)
    return "site-packages" not in filename and "dist-packages" not in filename


def _folders() -> tuple[str, ...]:
    """The standard library's folder and our own. Not by ``sysconfig``, which takes 30 ms to say the same."""
    found = {os.path.dirname(os.path.abspath(os.__file__)), os.path.dirname(_own_folder.rstrip(os.sep))}
    return tuple(os.path.join(place, "") for place in found | {os.path.realpath(place) for place in found})


_library_folders: Final = _folders()
_demo_folder: Final = os.path.join(os.path.dirname(_own_folder.rstrip(os.sep)), "demo", "")  # stands for a user's code


def _frame(step: Step, place: Place, *, slim: bool) -> Frame:
    before, line, after = lines_around(place.code, step.lineno, 0 if slim else limits.source_lines)
    return Frame(
        filename=place.filename,
        abs_path=place.abs_path,
        module=place.module,
        function=place.function,
        lineno=step.lineno or None,
        context_line=line,
        pre_context=before,
        post_context=after,
        in_app=place.in_app,
    )


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


_definitions: Final = (type(os), type(_folders), type(len))
