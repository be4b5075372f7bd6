"""The desk of quotas: how many events of a project are taken per minute, hour or day. Counting is the ingest's work."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from fivehundred import limits
from fivehundred.console.store.base import StoreError
from fivehundred.console.store.database import Database

Per: TypeAlias = Literal["minute", "hour", "day"]
spans: Final[tuple[Per, ...]] = get_args(Per)


class BadQuota(StoreError):
    """The figure is none; the text says what would be one."""


class Quotas:
    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> dict[str, dict[str, int]]:
        """project -> span -> events."""
        found: dict[str, dict[str, int]] = {}
        for project, per, events in self._db.rows("SELECT project, per, events FROM quota"):
            found.setdefault(project, {})[per] = events
        return found

    def of(self, project: str) -> dict[str, int]:
        return self.all().get(project, {})

    def set(self, project: str, per: Per, events: int | None) -> None:
        """None takes the quota away. Raises BadQuota."""
        if events is not None and not 1 <= events <= limits.quota_events_max:
            raise BadQuota(
                f"{events} is not a number of events from 1 to {limits.quota_events_max}; null takes it away"
            )
        with self._db.transaction():
            self._db.execute("DELETE FROM quota WHERE project = ? AND per = ?", (project, per))
            if events is not None:
                sql = "INSERT INTO quota (project, per, events) VALUES (?, ?, ?)"
                self._db.execute(sql, (project, per, events))
