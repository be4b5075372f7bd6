"""PostgresStore: the Store in a PostgreSQL database, which several digests and Consoles on any machines share.

Payloads stand in the database as well, in tables that are dropped whole. Batches of one project are written one after
the other, those of different projects at the same time. A batch that PostgreSQL did not take (it was restarted, two
writers waited for each other) is written again; one whose COMMIT was not answered only if it was not done.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import Batch, Retention, SchemaTooNew, StoreBusy, StoreUnavailable, Within
from fivehundred.console.store.bodies import Place
from fivehundred.console.store.postgres_database import PostgresDatabase, number_of
from fivehundred.console.store.relational import RelationalStore
from fivehundred.console.store.retention import Keeper
from fivehundred.console.store.schema import migrations, read_migration

again_s_max: Final = 30.0  # how long a batch is tried again; then the digest decides
_pause_s_max: Final = 2.0


class PostgresStore(RelationalStore):
    """See ``Store``. ``spool`` names whose offset is kept: each digest that reads a spool of its own has one."""

    def __init__(self, url: str, *, readonly: bool = False, spool: str = "") -> None:
        self._database = PostgresDatabase(url, readonly=readonly)
        offset = f"offset of {spool}" if spool else "offset"
        try:
            if not readonly:
                migrate(self._database)
                row = (offset, "")
                self._database.execute("INSERT INTO mark (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", row)
        except BaseException:
            self._database.close()
            raise
        bodies = PostgresBodies(self._database)
        keeper = Keeper(self._database, bodies, lambda: _used(self._database), lambda: _give_back(self._database))
        super().__init__(self._database, bodies, keeper, offset=offset)

    def close(self) -> None:
        super().close()
        self._database.close()

    def write(self, batch: Batch, *, now: float, within: Within | None = None) -> None:
        deadline, pause = time.monotonic() + again_s_max, 0.05
        while True:
            try:
                return super().write(batch, now=now, within=within)
            except (StoreUnavailable, StoreBusy):
                if self._was_done(deadline):
                    return None
                if time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _pause_s_max)

    def retain(self, rules: Retention, *, now: float, busy: bool) -> bool:
        """By one process at a time."""
        if not self._database.rows("SELECT pg_try_advisory_lock(?)", (number_of("keeper"),))[0][0]:
            return False
        try:
            return super().retain(rules, now=now, busy=busy)
        finally:
            self._database.rows("SELECT pg_advisory_unlock(?)", (number_of("keeper"),))

    def tidy(self) -> None:
        """What was deleted is room for other rows."""
        self._database.execute("VACUUM")

    def _was_done(self, deadline: float) -> bool:
        """Whether the last batch was committed though its answer never came."""
        transaction, self._database.unsure = self._database.unsure, ""
        while transaction:
            try:
                done = self._database.was_committed(transaction)
                if done is not None:
                    return done
            except StoreUnavailable:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.2)
        return False


def migrate(database: PostgresDatabase) -> None:
    """Apply what is missing, one transaction each. One process at a time; the others wait for it."""
    key = number_of("schema")
    database.rows("SELECT pg_advisory_lock(?)", (key,))
    try:
        database.execute("CREATE TABLE IF NOT EXISTS schema_step (number BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL)")
        done = {row[0] for row in database.rows("SELECT number FROM schema_step")}
        steps = migrations()
        if unknown := done - {number for number, _ in steps}:
            raise SchemaTooNew(
                f"the database has schema {max(unknown)}, this version knows {steps[-1][0]};"
                " install the version that wrote it, or use another database"
            )
        for number, sql in steps:
            if number not in done:
                with database.transaction():
                    database.script(read_migration("postgresql", number) or translated(sql))
                    database.execute("INSERT INTO schema_step VALUES (?, now())", (number,))
    finally:
        database.rows("SELECT pg_advisory_unlock(?)", (key,))


def translated(sql: str) -> str:
    """A migration in the portable form, for PostgreSQL."""
    for pattern, there in _types:
        sql = re.sub(rf"\b{pattern}\b", there, sql)
    return sql


_types: Final = (
    ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    ("INTEGER", "BIGINT"),
    ("REAL", "DOUBLE PRECISION"),
    ("BLOB", "BYTEA"),
)


# ---- payloads --------------------------------------------------------------------------------------


@dataclass(slots=True)
class PostgresBodies:
    """Bodies in tables ``body_<segment>`` of (place, frame). An offset is a place, unique in the whole database."""

    database: PostgresDatabase
    _appended: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)

    def start(self) -> tuple[int, int]:
        self._appended.clear()  # of a transaction that failed
        place = self.database.number("SELECT nextval('body_place')") or 0
        newest = "SELECT id FROM segment WHERE bytes < ? AND id = (SELECT max(id) FROM segment)"
        segment = self.database.number(newest, (limits.body_segment_bytes_max,))
        if segment is None:
            self.database.lock(["segment"])
            segment = self.database.number(newest, (limits.body_segment_bytes_max,))  # another may have been faster
        if segment is None:
            segment = self.database.insert("segment", {"bytes": 0})
            self.database.execute(f"CREATE TABLE {_table(segment)} (place BIGINT PRIMARY KEY, frame BYTEA NOT NULL)")
            # a frame is compressed already
            self.database.execute(f"ALTER TABLE {_table(segment)} ALTER COLUMN frame SET STORAGE EXTERNAL")
        return segment, place

    def append(self, segment: int, offset: int, data: bytes) -> Place:
        self._appended.setdefault(segment, []).append((offset, data))
        return Place(segment, offset, len(data))

    def sync(self) -> None:
        for segment, frames in self._appended.items():
            self.database.bulk(_table(segment), "place, frame", frames)
        self._appended.clear()

    def read(self, place: Place) -> bytes:
        """Raises OSError when it is gone."""
        if self.database.number("SELECT 1 WHERE to_regclass(?) IS NOT NULL", (_table(place.segment),)):
            sql = f"SELECT frame FROM {_table(place.segment)} WHERE place = ?"  # noqa: S608 - a name of our own
            for row in self.database.rows(sql, (place.offset,)):
                return bytes(row[0])
        raise FileNotFoundError(f"payload {place.offset} of segment {place.segment} is gone")

    def wipe(self, place: Place) -> None:
        sql = f"DELETE FROM {_table(place.segment)} WHERE place = ?"  # noqa: S608 - a name of our own
        if self.database.number("SELECT 1 WHERE to_regclass(?) IS NOT NULL", (_table(place.segment),)):
            self.database.execute(sql, (place.offset,))

    def unlink(self, segment: int) -> None:
        try:
            self.database.execute(f"DROP TABLE IF EXISTS {_table(segment)}")
        except StoreBusy:
            return  # somebody reads it: it is dropped with what else has no row, when the next process begins

    def numbers(self) -> list[int]:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        found = [re.fullmatch(r"body_(\d+)", row[0]) for row in self.database.rows(sql)]
        return [int(name[1]) for name in found if name]

    def close(self) -> None:
        """Nothing is held."""


def _table(segment: int) -> str:
    return f"body_{int(segment):08d}"


def _used(database: PostgresDatabase) -> int:
    return database.number("SELECT pg_database_size(current_database())") or 0


def _give_back(database: PostgresDatabase) -> None:
    """Rows leave room for others, and at the end of a table the disk gets it back."""
    for table in ("event", "seen"):
        database.execute(f"VACUUM {table}")
