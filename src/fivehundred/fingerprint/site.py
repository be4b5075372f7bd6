"""Where a stack failed: its site (the last named function of the application), its callers, and its crash frame.

Paths and line numbers are never part of a site, modules only by their last part: packages move, lines shift, install
roots differ. What a failing *line* says is in ``source``; which site is a shared helper, ``memory`` learns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fivehundred.event import Frame
from fivehundred.fingerprint.libraries import owner

callers_max: Final = 12  # application functions above the site that are looked at: enough to get past helpers


@dataclass(frozen=True, slots=True)
class Place:
    """One function, by names that survive a move of its file or package."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}.{self.function}" if self.module and self.function else self.module or self.function


@dataclass(frozen=True, slots=True)
class Site:
    """``callers`` run upwards from the site. ``last`` is the place of the crash frame where that is a lambda."""

    place: Place
    callers: tuple[Place, ...]
    frame: int  # index of the frame that the site is
    crash: int  # index of the application's innermost frame: a lambda or comprehension within the site, or the site
    anonymous: str = ""  # module of the lambda that failed, empty when the site itself did
    generated: bool = False  # the innermost frame is code made by eval or exec: it has no line that could be read
    deepest: bool = False  # no library frame is below: the application itself raised, or C code did
    cycle: tuple[Place, ...] = ()  # functions that called each other in a circle, for a stack that overflowed


def site(frames: Sequence[Frame]) -> Site | None:
    """None when no frame can be the application's."""
    own = _application(frames)
    if not own:
        return None
    crash = own[-1]
    named = [i for i in own if _place(frames[i]) is not None]
    if not named:
        place = Place(_module(frames[crash]), "<module>")
        return Site(place, (), crash, crash, generated=_generated(frames[crash]), deepest=crash == len(frames) - 1)
    at = named[-1]
    places = [p for i in named if (p := _place(frames[i])) is not None]
    place = places[-1]
    return Site(
        place=place,
        callers=_callers(frames, named, places),
        frame=at,
        crash=crash,
        anonymous=_module(frames[crash]) if _LAMBDA.search(frames[crash].function) else "",
        generated=crash != at and _generated(frames[crash]),
        deepest=crash == len(frames) - 1,
        cycle=tuple(sorted(set(places[places.index(place) :]), key=str)) if places.count(place) > 1 else (),
    )


def _application(frames: Sequence[Frame]) -> list[int]:
    """Indexes of the application's frames; those that may be either's only where there is nothing surer."""
    sure: list[int] = []
    either: list[int] = []
    a_package = False  # a script that starts a server is the application's too, but says nothing about it
    for i, f in enumerate(frames):
        kind = owner(f.module, f.abs_path or f.filename, f.in_app)
        if kind == "library":
            continue
        either.append(i)
        if kind == "application":
            sure.append(i)
            a_package = a_package or (f.module != "__main__" and not f.filename.startswith("<"))
    return sure if a_package or len(sure) == len(either) else either


def _callers(frames: Sequence[Frame], named: list[int], places: list[Place]) -> tuple[Place, ...]:
    """The functions above the site, nearest first: recursion collapsed, decorators' wrappers passed over."""
    first = places.index(places[-1])  # recursion: the caller is who entered the circle
    found: list[Place] = []
    for i, p in zip(reversed(named[:first]), reversed(places[:first]), strict=True):
        if p in found or p.function in _WRAPPERS or _FORWARDS.search(frames[i].context_line):
            continue
        found.append(p)
        if len(found) == callers_max:
            break
    return tuple(found)


_WRAPPERS: Final = frozenset(
    "wrapper wrapped inner _wrapper _wrapped _inner async_wrapper sync_wrapper decorator decorated __call__ "
    "wrapped_f wrapped_func wrapper_func inner_func _wrapped_view invoke0 invoke".split()
)
_FORWARDS: Final = re.compile(r"\(\s*(?:[\w.]+\s*,\s*)?\*\s*\w+\s*,\s*\*\*\s*\w+\s*\)|\(\.\.\.\s*arguments\s*\)")
_LAMBDA: Final = re.compile(r"<lambda>|^lambda\$|\{closure|^\?$|^<anonymous>$")


def _place(frame: Frame) -> Place | None:
    """None for what has no name of its own: a lambda, a comprehension, the body of a module, generated code."""
    function = plain_function(frame.function)
    if not function or (frame.filename.startswith("<") and function.startswith("__")):
        return None
    if _TEMPLATE.match(frame.function):
        name = _base(frame.abs_path or frame.filename)
        return None if name.startswith("<") else Place(name, frame.function.strip())
    return Place(_module(frame), function)


_TEMPLATE: Final = re.compile(r"top-level template code$|block ['\"]|macro ['\"]|template$")


@lru_cache(maxsize=20_000)
def plain_function(name: str) -> str:
    """The function's name without what compilers, closures and receivers add to it; empty when it has none."""
    name = name.strip()
    if _NAMELESS.search(name):
        name = name.rpartition(".<locals>.")[0] if "<locals>" in name else ""  # a comprehension of a known function
    name = name.rpartition("<locals>.")[2]
    name = _RUBY.sub("", name).strip("`'")
    name = _LEADING.sub("", name)
    name = _JAVA_LAMBDA.sub(r"\1", name)
    name = _ASYNC_STATE.sub(r"\1", name)
    name = _GO.sub("", name).replace("(*", "").replace(")", "")
    name = name.rpartition("\\")[2] if "::" in name else name  # PHP: the namespace is a path
    name = _RUST_HASH.sub("", name)
    return "" if name in ("?", "anonymous", "<anonymous>", "{closure}", "eval") else name


_NAMELESS: Final = re.compile(r"<(?:lambda|listcomp|dictcomp|setcomp|genexpr|module|main|cell line: \d+)>$|\{closure")
_RUBY: Final = re.compile(r"^(?:(?:block|rescue|ensure)(?: \(\d+ levels\))? in )+")
_LEADING: Final = re.compile(r"^(?:(?:async|new|get|set) +|(?:module\.)?exports\.|(?:Object|Module|Function)\.)+")
_JAVA_LAMBDA: Final = re.compile(r"^lambda\$(\w+)\$\d+$")
_ASYNC_STATE: Final = re.compile(r"^<(\w+)>[a-z]__\w+(?:\.MoveNext)?$")
_GO: Final = re.compile(r"(?:\.func\d+|\.gowrap\d+|-fm|-range\d+|\.\d+)+$|\[\.\.\.\]")
_RUST_HASH: Final = re.compile(r"::h[0-9a-f]{16}$")


def _module(frame: Frame) -> str:
    return _last_part(frame.module, frame.filename or frame.abs_path)


@lru_cache(maxsize=20_000)
def _last_part(module: str, filename: str) -> str:
    if module and module != "__main__":
        name = _PROXY.sub("", module)
        parts = [p for p in re.split(r"[./:\\]", name) if p]
        return parts[-1] if parts else ""
    base = _base(filename)
    return base if base.startswith("<") else base.partition(".")[0]


_PROXY: Final = re.compile(r"\$\$.*$|\$(?:Proxy)?\d+.*$")  # classes that Java frameworks make, lambdas, inner numbers


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _generated(frame: Frame) -> bool:
    return frame.filename.startswith("<") and not frame.context_line
