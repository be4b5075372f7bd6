"""Past: what the store knows about a fault before an event, this batch included. Remembered until the next write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fivehundred.console.store.database import Database
from fivehundred.console.store.delta import route_of
from fivehundred.console.store.sampling import keeps
from fivehundred.diagnosis.model import History
from fivehundred.event import Event

near_s = 300.0  # "the same minutes"
day_s = 86_400.0
values_max = 20  # of releases, hosts, routes that a diagnosis is told of


@dataclass(slots=True)
class _Known:
    """One key of the batch in hand."""

    fault: int | None  # None: no fault has it yet
    arrived: dict[int, int] = field(default_factory=dict)  # hour -> events, those of this batch included
    history: History | None = None


class Past:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[tuple[str, str], _Known] = {}
        self._newest: dict[str, str] = {}  # project -> its newest release

    def forget(self) -> None:
        self._known.clear()
        self._newest.clear()

    def wants(self, project: str, key: str, received_at: float, *, pressed: bool = False) -> bool:
        """Counts the event as one more of its key; whether the sampling will keep its payload."""
        known, hour = self._of(project, key), int(received_at // 3600)
        arrived = known.arrived.get(hour)
        if arrived is None:
            sql = "SELECT arrived FROM fault_hour WHERE fault = ? AND hour = ?"
            arrived = 0 if known.fault is None else self._db.number(sql, (known.fault, hour)) or 0
        known.arrived[hour] = arrived + 1
        return keeps(arrived + 1, pressed=pressed)

    def history(self, project: str, key: str, event: Event) -> History:
        """Before this event; asked for the next one of the batch, this one is part of it."""
        known = self._of(project, key)
        found = known.history or self._load(project, known.fault, event.timestamp)
        if event.release and event.release not in found.releases:
            found = replace(found, releases=(*found.releases, event.release))
        known.history = _with(found, event)
        return found

    def _of(self, project: str, key: str) -> _Known:
        known = self._known.get((project, key))
        if known is None:
            sql = "SELECT fault FROM fault_key WHERE project = ? AND key = ? AND groups = 1"
            known = self._known[project, key] = _Known(self._db.number(sql, (project, key)))
        return known

    def _load(self, project: str, fault: int | None, at: float) -> History:
        newest_release, all_hosts = self._newest_release(project), self._hosts(project, at)
        if fault is None:
            others = self._others(project, -1, at)
            return History(newest_release=newest_release, all_hosts=all_hosts, others_now=others)
        seen_with = self._values(fault)
        events, first_seen = self._db.rows("SELECT events, first_seen FROM fault WHERE id = ?", (fault,))[0]
        return History(
            events=events,
            first_seen=first_seen,
            releases=seen_with["release"],
            hosts=seen_with["host"],
            routes=seen_with["route"],
            others_now=self._others(project, fault, at),
            newest_release=newest_release,
            all_hosts=all_hosts,
        )

    def _newest_release(self, project: str) -> str:
        known = self._newest.get(project)
        if known is None:
            found = self._db.rows(_NEWEST_RELEASE, (project,))
            known = self._newest[project] = found[0][0] if found else ""
        return known

    def _hosts(self, project: str, at: float) -> int:
        sql = "SELECT count(*) FROM project_value WHERE project = ? AND name = 'host' AND last_seen > ?"
        return self._db.number(sql, (project, at - day_s)) or 0

    def _values(self, fault: int) -> dict[str, tuple[str, ...]]:
        """Of releases, hosts and routes each, the oldest first."""
        sql = (
            "SELECT name, value FROM fault_value WHERE fault = ? AND name IN ('release', 'host', 'route')"
            " ORDER BY first_seen"
        )
        found: dict[str, list[str]] = {"release": [], "host": [], "route": []}
        for name, value in self._db.rows(sql, (fault,)):
            if len(found[name]) < values_max:
                found[name].append(value)
        return {name: tuple(values) for name, values in found.items()}

    def _others(self, project: str, fault: int, at: float) -> tuple[str, ...]:
        sql = (
            "SELECT title FROM fault WHERE project = ? AND last_seen BETWEEN ? AND ? AND id <> ?"
            " ORDER BY last_seen DESC LIMIT 5"
        )
        return tuple(row[0] for row in self._db.rows(sql, (project, at - near_s, at + near_s, fault)))


_NEWEST_RELEASE = (
    "SELECT value FROM project_value WHERE project = ? AND name = 'release' ORDER BY first_seen DESC LIMIT 1"
)


def _with(before: History, event: Event) -> History:
    """The history with one event more."""
    first = event.timestamp if before.first_seen is None else min(before.first_seen, event.timestamp)
    method = event.request.method if event.request else ""
    return replace(
        before,
        events=before.events + 1,
        first_seen=first,
        hosts=_and(before.hosts, event.server_name),
        routes=_and(before.routes, route_of(event, method)),
    )


def _and(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return values if not value or value in values or len(values) >= values_max else (*values, value)
