"""The desk of many machines: how far each partition of the spool is digested, who digests it, which nodes are alive.

Correctness hangs on the marks alone: a mark is moved in the transaction that writes the batch, and only from the place
that the batch was read at. Two workers that hold one partition for a moment cannot both write it. Leases and their
clocks only keep them from trying.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fivehundred.console.store.base import StoreError
from fivehundred.console.store.database import Database

lease_s: Final = 10.0  # a worker that was killed is replaced after this
alive_s: Final = 15.0  # a node that was not seen for longer is shown as gone, and counts for nothing
_forgotten_s: Final = 7 * 86_400.0


class Moved(StoreError):
    """Another worker has written this partition further: what was read here is done already."""


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    kind: str  # "ingest", "digest" or "console"
    started_at: float
    seen_at: float
    figures: dict[str, Any]  # as it told them itself

    def is_alive(self, now: float) -> bool:
        return now - self.seen_at <= alive_s


class Marks:
    """How far one partition is digested."""

    def __init__(self, database: Database, name: str) -> None:
        self._db = database
        self._name = name

    def place(self) -> str:
        """Makes the mark when it is missing, so that moving it is always an update."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO spool_mark (name, place) VALUES (?, '') ON CONFLICT (name) DO NOTHING", (self._name,)
            )
            return str(self._db.rows("SELECT place FROM spool_mark WHERE name = ?", (self._name,))[0][0])

    def move(self, before: str, to: str) -> None:
        """Within the transaction that writes what lies between. Raises Moved, which undoes it."""
        sql = "UPDATE spool_mark SET place = ? WHERE name = ? AND place = ?"
        if self._db.execute(sql, (to, self._name, before)) != 1:
            raise Moved(f"{self._name} was digested further by another worker")


class Nodes:
    """Who is alive, and who of them digests which partition."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def tell(self, name: str, kind: str, started_at: float, figures: Mapping[str, object], *, now: float) -> None:
        """I am here; these are my figures."""
        self._db.execute(
            "INSERT INTO node (name, kind, started_at, seen_at, figures) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, started_at = excluded.started_at,"
            " seen_at = excluded.seen_at, figures = excluded.figures",
            (name, kind, started_at, now, json.dumps(figures)),
        )

    def leave(self, name: str) -> None:
        """In order: others need not wait for the leases to end."""
        with self._db.transaction():
            self._db.execute("DELETE FROM digest_lease WHERE holder = ?", (name,))
            self._db.execute("DELETE FROM node WHERE name = ?", (name,))

    def all(self, *, now: float) -> list[Node]:
        self._db.execute("DELETE FROM node WHERE seen_at < ?", (now - _forgotten_s,))
        rows = self._db.rows("SELECT name, kind, started_at, seen_at, figures FROM node ORDER BY kind, name")
        return [Node(name, kind, started, seen, json.loads(figures)) for name, kind, started, seen, figures in rows]

    def alive(self, kind: str, *, now: float) -> list[str]:
        sql = "SELECT name FROM node WHERE kind = ? AND seen_at >= ? ORDER BY name"
        return [str(name) for (name,) in self._db.rows(sql, (kind, now - alive_s))]

    # ---- leases

    def held(self, names: Sequence[str], *, now: float) -> dict[str, str]:
        """partition -> holder, of the leases that have not ended."""
        rows = self._db.rows("SELECT name, holder FROM digest_lease WHERE until > ?", (now,))
        return {str(name): str(holder) for name, holder in rows if name in names}

    def claim(self, name: str, holder: str, *, now: float) -> bool:
        """Takes a free lease, or prolongs an own one."""
        sql = (
            "INSERT INTO digest_lease (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET holder = excluded.holder, until = excluded.until"
            " WHERE digest_lease.holder = excluded.holder OR digest_lease.until <= ?"
        )
        return self._db.execute(sql, (name, holder, now + lease_s, now)) == 1

    def give_back(self, name: str, holder: str) -> None:
        self._db.execute("DELETE FROM digest_lease WHERE name = ? AND holder = ?", (name, holder))
