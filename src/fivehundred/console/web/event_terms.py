"""The search line of events: text and ``name:value`` terms to an EventQuery. Asks no store: projects come as values.

As in ``search``: what cannot be understood is said, with what to type instead, and the rest of the line still works.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import Project
from fivehundred.console.store.event_search import EventQuery
from fivehundred.event import clean

examples: Final = {
    "user": "user:ada@example.com",
    "tag": "tag:region=eu",
    "release": "release:2.4.0",
    "env": "env:production",
    "host": "host:web-1",
    "method": "method:POST",
    "sdk": "sdk:sentry.python/2.20.0",
    "url": "url:/orders/4711",
    "project": "project:shop",
    "fault": "fault:12",
    "after": "after:2026-11-20",
    "before": "before:2026-11-20T14:30",
    "within": "within:24h",
}
terms: Final = tuple(examples)
_exact: Final = {"env": "environment", **{name: name for name in ("user", "release", "host", "method", "sdk")}}
_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_TOKEN: Final = re.compile(
    rf"""(?P<minus>-?)(?P<name>{"|".join(terms)}|[a-z_]{{2,20}}(?=:(?![/\d]))):(?P<value>"[^"]*"|\S*)"""
    r"""|"(?P<quoted>[^"]*)"?|(?P<word>\S+)""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class EventLine:
    query: EventQuery
    problems: tuple[str, ...] = ()


def parse(line: str, projects: Sequence[Project], *, now: float | None = None) -> EventLine:
    """Never raises: a term that makes no sense is named in ``problems`` and left out."""
    found, at = EventLine(EventQuery()), time.time() if now is None else now
    for match in _TOKEN.finditer(clean(line)[: limits.search_chars_max].strip()):
        if match["name"]:
            name, value = match["name"].lower(), match["value"].strip('"')
            found = _term(found, bool(match["minus"]), name, value, projects, at)
        elif word := match["quoted"] or match["word"]:
            found = replace(found, query=replace(found.query, words=(*found.query.words, word.casefold())))
    return found


def _term(found: EventLine, minus: bool, name: str, value: str, projects: Sequence[Project], now: float) -> EventLine:
    if name not in terms:
        known = ", ".join(f"{term}:" for term in terms)
        return _problem(found, f"There is no term {name}: (there are {known}). To search for the text, quote it.")
    if not value:
        return _problem(found, f"{name}: needs a value, as in {examples[name]}.")
    if minus and name not in _exact:
        return _problem(found, f"-{name}: cannot be turned around; what can is {', '.join(_exact)}.")
    if name in _exact:
        return _column(found, minus, (_exact[name], value))
    if name == "project":
        return _project(found, value, projects)
    if name in ("after", "before", "within"):
        return _timed(found, name, value, now)
    return _of_event(found, name, value)


def _column(found: EventLine, minus: bool, pair: tuple[str, str]) -> EventLine:
    query = found.query
    if minus:
        return replace(found, query=replace(query, without=(*query.without, pair)))
    return replace(found, query=replace(query, having=(*query.having, pair)))


def _of_event(found: EventLine, name: str, value: str) -> EventLine:
    query = found.query
    if name == "url":
        return replace(found, query=replace(query, url=value))
    if name == "fault":
        number = value.removeprefix("#")
        if not re.fullmatch(r"[0-9]{1,15}", number):
            return _problem(found, f"fault:{value} is no number; write {examples['fault']}.")
        return replace(found, query=replace(query, fault=int(number)))
    key, equals, rest = value.partition("=")
    if not (key and equals and rest):
        return _problem(found, f"tag:{value} is no tag with a value; write {examples['tag']}.")
    return replace(found, query=replace(query, tags=(*query.tags, (key, rest))))


def _project(found: EventLine, value: str, projects: Sequence[Project]) -> EventLine:
    known = next((p.id for p in projects if value in (p.id, p.name) or value.lower() == p.name.lower()), None)
    if known is None:
        there = ", ".join(p.name for p in projects[:12])
        return _problem(found, f"project:{value} is not known; there are {there}.")
    return replace(found, query=replace(found.query, projects=(known,)))


def _timed(found: EventLine, name: str, value: str, now: float) -> EventLine:
    query = found.query
    if name == "within":
        span = re.fullmatch(r"<?([0-9]{1,4})([mhdw])", value.lower())
        if span is None:
            return _problem(found, f"within:{value} is no span of time; write {examples['within']} (m, h, d or w).")
        return replace(found, query=replace(query, since=now - int(span[1]) * _UNITS[span[2]]))
    try:
        at = datetime.fromisoformat(value)
        moment = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _problem(found, f"{name}:{value} is no time; write {examples[name]}, in UTC unless it says otherwise.")
    more = replace(query, since=moment) if name == "after" else replace(query, until=moment)
    return replace(found, query=more)


def _problem(found: EventLine, sentence: str) -> EventLine:
    return replace(found, problems=(*found.problems, sentence))
