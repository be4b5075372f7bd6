"""The desk of the rates: requests that went well, by route and minute, as Guards report them.

Without them a count of failures has no denominator. Counts are of one Console minute each, whatever the sender's clock
says; methods and routes are the sender's words, so they are bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fivehundred import limits
from fivehundred.console.store.database import Database, Value, among

_minute_s: Final = 60.0
_day_s: Final = 86_400.0
others: Final = "…"
value_names: Final = ("method", "release", "host", "environment")


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests of one route and method."""

    route: str
    method: str
    good: int  # 1xx to 3xx
    refused: int  # 4xx
    failed: int  # 5xx


@dataclass(frozen=True, slots=True)
class RateReport:
    """What one Guard counted in about a minute."""

    project: str
    received_at: float
    release: str
    environment: str
    host: str
    counts: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """A route over a span of time."""

    project: str
    route: str
    method: str
    good: int
    refused: int
    failed: int

    @property
    def requests(self) -> int:
        return self.good + self.refused + self.failed

    @property
    def share_failed(self) -> float:
        return self.failed / self.requests if self.requests else 0.0


class Rates:
    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, reports: Sequence[RateReport]) -> None:
        """Inside the transaction of a batch."""
        if not reports:
            return
        self._db.lock({f"rates {report.project}" for report in reports})
        known = self._routes({report.project for report in reports})
        minutes: dict[tuple[str, int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        values: dict[tuple[str, int, str, str, str], int] = defaultdict(int)
        for report in reports:
            minute, day = int(report.received_at // _minute_s), int(report.received_at // _day_s)
            for one in report.counts:
                route = _room(known[report.project], one.route)
                row = minutes[report.project, minute, route, one.method]
                row[0], row[1], row[2] = row[0] + one.good, row[1] + one.refused, row[2] + one.failed
                told = {"method": one.method, "release": report.release}
                for name, value in {**told, "host": report.host, "environment": report.environment}.items():
                    if value and one.good:
                        values[report.project, day, route, name, value] += one.good
        self._db.many(
            "INSERT INTO rate (project, minute, route, method, good, refused, failed) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project, minute, route, method) DO UPDATE SET good = rate.good + excluded.good,"
            " refused = rate.refused + excluded.refused, failed = rate.failed + excluded.failed",
            [(*key, *row) for key, row in sorted(minutes.items())],
        )
        self._db.many(
            "INSERT INTO rate_value (project, day, route, name, value, good) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project, day, route, name, value) DO UPDATE SET good = rate_value.good + excluded.good",
            [(*key, good) for key, good in sorted(values.items())],
        )

    def forget(self, *, now: float) -> None:
        """What is older than it is kept."""
        since = now - limits.rates_days * _day_s
        self._db.execute("DELETE FROM rate WHERE minute < ?", (int(since // _minute_s),))
        self._db.execute("DELETE FROM rate_value WHERE day < ?", (int(since // _day_s),))

    def _routes(self, projects: Iterable[str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        sql = "SELECT DISTINCT project, route FROM rate_value WHERE project IN ({keys})"
        for project, route in among(self._db, sql, [(p,) for p in sorted(projects)]):
            found[project].add(route)
        return found

    # ---- pages and API

    def rates(self, project: str | None, *, since: float, until: float, route: str | None = None) -> list[Rate]:
        """By route and method, those with the most failures first."""
        where, values = "minute BETWEEN ? AND ?", list[Value]([int(since // _minute_s), int(until // _minute_s)])
        for name, value in (("project", project), ("route", route)):
            if value is not None:
                where, values = f"{where} AND {name} = ?", [*values, value]
        sql = (
            "SELECT project, route, method, sum(good), sum(refused), sum(failed) FROM rate"  # noqa: S608 - our own names
            f" WHERE {where} GROUP BY project, route, method"
            " ORDER BY sum(failed) DESC, sum(good) DESC, route, method LIMIT ?"
        )
        return [Rate(*row) for row in self._db.rows(sql, [*values, limits.page_rows_max])]

    def by_minute(self, project: str, route: str | None, *, since: float, until: float) -> list[tuple[int, int, int]]:
        """(minute, requests, failed), of minutes that had any."""
        where = "" if route is None else " AND route = ?"
        sql = (
            "SELECT minute, sum(good + refused + failed), sum(failed) FROM rate WHERE project = ?"  # noqa: S608 - ours
            f" AND minute BETWEEN ? AND ?{where} GROUP BY minute ORDER BY minute"
        )
        values: list[Value] = [project, int(since // _minute_s), int(until // _minute_s)]
        return [(m, r, f) for m, r, f in self._db.rows(sql, [*values, route] if route is not None else values)]

    def good_by(self, project: str, route: str, *, since: float, until: float) -> dict[str, dict[str, int]]:
        """What the good requests of a route were served with: name -> value -> requests."""
        sql = (
            "SELECT name, value, sum(good) FROM rate_value WHERE project = ? AND route = ? AND day BETWEEN ? AND ?"
            " GROUP BY name, value"
        )
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for name, value, good in self._db.rows(sql, (project, route, int(since // _day_s), int(until // _day_s))):
            found[name][value] = good
        return found


def _room(known: set[str], route: str) -> str:
    if route in known or len(known) < limits.rates_routes_max:
        known.add(route)
        return route
    return others
