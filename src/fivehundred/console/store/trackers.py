"""The desk of issue trackers, and of the issues that faults are linked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database, Value

links_a_fault_max: Final = 20


@dataclass(frozen=True, slots=True)
class Tracker:
    id: int
    name: str
    kind: str
    url: str  # of the service: "https://api.github.com", "https://gitlab.example.com", "https://example.atlassian.net"
    target: str  # "owner/repository", "group/project", "KEY"
    account: str  # whose token it is, where the service wants to know
    sealed: str


@dataclass(frozen=True, slots=True)
class IssueLink:
    id: int
    fault: int
    tracker: int  # 0: linked by its address alone
    title: str  # "#12", "SHOP-7"
    url: str
    linked_at: float
    linked_by: str


class Trackers:
    def __init__(self, database: Database) -> None:
        self._db = database

    def trackers(self) -> list[Tracker]:
        return [Tracker(*row) for row in self._db.rows(f"{_TRACKER} WHERE deleted_at IS NULL ORDER BY id")]

    def tracker(self, tracker: int) -> Tracker:
        """Raises NotFound."""
        found = self._db.rows(f"{_TRACKER} WHERE deleted_at IS NULL AND id = ?", (tracker,))
        if not found:
            raise NotFound(f"there is no tracker {tracker}")
        return Tracker(*found[0])

    def add(self, made: Tracker, *, now: float) -> int:
        """``made.id`` is ignored."""
        row: dict[str, Value] = {
            "name": made.name,
            "kind": made.kind,
            "url": made.url,
            "target": made.target,
            "account": made.account,
            "sealed": made.sealed,
            "created_at": now,
        }
        with self._db.transaction():
            found = self._db.insert("tracker", row)
            self._db.changed()
        return found

    def remove(self, tracker: int, *, now: float) -> None:
        """Links that were made stay. Raises NotFound."""
        self.tracker(tracker)
        with self._db.transaction():
            self._db.execute("UPDATE tracker SET deleted_at = ?, sealed = '' WHERE id = ?", (now, tracker))
            self._db.changed()

    def link(self, fault: int, tracker: int, title: str, url: str, *, by: str, now: float) -> bool:
        """False when the fault has that link already, or as many as it may have."""
        with self._db.transaction():
            known = self._db.number("SELECT count(*) FROM issue_link WHERE fault = ?", (fault,)) or 0
            if known >= links_a_fault_max:
                return False
            made = self._db.execute(
                "INSERT INTO issue_link (fault, tracker, title, url, linked_at, linked_by) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (fault, url) DO NOTHING",
                (fault, tracker, title, url, now, by),
            )
            self._db.changed()
        return made == 1

    def unlink(self, fault: int, link: int) -> None:
        with self._db.transaction():
            self._db.execute("DELETE FROM issue_link WHERE fault = ? AND id = ?", (fault, link))
            self._db.changed()

    def links(self, fault: int) -> list[IssueLink]:
        sql = "SELECT id, fault, tracker, title, url, linked_at, linked_by FROM issue_link WHERE fault = ? ORDER BY id"
        return [IssueLink(*row) for row in self._db.rows(sql, (fault,))]


_TRACKER: Final = "SELECT id, name, kind, url, target, account, sealed FROM tracker"
