"""What narrows a list of faults beyond its own columns, as conditions over the table ``fault``. Portable SQL."""

from __future__ import annotations

import math
from typing import Final

from fivehundred.console.store.base import FaultQuery
from fivehundred.console.store.database import Value
from fivehundred.console.store.delta import half_life_s

# of events in the last hours, each user counting as five; what they weigh falls by half every six hours
high_weight: Final = 50.0
medium_weight: Final = 5.0

_HAS: Final = "EXISTS (SELECT 1 FROM fault_value v WHERE v.fault = fault.id AND v.name = ? AND v.value = ?)"
_TRIAGE: Final = "EXISTS (SELECT 1 FROM triage t WHERE t.fault = fault.id AND {})"


def conditions(query: FaultQuery, *, now: float) -> tuple[list[str], list[Value]]:
    """To be joined by AND, and the values of their marks in order."""
    where, values = list[str](), list[Value]()
    if query.projects is not None:
        where.append(f"project IN ({', '.join('?' * len(query.projects))})" if query.projects else "1 = 0")
        values += query.projects
    for name, value in (("release", query.release), ("environment", query.environment), *query.having):
        if value:
            where.append(_HAS)
            values += [name, value]
    for name, value in query.without:
        if name == "cause":
            where.append("cause <> ?")
            values.append(value)
        else:
            where.append(f"NOT {_HAS}")
            values += [name, value]
    for column, least in (("events", query.events_min), ("users", query.users_min)):
        if least:
            where.append(f"{column} >= ?")
            values.append(least)
    for column, span_s in (("first_seen", query.first_within_s), ("last_seen", query.last_within_s)):
        if span_s is not None:
            where.append(f"{column} >= ?")
            values.append(now - span_s)
    for more, theirs in (_review(query), _owners(query), _priority(query, now)):
        where += more
        values += theirs
    return where, values


def _review(query: FaultQuery) -> tuple[list[str], list[Value]]:
    """New, or came back, and nobody has looked at it since."""
    looked = "t.reviewed_at IS NOT NULL AND t.reviewed_at >= COALESCE(fault.regressed_at, 0)"
    return (["state = 'open'", f"NOT {_TRIAGE.format(looked)}"], []) if query.review else ([], [])


def _owners(query: FaultQuery) -> tuple[list[str], list[Value]]:
    if query.owners is None:
        return [], []
    if not query.owners:
        return [f"NOT {_TRIAGE.format(_owned)}"], []
    marks = ", ".join("?" * len(query.owners))
    return [_TRIAGE.format(f"lower(t.owner) IN ({marks})")], [owner.lower() for owner in query.owners]


_owned: Final = "t.owner <> ''"


def _priority(query: FaultQuery, now: float) -> tuple[list[str], list[Value]]:
    """What a person set, else what the impact says."""
    if not query.priority:
        return [], []
    low, high = {"high": (high_weight, math.inf), "medium": (medium_weight, high_weight), "low": (0, medium_weight)}[
        query.priority
    ]
    by_impact, values = [f"NOT {_TRIAGE.format(_set)}"], list[Value]()
    for sign, weight in ((">=", low), ("<", high)):
        if 0 < weight < math.inf:
            by_impact.append(f"impact {sign} ?")
            values.append(now / half_life_s + math.log2(weight))
    said = _TRIAGE.format("t.priority = ?")
    return [f"({said} OR ({' AND '.join(by_impact)}))"], [query.priority, *values]


_set: Final = "t.priority <> ''"


def priority_of(impact: float, now: float) -> str:
    """What the impact of a fault says of how urgent it is."""
    weight = impact - now / half_life_s
    return "high" if weight >= math.log2(high_weight) else "medium" if weight >= math.log2(medium_weight) else "low"
