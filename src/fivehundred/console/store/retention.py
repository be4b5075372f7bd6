"""Retention: what is deleted, and in which order: by age, by count, by size on disk. In steps of a few milliseconds.

Each step is one transaction, so that pages and the digest never wait long. Files of payloads are unlinked whole. What
must stay of an old file is moved to the newest one first: the newest payloads of every fault, so that two faults with
nearly all of the events do not push out those of the others. Counts of a fault stay until the fault itself is too old.
What a project keeps less than the installation is in ``retention_rules``, how it is kept to in ``retention_projects``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fivehundred import limits
from fivehundred.console.store.base import Retention
from fivehundred.console.store.bodies import Bodies, Place
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.retention_payloads import Payloads, floors
from fivehundred.console.store.retention_projects import ProjectKeeper
from fivehundred.console.store.retention_rules import RetentionRules

_of_fault = (
    "imported", "fault_words", "triage", "comment", "fault_key", "fault_value", "fault_user", "fault_hour", "change",
)  # fmt: skip
_fault_of = " AND fault IN (SELECT id FROM fault WHERE project = ?)"
_round_s = 3600.0  # between two searches for what is too old or too many


@dataclass(slots=True)
class _Victim:
    """The oldest file of payloads, while it is being emptied."""

    segment: int
    floor: int


@dataclass(frozen=True, slots=True)
class _Old:
    """Before when something is too old: for all, and sooner for projects that say so."""

    most: float
    sooner: Mapping[str, float]

    def bounds(self) -> list[tuple[str | None, float]]:
        return [(None, self.most), *self.sooner.items()]

    def before(self, project: str) -> float:
        return self.sooner.get(project, self.most)


class Keeper:
    """Knows where it is in its rounds; all it decides by stands in the database."""

    def __init__(self, db: Database, bodies: Bodies, used: Callable[[], int], give_back: Callable[[], None]) -> None:
        self._db = db
        self._payloads = Payloads(db, bodies)
        self._projects = ProjectKeeper(db, self._payloads)
        self._used = used  # bytes on disk
        self._give_back = give_back  # to the disk, what deleted rows have left free
        self._victim: _Victim | None = None
        self._swept = b""  # the last event id looked at in this round; empty: no round is under way
        self._forgotten_before = 0.0  # ids of counted events older than this are forgotten to save space
        self._next_round_at = 0.0

    def step(self, rules: Retention, *, now: float, busy: bool) -> bool:
        """One small step; True when there is more to do. While the digest is busy only the disk matters."""
        if self._used() > rules.disk_bytes_max - limits.body_segment_bytes_max:
            if self._free(rules, now):
                return True
        elif self._victim is not None:
            self._victim = None  # enough is free; what was moved is moved
        return self._projects.step(now) or (not busy and self._round(rules, now))

    # ---- by size

    def _free(self, rules: Retention, now: float) -> bool:
        if self._payloads.unlink_empty() or self._evict(now):
            return True
        self._give_back()
        return self._forget_ids(rules, now)

    def _evict(self, now: float) -> bool:
        """Empties the oldest file by one step: its events are deleted, or moved to the newest file."""
        if self._victim is None:
            oldest = self._db.rows("SELECT id, bytes FROM segment ORDER BY id LIMIT 2")
            if len(oldest) < 2:
                return False
            self._victim = _Victim(oldest[0][0], self._floor_for(*oldest[0]))
        with self._db.transaction():
            sql = 'SELECT id, fault, "offset", length FROM event WHERE segment = ? LIMIT ?'
            found = self._db.rows(sql, (self._victim.segment, limits.retention_rows_max))
            stay = [row for row in found if self._payloads.stays(row[0], row[1], self._victim.floor)]
            self._payloads.move([(row[0], Place(self._victim.segment, *row[2:])) for row in stay], now)
            staying = {row[0] for row in stay}
            self._payloads.delete([row[0] for row in found if row[0] not in staying])
        if len(found) < limits.retention_rows_max:
            self._victim = None
            self._payloads.unlink_empty()
        return True

    def _floor_for(self, segment: int, size: int) -> int:
        """How many of the newest payloads of each fault stay, so that at least half of the file is freed."""
        found = self._db.rows("SELECT id, fault, length FROM event WHERE segment = ?", (segment,))
        for floor in floors:
            if sum(length for event, fault, length in found if self._payloads.stays(event, fault, floor)) <= size / 2:
                return floor
        return 0

    def _forget_ids(self, rules: Retention, now: float) -> bool:
        """The payloads are not what fills the disk: forget the ids of the oldest events that are only counted."""
        if self._swept:
            return self._sweep(self._old(rules, now))
        hours = self._db.rows("SELECT hour, sum(events) FROM project_hour WHERE hour >= ? GROUP BY hour ORDER BY hour",
                     (int(self._forgotten_before // 3600),))  # fmt: skip
        share, total = 0, sum(events for _, events in hours)
        for hour, events in hours[:-1]:
            share += events
            if share >= total / 10:
                self._forgotten_before = (hour + 1) * 3600.0
                return self._sweep(self._old(rules, now))
        return False

    # ---- by age and count

    def _round(self, rules: Retention, now: float) -> bool:
        """What is too old or too many; looked for once an hour."""
        if now < self._next_round_at:
            return False
        if self._next_round_at == 0.0:
            self._payloads.unlink_strays()
        old = self._old(rules, now)
        if any(self._expire_events(*bound) for bound in old.bounds()) or self._payloads.unlink_empty() or self._thin():
            return True
        if (
            any(self._expire_faults(*bound) for bound in old.bounds())
            or self._sweep(old)
            or self._payloads.compact(now)
        ):
            return True
        self._next_round_at = now + _round_s
        with self._db.transaction():
            for bound in old.bounds():
                self._forget(*bound)
        self._give_back()
        return False

    def _old(self, rules: Retention, now: float) -> _Old:
        sooner = {p: now - r.days * 86_400.0 for p, r in RetentionRules(self._db).all().items() if r.days is not None}
        most = now - rules.days * 86_400.0
        return _Old(most, {project: at for project, at in sooner.items() if at > most})

    def _forget(self, project: str | None, too_old: float) -> None:
        where, values = _of(project)
        hour, fault_of = int(too_old // 3600), "" if project is None else _fault_of
        for condition, bound in (
            (f"project_hour WHERE hour < ?{where}", hour),
            (f"fault_hour WHERE hour < ?{fault_of}", hour),
            (f"project_value WHERE last_seen < ?{where}", too_old),
            (f"malformed WHERE received_at < ?{where}", too_old),
            (f"feedback WHERE received_at < ?{where}", too_old),
        ):
            self._db.execute(f"DELETE FROM {condition}", (bound, *values))  # noqa: S608 - our own names

    def _expire_events(self, project: str | None, too_old: float) -> bool:
        """Rows stand in the order of arrival, so the oldest are the first."""
        where, values = _of(project)
        sql = f"SELECT id, received_at FROM event WHERE id > 0{where} ORDER BY id LIMIT ?"  # noqa: S608 - our own names
        first = self._db.rows(sql, (*values, limits.retention_rows_max))
        expired = [event for event, received_at in first if received_at < too_old]
        if expired:
            with self._db.transaction():
                self._payloads.delete(expired)
        return bool(expired)

    def _thin(self) -> bool:
        """Of a fault with more payloads than anybody reads, the oldest."""
        sql = "SELECT fault, count(*) FROM event GROUP BY fault HAVING count(*) > ? LIMIT 1"
        found = self._db.rows(sql, (limits.payloads_a_fault_max,))
        for fault, count in found:
            surplus = min(count - limits.payloads_a_fault_max, limits.retention_rows_max)
            with self._db.transaction():
                oldest = "SELECT id FROM event WHERE fault = ? ORDER BY id LIMIT ?"
                self._payloads.delete([row[0] for row in self._db.rows(oldest, (fault, surplus))])
        return bool(found)

    def _expire_faults(self, project: str | None, too_old: float) -> bool:
        where, values = _of(project)
        empty = "NOT EXISTS (SELECT 1 FROM event e WHERE e.fault = f.id)"
        sql = f"SELECT id, project FROM fault f WHERE last_seen < ? AND {empty}{where} LIMIT 20"  # noqa: S608 - ours
        found = self._db.rows(sql, (too_old, *values))
        with self._db.transaction():
            self._db.lock({project for _, project in found})
            for fault, _ in found:
                if self._db.number("SELECT 1 FROM fault WHERE id = ? AND last_seen < ?", (fault, too_old)) is None:
                    continue  # it came back in this moment
                for table in _of_fault:
                    self._db.execute(f"DELETE FROM {table} WHERE fault = ?", (fault,))  # noqa: S608 - our own names
                self._db.execute("DELETE FROM fault WHERE id = ?", (fault,))
            if found:
                self._db.changed()
        return bool(found)

    def _sweep(self, old: _Old) -> bool:
        """Some more ids of events; those that are too old are forgotten, unless their payload is kept."""
        sql = "SELECT event_id, project, timestamp, event FROM seen WHERE event_id > ? ORDER BY event_id LIMIT ?"
        found = self._db.rows(sql, (self._swept, limits.sweep_rows_max))
        with self._db.transaction():
            self._db.many(
                "DELETE FROM seen WHERE event_id = ? AND project = ?",
                [
                    (event_id, project)
                    for event_id, project, at, event in found
                    if event is None and at < max(old.before(project), self._forgotten_before)
                ],
            )
        self._swept = found[-1][0] if len(found) == limits.sweep_rows_max else b""
        return bool(self._swept)


def _of(project: str | None) -> tuple[str, tuple[Value, ...]]:
    return ("", ()) if project is None else (" AND project = ?", (project,))
