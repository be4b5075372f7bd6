"""Whose a frame is, and how it is named: worked out once for each code object."""

from __future__ import annotations

import os
from types import CodeType, FrameType
from typing import Final, NamedTuple

from fivehundred import limits
from fivehundred.event import clean


class Place(NamedTuple):
    """What is the same each time a code object runs."""

    code: CodeType  # kept, so that its id stays its own
    filename: str
    abs_path: str
    module: str
    function: str
    in_app: bool


def place_of(frame: FrameType, app_paths: tuple[str, ...]) -> Place:
    code = frame.f_code
    place = _places.get(id(code))
    if place is None:
        if len(_places) >= _places_max:
            _places.clear()
        place = _places[id(code)] = _make_place(frame, code, app_paths)
    return place


_places: dict[int, Place] = {}
_places_max: Final = 5_000


def may_be_own(place: Place) -> bool:
    from fivehundred.fingerprint.libraries import owner  # some ms of tables; the Guard loads them when it is made

    return place.in_app or owner(place.module, place.abs_path, None) != "library"


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


_own_folder: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_library_folders: Final = _folders()
_demo_folder: Final = os.path.join(os.path.dirname(_own_folder.rstrip(os.sep)), "demo", "")  # stands for a user's code
