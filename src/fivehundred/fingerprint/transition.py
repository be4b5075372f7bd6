"""A change of the algorithm splits no fault: for a time every event has the keys of the version before as well.

What a project has learned holds the current version's memory, and during a transition the older one's beside it. The
store finds a fault by the new key, else by the old one, and then it knows both. ``before`` is None while there has been
one version only; whoever changes the algorithm puts a frozen copy of the old one there, and takes it away a release
later. Both run meanwhile, so that grouping costs twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from fivehundred.event import Event, Json
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.model import Fingerprint
from fivehundred.fingerprint.rule import fingerprint


class Former(Protocol):
    """What a project had learned under the older version: it gives that version's keys."""

    def fingerprint(self, event: Event) -> Fingerprint: ...

    def to_json(self) -> dict[str, Json]: ...


class Older(Protocol):
    """An older version of the algorithm, as it was."""

    @property
    def version(self) -> int: ...

    def load(self, raw: dict[str, Json]) -> Former:
        """``raw`` is what its own memory wrote; an empty dict is a project that it never saw."""
        ...


before: Final[Older | None] = None


class Learned:
    """What grouping has learned of one project; one per project, used by one thread."""

    def __init__(self, memory: Memory, former: Former | None = None) -> None:
        self.memory = memory
        self.former = former

    @classmethod
    def from_json(cls, raw: dict[str, Json], older: Older | None = before) -> Learned:
        """What ``to_json`` of this version or of the one before made."""
        if older is None:
            return cls(Memory.from_json(raw))
        if raw.get("version") == older.version:
            return cls(Memory(), older.load(raw))
        beside = raw.get("older")
        return cls(Memory.from_json(raw), older.load(beside if isinstance(beside, dict) else {}))

    def to_json(self) -> dict[str, Json]:
        found = self.memory.to_json()
        return found if self.former is None else {**found, "older": self.former.to_json()}

    def fingerprint(self, event: Event) -> Fingerprint:
        """Teaches the memory, as ``rule.fingerprint`` does."""
        found = fingerprint(event, self.memory)
        return found if self.former is None else replace(found, older=self.former.fingerprint(event).keys)
