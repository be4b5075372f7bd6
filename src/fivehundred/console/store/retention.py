"""Retention: what is deleted, and in which order: by age, by count, by size on disk. In steps of a few milliseconds.

Each step is one transaction, so that pages and the digest never wait long. Files of payloads are unlinked whole. What
must stay of an old file is moved to the newest one first: the newest payloads of every fault, so that two faults with
nearly all of the events do not push out those of the others. Counts of a fault stay until the fault itself is too old.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import Retention
from fivehundred.console.store.bodies import Bodies, Place
from fivehundred.console.store.database import Database

# newest payloads of a fault that stay; the first that frees half
_floors: Final = (limits.payloads_a_fault_min, 30, 10, 3, 1, 0)
_of_fault = (
    "imported", "fault_words", "triage", "comment", "fault_key", "fault_value", "fault_user", "fault_hour", "change",
)  # fmt: skip
_round_s = 3600.0  # between two searches for what is too old or too many


@dataclass(slots=True)
class _Victim:
    """The oldest file of payloads, while it is being emptied."""

    segment: int
    floor: int


class Keeper:
    """Knows where it is in its rounds; all it decides by stands in the database."""

    def __init__(self, db: Database, bodies: Bodies, used: Callable[[], int], give_back: Callable[[], None]) -> None:
        self._db = db
        self._bodies = bodies
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
        return not busy and self._round(rules, now)

    # ---- by size

    def _free(self, rules: Retention, now: float) -> bool:
        if self._unlink_empty() or self._evict(now):
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
            stay = [row for row in found if self._stays(row[0], row[1], self._victim.floor)]
            self._move([(row[0], Place(self._victim.segment, *row[2:])) for row in stay], now)
            staying = {row[0] for row in stay}
            self._delete([row[0] for row in found if row[0] not in staying])
        if len(found) < limits.retention_rows_max:
            self._victim = None
            self._unlink_empty()
        return True

    def _floor_for(self, segment: int, size: int) -> int:
        """How many of the newest payloads of each fault stay, so that at least half of the file is freed."""
        found = self._db.rows("SELECT id, fault, length FROM event WHERE segment = ?", (segment,))
        for floor in _floors:
            if sum(length for event, fault, length in found if self._stays(event, fault, floor)) <= size / 2:
                return floor
        return 0

    def _stays(self, event: int, fault: int, floor: int) -> bool:
        if floor == 0:
            return False
        newer = "SELECT count(*) FROM (SELECT 1 FROM event WHERE fault = ? AND id > ? LIMIT ?) AS newer"
        return (self._db.number(newer, (fault, event, floor)) or 0) < floor

    def _move(self, events: list[tuple[int, Place]], now: float) -> None:
        """Within a transaction, like what the digest appends."""
        if not events:
            return
        segment, start = self._bodies.start()
        at = start
        for event, old in events:
            try:
                data = self._bodies.read(old)
            except OSError:  # the file is gone or cannot be read: there is nothing to keep
                self._delete([event])
                continue
            place = self._bodies.append(segment, at, data)
            at += place.length
            self._db.execute('UPDATE event SET segment = ?, "offset" = ? WHERE id = ?', (segment, place.offset, event))
        self._bodies.sync()
        self._db.execute(
            "UPDATE segment SET bytes = bytes + ?, events = events + ?, newest_at = ? WHERE id = ?",
            (at - start, len(events), now, segment),
        )

    def _forget_ids(self, rules: Retention, now: float) -> bool:
        """The payloads are not what fills the disk: forget the ids of the oldest events that are only counted."""
        if self._swept:
            return self._sweep(now - rules.days * 86_400.0)
        hours = self._db.rows("SELECT hour, sum(events) FROM project_hour WHERE hour >= ? GROUP BY hour ORDER BY hour",
                     (int(self._forgotten_before // 3600),))  # fmt: skip
        share, total = 0, sum(events for _, events in hours)
        for hour, events in hours[:-1]:
            share += events
            if share >= total / 10:
                self._forgotten_before = (hour + 1) * 3600.0
                return self._sweep(now - rules.days * 86_400.0)
        return False

    # ---- by age and count

    def _round(self, rules: Retention, now: float) -> bool:
        """What is too old or too many; looked for once an hour."""
        if now < self._next_round_at:
            return False
        if self._next_round_at == 0.0:
            self._unlink_strays()
        too_old = now - rules.days * 86_400.0
        if self._expire_events(too_old) or self._unlink_empty() or self._thin():
            return True
        if self._expire_faults(too_old) or self._sweep(too_old):
            return True
        self._next_round_at = now + _round_s
        with self._db.transaction():
            self._db.execute("DELETE FROM project_hour WHERE hour < ?", (int(too_old // 3600),))
            self._db.execute("DELETE FROM fault_hour WHERE hour < ?", (int(too_old // 3600),))
            self._db.execute("DELETE FROM project_value WHERE last_seen < ?", (too_old,))
            self._db.execute("DELETE FROM malformed WHERE received_at < ?", (too_old,))
            self._db.execute("DELETE FROM feedback WHERE received_at < ?", (too_old,))
        self._give_back()
        return False

    def _expire_events(self, too_old: float) -> bool:
        """Rows stand in the order of arrival, so the oldest are the first."""
        first = self._db.rows("SELECT id, received_at FROM event ORDER BY id LIMIT ?", (limits.retention_rows_max,))
        expired = [event for event, received_at in first if received_at < too_old]
        if expired:
            with self._db.transaction():
                self._delete(expired)
        return bool(expired)

    def _thin(self) -> bool:
        """Of a fault with more payloads than anybody reads, the oldest."""
        sql = "SELECT fault, count(*) FROM event GROUP BY fault HAVING count(*) > ? LIMIT 1"
        found = self._db.rows(sql, (limits.payloads_a_fault_max,))
        for fault, count in found:
            surplus = min(count - limits.payloads_a_fault_max, limits.retention_rows_max)
            with self._db.transaction():
                oldest = "SELECT id FROM event WHERE fault = ? ORDER BY id LIMIT ?"
                self._delete([row[0] for row in self._db.rows(oldest, (fault, surplus))])
        return bool(found)

    def _expire_faults(self, too_old: float) -> bool:
        sql = (
            "SELECT f.id, f.project FROM fault f WHERE f.last_seen < ?"
            " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.fault = f.id) LIMIT 20"
        )
        found = self._db.rows(sql, (too_old,))
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

    def _sweep(self, too_old: float) -> bool:
        """Some more ids of events; those that are too old are forgotten, unless their payload is kept."""
        before = max(too_old, self._forgotten_before)
        sql = "SELECT event_id, project, timestamp, event FROM seen WHERE event_id > ? ORDER BY event_id LIMIT ?"
        found = self._db.rows(sql, (self._swept, limits.sweep_rows_max))
        with self._db.transaction():
            self._db.many(
                "DELETE FROM seen WHERE event_id = ? AND project = ?",
                [(event_id, project) for event_id, project, at, event in found if event is None and at < before],
            )
        self._swept = found[-1][0] if len(found) == limits.sweep_rows_max else b""
        return bool(self._swept)

    # ---- both

    def _delete(self, events: list[int]) -> None:
        """The payloads of events; that they were counted stays known. Within a transaction."""
        for event in events:
            sql = "DELETE FROM event WHERE id = ? RETURNING event_id, project"
            for event_id, project in self._db.rows(sql, (event,)):
                self._db.execute("UPDATE seen SET event = NULL WHERE event_id = ? AND project = ?", (event_id, project))
        if events:
            self._db.changed()

    def _unlink_empty(self) -> bool:
        """Files that no event needs any more, but for the one that is appended to. The row goes first."""
        sql = (
            "SELECT id FROM segment WHERE id < (SELECT max(id) FROM segment)"
            " AND NOT EXISTS (SELECT 1 FROM event WHERE segment = segment.id) LIMIT 100"
        )
        found = [row[0] for row in self._db.rows(sql)]
        if found:
            with self._db.transaction():
                self._db.many("DELETE FROM segment WHERE id = ?", [(segment,) for segment in found])
        for segment in found:
            self._bodies.unlink(segment)
        return bool(found)

    def _unlink_strays(self) -> None:
        """Files whose row was deleted by a process that then ended before it could unlink them."""
        known = {row[0] for row in self._db.rows("SELECT id FROM segment")}
        newest = max(known, default=0)
        for segment in self._bodies.numbers():
            if segment < newest and segment not in known:
                self._bodies.unlink(segment)
