"""Events that are counted: read as far as grouping and counting look, and what many of them share is made once.

Of the events of an application most have the same tags, contexts and stacks, and those of one fault often the same
exceptions to the letter. Each of these is looked up by what the sender wrote, and scrubbed and typed when it is new.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import Final

from fivehundred import limits
from fivehundred.event import Event, Frame, Json, parse
from fivehundred.fingerprint.chain import Chain
from fivehundred.scrub import scrub

Frames = list[Json]

# Of an outline's members those that hardly differ between the events of an application.
_stable: Final = (
    "level", "platform", "logger", "server_name", "release", "dist", "environment", "fingerprint", "tags", "contexts",
    "sdk", "type",
)  # fmt: skip


class Outlines:
    """Remembers within bounds."""

    def __init__(self) -> None:
        self._frames: dict[bytes, Frame] = {}
        self._stacks: dict[bytes, list[Frame]] = {}
        self._chains: dict[tuple[bytes, tuple[int, ...]], Chain] = {}
        self._stable: dict[bytes, Event] = {}
        self._size = 0

    def read(self, outline: dict[str, Json], typed: Callable[[dict[str, Json]], Event]) -> Event:
        """The typed event of an outline; ``typed`` makes one of what is left of it, scrubbed."""
        rest = dict(outline)
        stable = self._stable_of({name: rest.pop(name) for name in _stable if name in rest})
        exception = rest.get("exception")
        values = exception.get("values") if isinstance(exception, dict) else None
        if isinstance(values, list):
            del rest["exception"]
        event = typed(scrub(rest))
        event.level, event.platform, event.logger = stable.level, stable.platform, stable.logger
        event.server_name, event.release, event.dist = stable.server_name, stable.release, stable.dist
        event.environment, event.fingerprint, event.sdk = stable.environment, stable.fingerprint, stable.sdk
        event.tags, event.contexts, event.type = dict(stable.tags), stable.contexts, stable.type
        if isinstance(values, list):
            event.exceptions = self._chain([x for x in values if isinstance(x, dict)][-limits.exceptions_max :])
        return event

    def _stable_of(self, raw: dict[str, Json]) -> Event:
        image = marshal.dumps(raw, 2)  # equal only for what is equal in kind as well
        found = self._stable.get(image)
        if found is None:
            found = parse(scrub(raw), received_at=0.0)
            self._make_room(2 * len(image))
            self._stable[image] = found
        return found

    def _chain(self, values: list[dict[str, Json]]) -> Chain:
        stacks = [self._stack(_frames_of(x)) for x in values]
        bare = [{name: part for name, part in x.items() if name != "stacktrace"} for x in values]
        key = marshal.dumps(bare, 2), tuple([id(stack) for stack in stacks])  # the chain keeps its stacks alive
        found = self._chains.get(key)
        if found is None:
            found = Chain(parse(scrub({"exception": {"values": [*bare]}}), received_at=0.0).exceptions)
            for x, stack in zip(found, stacks, strict=True):
                x.frames = stack
            self._make_room(3 * len(key[0]))
            self._chains[key] = found
        return found

    def _stack(self, raw: Frames) -> list[Frame]:
        image = marshal.dumps(raw, 2)
        found = self._stacks.get(image)
        if found is None:
            found = [self._frame(one) for one in _bounded(raw)]
            self._make_room(len(image) + 10 * len(found))
            self._stacks[image] = found
        return found

    def _frame(self, raw: Json) -> Frame:
        image = marshal.dumps(raw, 2)
        found = self._frames.get(image)
        if found is None:
            found = parse(scrub({"stacktrace": [raw]}), received_at=0.0).frames[0]
            self._make_room(2 * len(image))
            self._frames[image] = found
        return found

    def _make_room(self, size: int) -> None:
        if self._size > limits.outlines_remembered_bytes_max:
            self._size = 0
            for held in (self._frames, self._stacks, self._chains, self._stable):
                held.clear()
        self._size += size + _overhead_bytes


_overhead_bytes: Final = 1_000  # of what is typed beside its texts


def _frames_of(exception: dict[str, Json]) -> Frames:
    """The form of an outline is known."""
    stack = exception.get("stacktrace")
    frames = stack.get("frames") if isinstance(stack, dict) else None
    return frames if isinstance(frames, list) else []


def _bounded(frames: Frames) -> Frames:
    """Both ends of a long stack, as the parser does it."""
    found: Frames = [raw for raw in frames if raw is not None]
    half = limits.frames_max // 2
    return found if len(found) <= limits.frames_max else found[:half] + found[-half:]
