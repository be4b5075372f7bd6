"""Scenario: one failure to be provoked, and what must, and must not, be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fivehundred.diagnosis.model import Cause, Transient

Play = Callable[..., object]


class Skip(Exception):
    """The scenario cannot be played here; the text says why."""


@dataclass(frozen=True, slots=True)
class Scenario:
    id: str
    cause: Cause
    transient: Transient
    evidence: str  # a regular expression that must be found in the evidence of a Guard's event: the decisive fact
    play: Play  # takes a Stage
    twins: tuple[str, ...] = ()  # causes or rules that must not be concluded
    needs: str = ""  # "pg", "redis", "mysql", "root"
    alone: bool = False  # in a process of its own: it uses something up
    ways: tuple[str, ...] = ()  # empty: all


catalogue: dict[str, Scenario] = {}


def scenario(
    name: str,
    cause: Cause,
    transient: Transient,
    evidence: str,
    *twins: str,
    needs: str = "",
    alone: bool = False,
    ways: tuple[str, ...] = (),
) -> Callable[[Play], Play]:
    """Puts a function into the catalogue."""

    def put(play: Play) -> Play:
        if name in catalogue:
            raise ValueError(f"two scenarios are called {name}")
        catalogue[name] = Scenario(name, cause, transient, evidence, play, twins, needs, alone, ways)
        return play

    return put
