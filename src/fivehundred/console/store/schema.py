"""The connection to the SQLite store: opened with its settings and brought to the newest schema.

``PRAGMA user_version`` is the number of the last migration applied. Each is one transaction; a file that was released
is never edited. A database of a newer version is refused and left untouched.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import apsw

from fivehundred.console.store.base import SchemaTooNew

busy_ms_max = 10_000  # how long a writer waits for another: a full batch takes well under a second


def connect(path: Path, *, readonly: bool) -> apsw.Connection:
    """A connection of one's own to the database at ``path``, which is made when missing (mode 0600)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its -wal and -shm the same mode
    db = apsw.Connection(str(path))
    db.set_busy_timeout(busy_ms_max)
    if not db.pragma("page_count"):
        # incremental: what retention deletes is given back to the disk; it must be said before the first table is made,
        # and said to a database that has tables it would write to it
        db.execute("PRAGMA page_size = 4096; PRAGMA auto_vacuum = incremental")
    _use_wal(db)
    # FULL: the spool forgets what is committed here, so a commit must survive a power cut. It costs one sync a batch.
    db.execute("PRAGMA synchronous = full; PRAGMA cache_size = -16000; PRAGMA temp_store = memory")
    migrate(db)
    if readonly:
        db.execute("PRAGMA query_only = 1")
    return db


def _use_wal(db: apsw.Connection) -> None:
    """SQLite does not wait for its own lock here when several processes open a new database at the same moment."""
    deadline = time.monotonic() + busy_ms_max / 1000
    while True:
        try:
            db.execute("PRAGMA journal_mode = wal")
            return
        except apsw.BusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def migrate(db: apsw.Connection) -> None:
    """Apply what is missing. Safe when several processes open the database at the same moment."""
    steps = migrations()
    newest = steps[-1][0]
    while (done := _version(db)) != newest:
        if done > newest:
            raise SchemaTooNew(
                f"the data folder has schema {done}, this version knows {newest};"
                " install the version that wrote it, or use another data folder"
            )
        number, sql = next(step for step in steps if step[0] > done)
        with immediate(db):
            if _version(db) == done:  # nobody else was faster
                db.execute(sql)
                db.execute(f"PRAGMA user_version = {number}")


def migrations() -> list[tuple[int, str]]:
    """(number, SQL) of every migration, the first one first. Numbers have gaps; the order is theirs."""
    folder = files("fivehundred.console.store") / "migrations"
    found = sorted((f.name, f.read_text("utf-8")) for f in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", f.name))
    return [(int(name[:4]), sql) for name, sql in found]


def read_migration(dialect: str, number: int) -> str:
    """What one database has of its own under that number; empty: the portable form serves."""
    folder = files("fivehundred.console.store") / "migrations" / dialect
    return next((f.read_text("utf-8") for f in folder.iterdir() if f.name.startswith(f"{number:04d}_")), "")


@contextmanager
def immediate(db: apsw.Connection) -> Iterator[None]:
    """A write transaction that takes its lock at the start, so that it never fails half way for want of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: apsw.Connection) -> int:
    found = db.pragma("user_version")
    return found if isinstance(found, int) else 0


Value: TypeAlias = str | int | float | bytes | None


def rows(db: apsw.Connection, sql: str, values: Sequence[Value] | Mapping[str, Value] = ()) -> list[tuple[Any, ...]]:
    """All rows. What stands in our own tables was typed when it was written, so the values are trusted here."""
    return db.execute(sql, values).fetchall()


def number(db: apsw.Connection, sql: str, values: Sequence[Value] = ()) -> int | None:
    """The first column of the first row, when there is one and it is a whole number."""
    found = db.execute(sql, values).get
    return found if isinstance(found, int) else None


def insert(db: apsw.Connection, table: str, row: Mapping[str, Value]) -> int:
    """Insert and return the new row's id. Table and column names are ours, never a sender's."""
    names = ", ".join(row)
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))  # noqa: S608
    return db.last_insert_rowid()


def update(db: apsw.Connection, table: str, row: Mapping[str, Value], row_id: int) -> None:
    """Set columns of the row with that id."""
    sets = ", ".join(f"{name} = ?" for name in row)
    db.execute(f"UPDATE {table} SET {sets} WHERE id = ?", (*row.values(), row_id))  # noqa: S608
