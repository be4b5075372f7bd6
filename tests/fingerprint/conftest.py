"""A small world to group in: applications written to disk, imported, really failing, captured in plain wire form."""

from __future__ import annotations

import importlib.util
import linecache
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, TracebackType

import pytest

from fivehundred.event import Event, Json, parse
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint


@dataclass
class World:
    """One project. ``app`` loads a version of the application, ``fault`` is what the Console files an event under."""

    folder: Path
    memory: Memory = field(default_factory=Memory)
    faults: dict[str, int] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)

    def app(self, name: str, source: str, *, version: str = "1", root: str = "srv") -> ModuleType:
        """A module of the application; ``root`` is where it is installed, as in "venv/lib/python3.11/site-packages"."""
        path = self.folder / version / root / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        self.loaded.append(name)
        spec.loader.exec_module(module)
        return module

    def event(self, call: Callable[..., object], *args: object, release: str = "1", source: bool = True) -> Event:
        try:
            call(*args)
        except BaseException as exc:
            return parse({**wire(exc, source), "release": release}, received_at=1.8e9)
        raise AssertionError("this was to fail")

    def file(self, event: Event) -> int:
        """The fault of an event, found as the Store finds it."""
        fp = fingerprint(event, self.memory)
        known = self.faults.get(fp.primary.value)
        if known is None and fp.continues:
            known = self.faults.get(fp.continues)
        fault = len(set(self.faults.values())) + 1 if known is None else known
        self.faults[fp.primary.value] = fault
        return fault

    def fault(self, call: Callable[..., object], *args: object, release: str = "1", source: bool = True) -> int:
        return self.file(self.event(call, *args, release=release, source=source))

    def sent(self, exceptions: list[Json], **more: Json) -> int:
        """The fault of an event that another SDK sent."""
        return self.file(parse({"exception": {"values": exceptions}, "release": "1", **more}, received_at=1.8e9))


def wire(exc: BaseException, source: bool = True) -> dict[str, Json]:
    chain: list[BaseException] = []
    at: BaseException | None = exc
    while at is not None:
        chain.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return {"platform": "python", "exception": {"values": [_exception(x, source) for x in reversed(chain)]}}


def _exception(exc: BaseException, source: bool) -> Json:
    kind = type(exc)
    found: dict[str, Json] = {
        "type": kind.__name__,
        "module": None if kind.__module__ == "builtins" else kind.__module__,
        "value": str(exc),
        "stacktrace": {"frames": _frames(exc.__traceback__, source)},
    }
    if isinstance(exc, OSError) and exc.errno:
        found["mechanism"] = {"type": "generic", "meta": {"errno": {"number": exc.errno}}}
    return found


def _frames(tb: TracebackType | None, source: bool) -> list[Json]:
    found: list[Json] = []
    for frame, lineno in traceback.walk_tb(tb):
        code = frame.f_code
        if code.co_filename == __file__:
            continue
        line = linecache.getline(code.co_filename, lineno, frame.f_globals).strip() if source else ""
        found.append(
            {
                "filename": Path(code.co_filename).name if "/" in code.co_filename else code.co_filename,
                "abs_path": code.co_filename,
                "module": frame.f_globals.get("__name__"),
                "function": code.co_name,
                "lineno": lineno,
                "context_line": line or None,
            }
        )
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for name in made.loaded:
        sys.modules.pop(name, None)
    linecache.clearcache()
