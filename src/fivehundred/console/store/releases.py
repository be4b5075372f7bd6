"""The desk of releases and routes: what began where, counted from the faults themselves. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database, Value

listed_max: Final = 100
_hours: Final = 24


@dataclass(frozen=True, slots=True)
class Release:
    """One release of one project, as the events name it."""

    project: str
    name: str
    events: int
    first_seen: float
    last_seen: float
    new_faults: int  # that were first seen in it
    open_faults: int  # of those, still open


@dataclass(frozen=True, slots=True)
class Compared:
    """One release beside the one before it, by cause: events."""

    cause: str
    events: int
    before: int


@dataclass(frozen=True, slots=True)
class Route:
    """One route of one project, over all its faults."""

    project: str
    method: str
    route: str
    faults: int
    open_faults: int
    events: int
    last_seen: float | None  # None: it never failed


class Releases:
    def __init__(self, database: Database) -> None:
        self._db = database

    def releases(self, project: str | None, *, limit: int = listed_max) -> list[Release]:
        """The newest first, by when each was first seen."""
        where, values = ("v.project = ? AND ", [project]) if project is not None else ("", [])
        sql = (
            "SELECT v.project, v.value, v.events, v.first_seen, v.last_seen FROM project_value v"  # noqa: S608
            f" WHERE {where}v.name = 'release' ORDER BY v.first_seen DESC, v.value DESC LIMIT ?"
        )
        found = self._db.rows(sql, (*values, limit))
        begun = self._begun([(row[0], row[1]) for row in found])
        return [
            Release(of, name, events, first, last, *begun.get((of, name), (0, 0)))
            for of, name, events, first, last in found
        ]

    def release(self, project: str, name: str) -> tuple[Release, Release | None]:
        """The release, and the one before it. Raises NotFound."""
        found = self.releases(project)
        at = next((n for n, release in enumerate(found) if release.name == name), None)
        if at is None:
            raise NotFound(f"project {project[:20]} has no release {name[:80]!r}")
        return found[at], found[at + 1] if at + 1 < len(found) else None

    def by_cause(self, release: Release, before: Release | None) -> list[Compared]:
        now = self._causes(release)
        then = self._causes(before) if before else {}
        return [
            Compared(cause, now.get(cause, 0), then.get(cause, 0))
            for cause in sorted({*now, *then}, key=lambda c: -now.get(c, 0))
        ]

    def fixed_in(self, release: Release) -> list[int]:
        """Numbers of the faults that somebody resolved in it."""
        sql = (
            "SELECT t.fault FROM triage t JOIN fault f ON f.id = t.fault"
            " WHERE t.resolved_in = ? AND t.resolved_next = 0 AND f.project = ? ORDER BY t.fault LIMIT 50"
        )
        return [row[0] for row in self._db.rows(sql, (release.name, release.project))]

    def _causes(self, release: Release) -> dict[str, int]:
        sql = (
            "SELECT f.cause, sum(v.events) FROM fault f JOIN fault_value v ON v.fault = f.id"
            " AND v.name = 'release' AND v.value = ? WHERE f.project = ? GROUP BY f.cause"
        )
        return {cause: int(events) for cause, events in self._db.rows(sql, (release.name, release.project))}

    def _begun(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
        """(project, release) -> faults first seen in it, and how many of them are open."""
        projects = sorted({project for project, _ in names})
        if not projects:
            return {}
        sql = (
            "SELECT project, first_release, count(*), sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END) FROM fault"  # noqa: S608
            f" WHERE project IN ({', '.join('?' * len(projects))}) AND first_release <> ''"
            " GROUP BY project, first_release"
        )
        return {(p, name): (int(all_), int(open_)) for p, name, all_, open_ in self._db.rows(sql, projects)}


class Routes:
    def __init__(self, database: Database) -> None:
        self._db = database

    def routes(self, project: str | None, *, limit: int = listed_max) -> list[Route]:
        """Those that failed last come first."""
        where, values = (" AND project = ?", [project]) if project is not None else ("", [])
        return self._read(f"route <> ''{where}", values, limit)

    def route(self, project: str, method: str, route: str) -> Route:
        """Raises NotFound."""
        found = self._read("project = ? AND method = ? AND route = ?", [project, method, route], 1)
        if not found:
            raise NotFound(f"no fault was seen at {method[:32]} {route[:120]}")
        return found[0]

    def trend(self, route: Route, *, now: float) -> tuple[int, ...]:
        """Events an hour, 24 of them, the last one is now."""
        last = int(now // 3600)
        sql = (
            "SELECT h.hour, sum(h.events) FROM fault f JOIN fault_hour h ON h.fault = f.id"
            " AND h.hour > ? AND h.hour <= ? WHERE f.project = ? AND f.method = ? AND f.route = ? GROUP BY h.hour"
        )
        hours = [0] * _hours
        for hour, events in self._db.rows(sql, (last - _hours, last, route.project, route.method, route.route)):
            hours[_hours - 1 - (last - hour)] = int(events)
        return tuple(hours)

    def faults(self, route: Route, *, limit: int = 50) -> list[int]:
        """Numbers of its faults, the most events first."""
        sql = "SELECT id FROM fault WHERE project = ? AND method = ? AND route = ? ORDER BY events DESC, id LIMIT ?"
        return [row[0] for row in self._db.rows(sql, (route.project, route.method, route.route, limit))]

    def _read(self, where: str, values: Sequence[Value], limit: int) -> list[Route]:
        sql = (
            "SELECT project, method, route, count(*), sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END), sum(events),"  # noqa: S608
            f" max(last_seen) FROM fault WHERE {where} GROUP BY project, method, route"
            " ORDER BY max(last_seen) DESC LIMIT ?"
        )
        return [
            Route(p, method, route, int(faults), int(open_), int(events), last)
            for p, method, route, faults, open_, events, last in self._db.rows(sql, (*values, limit))
        ]
