"""Past: what the store knows about a fault before an event, for the diagnosis. Remembered until the next write."""

from __future__ import annotations

from dataclasses import replace

import apsw

from fivehundred.console.store.schema import number, rows
from fivehundred.diagnosis.model import History
from fivehundred.event import Event

near_s = 300.0  # "the same minutes"
day_s = 86_400.0


class Past:
    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._known: dict[tuple[str, str], History] = {}

    def forget(self) -> None:
        self._known.clear()

    def history(self, project: str, key: str, event: Event) -> History:
        known = self._known.get((project, key))
        if known is None:
            known = self._known[project, key] = self._load(project, key, event.timestamp)
        if event.release and event.release not in known.releases:
            return replace(known, releases=(*known.releases, event.release))
        return known

    def _load(self, project: str, key: str, at: float) -> History:
        newest_release, all_hosts = self._newest_release(project), self._hosts(project, at)
        sql = "SELECT fault FROM fault_key WHERE project = ? AND key = ? AND groups = 1"
        fault = number(self._db, sql, (project, key))
        if fault is None:
            others = self._others(project, -1, at)
            return History(newest_release=newest_release, all_hosts=all_hosts, others_now=others)
        events, first_seen = rows(self._db, "SELECT events, first_seen FROM fault WHERE id = ?", (fault,))[0]
        return History(
            events=events,
            first_seen=first_seen,
            releases=self._values(fault, "release"),
            hosts=self._values(fault, "host"),
            routes=self._values(fault, "route"),
            others_now=self._others(project, fault, at),
            newest_release=newest_release,
            all_hosts=all_hosts,
        )

    def _newest_release(self, project: str) -> str:
        sql = "SELECT value FROM project_value WHERE project = ? AND name = 'release' ORDER BY first_seen DESC LIMIT 1"
        found = rows(self._db, sql, (project,))
        return found[0][0] if found else ""

    def _hosts(self, project: str, at: float) -> int:
        sql = "SELECT count(*) FROM project_value WHERE project = ? AND name = 'host' AND last_seen > ?"
        return number(self._db, sql, (project, at - day_s)) or 0

    def _values(self, fault: int, name: str) -> tuple[str, ...]:
        sql = "SELECT value FROM fault_value WHERE fault = ? AND name = ? ORDER BY first_seen LIMIT 20"
        return tuple(row[0] for row in rows(self._db, sql, (fault, name)))

    def _others(self, project: str, fault: int, at: float) -> tuple[str, ...]:
        sql = (
            "SELECT title FROM fault WHERE project = ? AND last_seen BETWEEN ? AND ? AND id <> ?"
            " ORDER BY last_seen DESC LIMIT 5"
        )
        return tuple(row[0] for row in rows(self._db, sql, (project, at - near_s, at + near_s, fault)))
