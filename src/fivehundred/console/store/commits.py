"""The desk of the repositories: where the source of a project lies, and which commits were found for a fault."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database


@dataclass(frozen=True, slots=True)
class Commit:
    """One that may have brought a fault."""

    id: str
    author: str
    at: float
    summary: str
    reason: str  # why it is suspected
    strength: int  # 1 to 3


@dataclass(frozen=True, slots=True)
class Suspects:
    commits: tuple[Commit, ...]
    file: str  # in the repository
    note: str  # what could not be told, and why; empty when all could


class Commits:
    def __init__(self, database: Database) -> None:
        self._db = database

    def repository(self, project: str) -> str:
        """Empty: none was named."""
        found = self._db.rows("SELECT path FROM repository WHERE project = ?", (project,))
        return str(found[0][0]) if found else ""

    def set_repository(self, project: str, path: str) -> None:
        """An empty path takes it away. What was found in another one is forgotten. Raises NotFound."""
        if not self._db.rows("SELECT 1 FROM project WHERE id = ?", (project,)):
            raise NotFound(f"there is no project {project}")
        with self._db.transaction():
            self._db.execute("DELETE FROM repository WHERE project = ?", (project,))
            if path:
                self._db.insert("repository", {"project": project, "path": path})
            self._db.execute("DELETE FROM suspect WHERE fault IN (SELECT id FROM fault WHERE project = ?)", (project,))
            self._db.changed()

    def known(self, fault: int, event_id: str) -> Suspects | None:
        """What was found from this event."""
        found = self._db.rows("SELECT found FROM suspect WHERE fault = ? AND event_id = ?", (fault, event_id))
        return msgspec.json.decode(found[0][0], type=Suspects) if found else None

    def keep(self, fault: int, event_id: str, found: Suspects, *, now: float) -> None:
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO suspect (fault, event_id, found, looked_at) VALUES (?, ?, ?, ?) ON CONFLICT (fault)"
                " DO UPDATE SET event_id = excluded.event_id, found = excluded.found, looked_at = excluded.looked_at",
                (fault, event_id, msgspec.json.encode(found).decode(), now),
            )

    def last_good_release(self, project: str, fault: int) -> str:
        """The newest release that was seen before the fault's first one and never had it; empty: none is known."""
        sql = (
            "SELECT p.value FROM project_value p JOIN fault f ON f.id = ? WHERE p.project = ? AND p.name = 'release'"
            " AND p.first_seen < f.first_seen AND p.value <> f.first_release"
            " AND NOT EXISTS (SELECT 1 FROM fault_value v WHERE v.fault = f.id AND v.name = 'release'"
            " AND v.value = p.value) ORDER BY p.first_seen DESC LIMIT 1"
        )
        found = self._db.rows(sql, (fault, project))
        return str(found[0][0]) if found else ""
