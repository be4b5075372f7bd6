"""The desk of the inbound filters: events that fit are dropped before anything of them is stored, and counted.

Evaluated in the digest: the sender has its 200 long since, so nothing is retried. What was dropped stands under Losses
with the filter's own words as the reason, and beside the filter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.patterns import fits, pattern_chars_max
from fivehundred.console.store.triage import TriageRefused
from fivehundred.event import Event

FilterKind: TypeAlias = Literal["message", "type", "release", "environment", "url", "bot"]
filter_kinds: Final[tuple[FilterKind, ...]] = get_args(FilterKind)
filters_max: Final = 200


@dataclass(frozen=True, slots=True)
class InboundFilter:
    id: int
    project: str  # empty: all
    kind: FilterKind
    pattern: str
    enabled: bool = True
    dropped: int = 0
    dropped_at: float | None = None

    @property
    def reason(self) -> str:
        """Under which what it drops is counted."""
        return f"filter: {self.kind} {self.pattern}"


class Filters:
    def __init__(self, database: Database) -> None:
        self._db = database

    def filters(self, *, enabled_only: bool = False) -> list[InboundFilter]:
        where = " WHERE enabled = 1" if enabled_only else ""
        sql = f"SELECT id, project, kind, pattern, enabled, dropped, dropped_at FROM inbound_filter{where} ORDER BY id"  # noqa: S608
        found = self._db.rows(sql)
        return [InboundFilter(n, p, k, pattern, bool(on), *rest) for n, p, k, pattern, on, *rest in found]

    def add(self, project: str, kind: str, pattern: str) -> int:
        """Raises TriageRefused for a filter that is none, or that would drop everything."""
        known = next((k for k in filter_kinds if k == kind), None)
        pattern = pattern.replace("\0", "").strip()
        if known is None:
            raise TriageRefused(f"a filter looks at one of {', '.join(filter_kinds)}, not at {kind[:40]!r}")
        if not pattern or len(pattern) > pattern_chars_max:
            raise TriageRefused(f"a pattern has 1 to {pattern_chars_max} characters, as in *connection reset*")
        if not pattern.strip("*?"):
            raise TriageRefused(f"the pattern {pattern!r} would drop every event; say which ones")
        with self._db.transaction():
            if (self._db.number("SELECT count(*) FROM inbound_filter") or 0) >= filters_max:
                raise TriageRefused(f"there are {filters_max} filters already; remove one first")
            row: dict[str, Value] = {"project": project, "kind": known, "pattern": pattern, "enabled": 1}
            number = self._db.insert("inbound_filter", row)
            self._db.changed()
        return number

    def enable(self, found: int, enabled: bool) -> None:
        """Raises NotFound."""
        self._one("UPDATE inbound_filter SET enabled = ? WHERE id = ?", (int(enabled), found), found)

    def remove(self, found: int) -> None:
        """Raises NotFound."""
        self._one("DELETE FROM inbound_filter WHERE id = ?", (found,), found)

    def count(self, dropped: Mapping[int, int], *, now: float) -> None:
        """Inside the transaction of the batch: how many events each filter dropped."""
        for number, events in dropped.items():
            self._db.execute(
                "UPDATE inbound_filter SET dropped = dropped + ?, dropped_at = ? WHERE id = ?", (events, now, number)
            )

    def _one(self, sql: str, values: tuple[int, ...], number: int) -> None:
        with self._db.transaction():
            if not self._db.execute(sql, values):
                raise NotFound(f"there is no filter {number}")
            self._db.changed()


class Sieve:
    """The filters as the digest uses them: read again every few seconds, their counts gathered for the next batch."""

    def __init__(self, database: Database) -> None:
        self._desk = Filters(database)
        self._filters: Sequence[InboundFilter] = ()
        self._next_at = 0.0
        self._dropped: Counter[int] = Counter()

    def holds_back(self, project: str, event: Event) -> InboundFilter | None:
        """The filter that drops the event."""
        found = filtered_by(self._current(), project, event)
        if found is not None:
            self._dropped[found.id] += 1
        return found

    def reads_headers(self) -> bool:
        return any(found.kind == "bot" for found in self._current())

    def save(self, *, now: float) -> None:
        """Inside the transaction of the batch."""
        self._desk.count(self._dropped, now=now)

    def forget(self) -> None:
        """The batch was written, or failed."""
        self._dropped.clear()

    def _current(self) -> Sequence[InboundFilter]:
        now = time.monotonic()
        if now >= self._next_at:
            self._filters, self._next_at = self._desk.filters(enabled_only=True), now + _read_again_s
        return self._filters


_read_again_s: Final = 2.0


def filtered_by(filters: Sequence[InboundFilter], project: str, event: Event) -> InboundFilter | None:
    """The first filter that fits."""
    return next((f for f in filters if f.project in ("", project) and filter_fits(f, event)), None)


def filter_fits(found: InboundFilter, event: Event) -> bool:
    return any(fits(found.pattern, value) for value in _values(found.kind, event) if value)


def _values(kind: FilterKind, event: Event) -> list[str]:
    if kind == "message":
        return [event.message, *(x.value for x in event.exceptions)]
    if kind == "type":
        return [x.type for x in event.exceptions]
    if kind == "release":
        return [event.release]
    if kind == "environment":
        return [event.environment]
    request = event.request
    if request is None:
        return []
    if kind == "url":
        return [request.url]
    return [value for name, value in request.headers.items() if name.casefold() == "user-agent"]
