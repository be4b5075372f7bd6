"""Retention by project: how many payloads, and how many bytes of them, one project may keep. In small steps.

The oldest go first, but the newest of every fault stay as long as others can go: a loud fault does not push out the
quiet ones of its project. Counts of faults are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fivehundred import limits
from fivehundred.console.store.database import Database
from fivehundred.console.store.retention_payloads import Payloads, floors
from fivehundred.console.store.retention_rules import ProjectRetention, RetentionRules

_look_s: Final = 5.0  # between two looks at how much there is
_count_s: Final = 3600.0  # between two counts of everything; in between what has come and gone is added up
_trust_s: Final = 600.0  # how old a count may be by which something is deleted


@dataclass(slots=True)
class _Kept:
    """What a project keeps, as far as it is known."""

    counted_at: float
    newest: int = 0
    events: int = 0
    bytes: int = 0

    def is_over(self, rule: ProjectRetention) -> bool:
        return (rule.events is not None and self.events > rule.events) or (
            rule.bytes_max is not None and self.bytes > rule.bytes_max
        )


@dataclass(slots=True)
class _Task:
    """A project that is over its bound, while it is brought below. Remembered: the next time it goes on from there."""

    project: str
    rule: ProjectRetention
    floor: int
    made_at: float
    after: int = 0  # the last event looked at


class ProjectKeeper:
    def __init__(self, db: Database, payloads: Payloads) -> None:
        self._db = db
        self._payloads = payloads
        self._kept: dict[str, _Kept] = {}
        self._task: _Task | None = None
        self._tasks: dict[str, _Task] = {}
        self._next_look_at = 0.0

    def step(self, now: float) -> bool:
        """One small step; True when there is more to do."""
        if self._task is None and now >= self._next_look_at:
            self._look(now)
        if self._task is None:
            return False
        self._evict(self._task)
        return True

    def _look(self, now: float) -> None:
        self._next_look_at = now + _look_s
        rules = RetentionRules(self._db).all()
        self._kept = {project: kept for project, kept in self._kept.items() if project in rules}
        self._settle()
        for project, rule in rules.items():
            if rule.events is None and rule.bytes_max is None:
                continue
            kept = self._kept.get(project)
            if kept is None or now - kept.counted_at > _count_s:
                kept = self._kept[project] = _Kept(now)
            if self._added(project, kept).is_over(rule) and now - kept.counted_at > _trust_s:
                kept = self._kept[project] = self._added(project, _Kept(now))  # another process may have erased some
            if kept.is_over(rule):
                self._task = self._task_of(project, rule, now)
                self._next_look_at = now
                return

    def _settle(self) -> None:
        """What was deleted since the last time, here or by age, number or size of all."""
        for project, (events, size) in self._payloads.gone.items():
            if kept := self._kept.get(project):
                kept.events, kept.bytes = kept.events - events, kept.bytes - size
        self._payloads.gone.clear()

    def _task_of(self, project: str, rule: ProjectRetention, now: float) -> _Task:
        """To find the floor all of the project's events are looked at: not again each time that a few are too many."""
        task = self._tasks.get(project)
        if task is None or task.rule != rule or now - task.made_at > _count_s:
            task = self._tasks[project] = _Task(project, rule, self._floor_for(project, rule), now)
        return task

    def _added(self, project: str, kept: _Kept) -> _Kept:
        sql = "SELECT max(id), count(*), sum(length) FROM event WHERE project = ? AND id > ?"
        for newest, events, size in self._db.rows(sql, (project, kept.newest)):
            if events:
                kept.newest, kept.events, kept.bytes = newest, kept.events + events, kept.bytes + int(size)
        return kept

    def _floor_for(self, project: str, rule: ProjectRetention) -> int:
        """How many of the newest payloads of each fault may stay."""
        newest = (
            "SELECT length, row_number() OVER (PARTITION BY fault ORDER BY id DESC) AS age FROM event WHERE project = ?"
        )
        sql = f"SELECT count(*), coalesce(sum(length), 0) FROM ({newest}) AS newest WHERE age <= ?"  # noqa: S608 - ours
        for floor in floors:
            for events, size in self._db.rows(sql, (project, floor)):
                if not _Kept(0.0, 0, events, int(size)).is_over(rule):
                    return floor
        return 0

    def _evict(self, task: _Task) -> None:
        self._settle()
        left, gone = replace(self._kept[task.project]), list[int]()
        with self._db.transaction():
            sql = "SELECT id, fault, length FROM event WHERE project = ? AND id > ? ORDER BY id LIMIT ?"
            found = self._db.rows(sql, (task.project, task.after, limits.retention_rows_max))
            for event, fault, length in found:
                if not left.is_over(task.rule):
                    break
                task.after = event
                if not self._payloads.stays(event, fault, task.floor):
                    gone.append(event)
                    left.events, left.bytes = left.events - 1, left.bytes - length
            self._payloads.delete(gone)
        if not left.is_over(task.rule):
            self._task = None
        elif len(found) < limits.retention_rows_max:  # looked at all: fewer may stay of each fault
            self._task = None
            del self._tasks[task.project]
