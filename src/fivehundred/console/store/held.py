"""The desk of messages that wait a moment: about a fault that may turn out to be part of an outage."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from fivehundred.console.store.database import Database


@dataclass(frozen=True, slots=True)
class HeldAlert:
    """A message of the outbox that nobody has tried to send yet."""

    id: int
    channel: int
    fault: int


class Held:
    def __init__(self, database: Database) -> None:
        self._db = database

    def unsent(self, *, since: float, faults: Collection[int]) -> list[HeldAlert]:
        """What waits about these faults, written since then."""
        sql = (
            "SELECT id, channel, body FROM alert WHERE state = 'waiting' AND attempts = 0 AND created_at >= ?"
            " AND kind IN ('new', 'regressed', 'once') ORDER BY id"
        )
        read = [HeldAlert(row[0], row[1], _fault(row[2])) for row in self._db.rows(sql, (since,))] if faults else []
        return [one for one in read if one.fault in faults]

    def hold(self, alert: int, *, until: float) -> None:
        self._db.execute("UPDATE alert SET due_at = ? WHERE id = ? AND attempts = 0", (until, alert))

    def drop(self, alert: int) -> None:
        """Its sender may have claimed it meanwhile: then it goes out."""
        self._db.execute("DELETE FROM alert WHERE id = ? AND state = 'waiting' AND attempts = 0", (alert,))


def _fault(body: str) -> int:
    """By the page that the message leads to."""
    path = str(json.loads(body).get("path", ""))
    number = path.removeprefix("/faults/")
    return int(number) if path.startswith("/faults/") and number.isdecimal() else 0
