"""Where a stack failed: its site (the last named function of the application), its callers, and its crash frame.

Paths and line numbers are never part of a site, modules only by their last part: packages move, lines shift, install
roots differ. What a failing *line* says is in ``source``; which site is a shared helper, ``memory`` learns.
"""

# ruff: noqa: SIM905 - lists of names read better as they are

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from fivehundred.event import Frame
from fivehundred.fingerprint.libraries import Owner, owner

callers_max: Final = 12  # application functions above the site that are looked at: enough to get past helpers


class Place(NamedTuple):
    """One function, by names that survive a move of its file or package. A tuple: it is compared all the time."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}.{self.function}" if self.module and self.function else self.module or self.function


@dataclass(frozen=True, slots=True)
class Site:
    """``callers`` run upwards from the site. They and the site are of the application."""

    place: Place
    callers: tuple[Place, ...]
    frame: int  # index of the frame that the site is
    crash: int  # index of the application's innermost frame: a lambda or comprehension within the site, or the site
    anonymous: str = ""  # module of the lambda that failed, empty when the site itself did
    generated: bool = False  # the innermost frame is code made by eval or exec: it has no line that could be read
    deepest: bool = False  # no library frame is below: the application itself raised, or C code did


def site(frames: Sequence[Frame]) -> Site | None:
    """None when no frame can be the application's."""
    own = _application(frames)
    if not own:
        return None
    crash, crashed = own[-1]
    deepest = crash == len(frames) - 1
    generated = crashed.generated and not frames[crash].context_line
    named = [(i, facts.place) for i, facts in own if facts.place]
    if not named:
        place = Place(crashed.module, "<module>")
        return Site(place, (), crash, crash, generated=generated, deepest=deepest)
    at, place = named[-1]
    first = next(i for i, (_, p) in enumerate(named) if p == place)
    return Site(
        place=place,
        callers=_callers(frames, named[:first]),  # recursion: the caller is who entered the circle
        frame=at,
        crash=crash,
        anonymous=crashed.module if crashed.is_lambda else "",
        generated=generated and crash != at,
        deepest=deepest,
    )


def circle(frames: Sequence[Frame]) -> tuple[Place, ...]:
    """The functions that called each other in a circle until the stack overflowed; where it did is chance."""
    counts = Counter(facts.place for _, facts in _application(frames) if facts.place)
    return tuple(sorted((p for p, n in counts.items() if n > 2), key=str))


def _application(frames: Sequence[Frame]) -> list[tuple[int, _Facts]]:
    """The application's frames; those that may be either's only where there is nothing surer."""
    sure: list[tuple[int, _Facts]] = []
    either: list[tuple[int, _Facts]] = []
    a_package = False  # a script that starts a server is the application's too, but says nothing about it
    for i, f in enumerate(frames):
        facts = _facts(f.module, f.filename, f.abs_path, f.function, f.in_app)
        if facts.owner == "library":
            continue
        either.append((i, facts))
        if facts.owner == "application":
            sure.append((i, facts))
            a_package = a_package or not (facts.generated or f.module == "__main__")
    return sure if a_package or len(sure) == len(either) else either


def _callers(frames: Sequence[Frame], named: list[tuple[int, Place]]) -> tuple[Place, ...]:
    """The functions above the site, nearest first: repetitions collapsed, decorators' wrappers passed over."""
    found: list[Place] = []
    for i, place in reversed(named):
        if place in found or place.function in _WRAPPERS or _forwards(frames[i].context_line):
            continue
        found.append(place)
        if len(found) == callers_max:
            break
    return tuple(found)


def _forwards(line: str) -> bool:
    return "*" in line and _FORWARDS.search(line) is not None


_WRAPPERS: Final = frozenset(
    "wrapper wrapped inner _wrapper _wrapped _inner async_wrapper sync_wrapper decorator decorated __call__ "
    "wrapped_f wrapped_func wrapper_func inner_func _wrapped_view invoke0 invoke".split()
)
_FORWARDS: Final = re.compile(r"\(\s*(?:[\w.]+\s*,\s*)?\*\s*\w+\s*,\s*\*\*\s*\w+\s*\)|\(\.\.\.\s*arguments\s*\)")
_LAMBDA: Final = re.compile(r"<lambda>|^lambda\$|\{closure|^\?$|^<anonymous>$")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one frame is by its names alone."""

    owner: Owner
    place: Place | None  # None for what has no name: a lambda, a comprehension, a module's body, generated code
    module: str
    is_lambda: bool
    generated: bool


@lru_cache(maxsize=20_000)
def _facts(module: str, filename: str, abs_path: str, function: str, in_app: bool | None) -> _Facts:
    path = abs_path or filename
    generated = filename.startswith("<")
    short = _last_part(module, filename or abs_path)
    is_lambda = _LAMBDA.search(function) is not None
    return _Facts(owner(module, path, in_app), _place(short, path, function, generated), short, is_lambda, generated)


def _place(module: str, path: str, function: str, generated: bool) -> Place | None:
    name = plain_function(function)
    if not name or (generated and name.startswith("__")):
        return None
    if _TEMPLATE.match(function):
        return None if generated else Place(_base(path), name)
    return Place(module, name)


_TEMPLATE: Final = re.compile(r"top-level template code$|block ['\"]|macro ['\"]|template$")


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
