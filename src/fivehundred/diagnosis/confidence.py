"""How sure a diagnosis is, by one rule: what was seen, and from how many sides.

certain: a decisive fact and a second one, seen elsewhere. likely: decisive alone, or two strong ones from two sides.
possible: one strong fact, or weak ones. Class, code, text and stack of one chain of exceptions are one observation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fivehundred.diagnosis.model import Confidence, Fact

# Everything that the exception itself brings: it cannot confirm itself.
_of_exception: Final = frozenset(
    {"errno", "sqlstate", "mysql", "sqlite", "class", "message", "reply", "frame", "chain", "import", "peer", "schema"}
)


def origin(fact: Fact) -> str:
    """From which side a fact was seen."""
    if fact.kind == "env":  # read off the failing code, or noted by the Guard
        return "environment" if fact.source.startswith("contexts.") else "exception"
    return "exception" if fact.kind in _of_exception else fact.kind


def confidence(facts: Iterable[Fact]) -> Confidence:
    facts = list(facts)
    sides = {origin(fact) for fact in facts if fact.strength != "weak"}
    if any(fact.strength == "decisive" for fact in facts):
        return "certain" if len(sides) > 1 else "likely"
    strong = [fact for fact in facts if fact.strength == "strong"]
    kinds = {fact.kind for fact in strong}
    return "likely" if len(sides) > 1 or len(kinds) > 1 else "possible"
