"""The desk of erasure orders: who was erased when, for what was accepted before that and is digested only later.

An order holds the name itself, for texts are searched for it; so it is forgotten as soon as nothing can wait any more:
when one digest has read past its time, at the latest after ``limits.erasure_days``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import StoreBusy
from fivehundred.console.store.database import Database

_wait_s_max: Final = 60.0  # for batches that are being written; one takes well under a second


@dataclass(frozen=True, slots=True)
class Order:
    id: int
    name: str
    anywhere: bool  # also in texts, not only where events say who the user was
    until: float  # of what was received up to then


class ErasureOrders:
    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[Order]:
        rows = self._db.rows("SELECT id, name, anywhere, until FROM erasure ORDER BY id")
        return [Order(number, name, bool(anywhere), until) for number, name, anywhere, until in rows]

    def add(self, name: str, *, anywhere: bool, now: float) -> None:
        """Holds for every batch that is written from now on: those under way are waited for. Raises StoreBusy."""
        with self._db.transaction():
            self._db.execute("DELETE FROM erasure WHERE name = ? AND anywhere = ?", (name, int(anywhere)))
            self._db.insert("erasure", {"name": name, "anywhere": int(anywhere), "until": now})
        if self._db.dialect == "postgresql":
            self._wait()

    def forget(self, *, received_before: float) -> int:
        """Orders for what was received before that: nothing of it is left to digest."""
        return self._db.execute("DELETE FROM erasure WHERE until < ?", (received_before,))

    def _wait(self) -> None:
        """A batch reads the orders after it began to write: one that began before now may have missed this one."""
        begun = int(self._db.rows("SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT)")[0][0])
        deadline = time.monotonic() + _wait_s_max
        while int(self._db.rows("SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT)")[0][0]) < begun:
            if time.monotonic() > deadline:
                raise StoreBusy(f"somebody has been writing to the database for {_wait_s_max:g} s; erase once more")
            time.sleep(0.05)


forget_after_s: Final = limits.erasure_days * 86_400.0
