"""Search among kept events: by who the user was, tag, release, host, time, and by words anywhere in the payload.

The columns of an event are compared by the database. Tags and words stand in payloads alone, so those of the events
that are left are read, the newest first, for as long as ``limits.event_search_s_max``: then what was found so far is
the answer, with a cursor to go on by and how far back it has looked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fivehundred import limits
from fivehundred.console.store.base import BadCursor, EventSummary
from fivehundred.console.store.bodies import Bodies, BodyError, Place
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.dictionaries import Dictionaries

_rows_at_once: Final = 500
_ids_at_once: Final = 50_000  # of events that the database looks through in one statement
_COLUMNS: Final[Mapping[str, str]] = {
    "user": 'e."user"', "release": "e.release", "environment": "e.environment", "host": "e.host",
    "method": "e.method", "sdk": "e.sdk",
}  # fmt: skip
_EVENT: Final = (
    "e.event_id, e.fault, e.project, e.timestamp, e.received_at, f.title, e.message, e.release, e.environment,"
    ' e.host, e.method, e.url, e."user", e.sdk'
)
columns: Final = tuple(_COLUMNS)


@dataclass(frozen=True, slots=True)
class EventQuery:
    projects: tuple[str, ...] | None = None  # those that whoever asks may see; None: all
    fault: int | None = None
    having: tuple[tuple[str, str], ...] = ()  # (one of ``columns``, its value)
    without: tuple[tuple[str, str], ...] = ()  # the same, another value
    tags: tuple[tuple[str, str], ...] = ()
    url: str = ""  # a part of it
    words: tuple[str, ...] = ()  # each of them somewhere in title, message, URL or payload
    since: float | None = None  # when it happened, by the sender's clock
    until: float | None = None
    cursor: str = ""
    limit: int = 40


@dataclass(frozen=True, slots=True)
class EventsFound:
    events: tuple[EventSummary, ...]
    next: str  # cursor, empty at the end
    read: int  # payloads that were read for it
    back_to: float | None  # when the oldest event that was looked at arrived; None: all were


class EventSearch:
    def __init__(self, database: Database, bodies: Bodies, dictionaries: Dictionaries) -> None:
        self._db = database
        self._bodies = bodies
        self._dictionaries = dictionaries

    def find(self, query: EventQuery) -> EventsFound:
        """Raises BadCursor."""
        deadline = time.monotonic() + limits.event_search_s_max
        where, values = _conditions(query)
        limit = max(1, min(query.limit, limits.page_rows_max))
        below, read, found = self._first(query), 0, list[EventSummary]()
        reads = bool(query.tags or query.words)
        while below > 1:
            low = max(1, below - _ids_at_once)
            rows = self._rows(where, values, low, below)
            for row in rows:
                below = row[0]
                read += reads
                if self._fits(query, row):
                    found.append(_summary(row[5:]))
                if len(found) == limit or (reads and time.monotonic() > deadline):
                    more = self._arrived(below) is not None
                    return EventsFound(tuple(found), str(below) if more else "", read, float(row[9]) if more else None)
            if len(rows) < _rows_at_once:
                below = low
            if time.monotonic() > deadline and below > 1:
                return EventsFound(tuple(found), str(below), read, self._arrived(below))
            if query.since is not None and (self._arrived(below) or 0.0) < query.since:
                break  # nothing arrives before it happens
        return EventsFound(tuple(found), "", read, None)

    def _first(self, query: EventQuery) -> int:
        if not query.cursor:
            return (self._db.number("SELECT max(id) FROM event") or 0) + 1
        if not (query.cursor.isascii() and query.cursor.isdecimal() and len(query.cursor) < 19):
            raise BadCursor("the cursor is none of this list; start again without one")
        return int(query.cursor)

    def _rows(self, where: str, values: Sequence[Value], low: int, below: int) -> list[tuple[Any, ...]]:
        sql = (
            f'SELECT e.id, e.segment, e."offset", e.length, e.dictionary, {_EVENT} FROM event e'  # noqa: S608
            f" JOIN fault f ON f.id = e.fault WHERE e.id >= ? AND e.id < ?{where} ORDER BY e.id DESC LIMIT ?"
        )
        return self._db.rows(sql, (low, below, *values, _rows_at_once))

    def _arrived(self, below: int) -> float | None:
        found = self._db.rows("SELECT received_at FROM event WHERE id < ? ORDER BY id DESC LIMIT 1", (below,))
        return float(found[0][0]) if found else None

    def _fits(self, query: EventQuery, row: tuple[Any, ...]) -> bool:
        """What the columns cannot say."""
        if not (query.tags or query.words):
            return True
        _, segment, offset, length, dictionary, *summary = row
        shown = " ".join(str(summary[n]) for n in (5, 6, 11)).casefold()
        left = [word for word in query.words if word not in shown]
        if not (left or query.tags):
            return True
        try:
            payload = self._dictionaries.unpack(dictionary, self._bodies.read(Place(segment, offset, length))).event
        except (OSError, BodyError):
            return False  # nobody can read it
        if left:
            text = payload.decode("utf-8", "replace").casefold()
            if not all(word in text or json.dumps(word)[1:-1] in text for word in left):
                return False
        return not query.tags or _has(payload, query.tags)


def _conditions(query: EventQuery) -> tuple[str, list[Value]]:
    where, values = list[str](), list[Value]()
    if query.projects is not None:
        where.append(f"e.project IN ({', '.join('?' * len(query.projects))})" if query.projects else "1 = 0")
        values += query.projects
    if query.fault is not None:
        where.append("e.fault = ?")
        values.append(query.fault)
    for sign, pairs in (("=", query.having), ("<>", query.without)):
        for name, value in pairs:
            joined = "OR" if sign == "=" else "AND"  # SQLite's lower() knows ASCII alone
            where.append(f"({_COLUMNS[name]} {sign} ? {joined} lower({_COLUMNS[name]}) {sign} ?)")
            values += [value, value.lower()]
    for pair in query.tags:  # "…" stands for values that were too many to be counted apart
        where.append("e.fault IN (SELECT fault FROM fault_value WHERE name = ? AND value IN (?, '…'))")
        values += pair
    if query.url:
        where.append("lower(e.url) LIKE ? ESCAPE '!'")
        escaped = query.url.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values.append(f"%{escaped}%")
    for condition, at in (("e.timestamp >= ?", query.since), ("e.timestamp < ?", query.until)):
        if at is not None:
            where.append(condition)
            values.append(at)
    return "".join(f" AND {one}" for one in where), values


def _has(payload: bytes, wanted: Sequence[tuple[str, str]]) -> bool:
    try:
        tags = msgspec.json.decode(payload).get("tags")
    except (msgspec.DecodeError, AttributeError):
        return False
    pairs = tags.items() if isinstance(tags, dict) else [t for t in tags or () if isinstance(t, list) and len(t) == 2]
    there = {(str(name), str(value)) for name, value in pairs}
    return all(pair in there for pair in wanted)


def _summary(row: tuple[Any, ...]) -> EventSummary:
    return EventSummary(*(bytes(row[0]).hex(), *row[1:], True))
