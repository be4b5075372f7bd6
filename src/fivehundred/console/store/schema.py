"""The connection to the SQLite store: opened with its settings and brought to the newest schema.

The table ``schema_step`` holds the number of every migration applied, so that one with a lower number may come later.
Each is one transaction; a file that was released is never edited. A database of a newer version is refused and left
untouched. ``PRAGMA user_version`` is the highest number, by which older versions refuse.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeAlias

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
    done = _done(db)
    if unknown := done - {number for number, _ in steps}:
        raise SchemaTooNew(
            f"the data folder has schema {max(unknown)}, this version knows {steps[-1][0]};"
            " install the version that wrote it, or use another data folder"
        )
    for number, sql in steps:
        if number in done:
            continue
        with immediate(db):
            done = _remembered(db)
            if number not in done:  # nobody else was faster
                db.execute(sql)
                db.execute("INSERT INTO schema_step VALUES (?, ?)", (number, time.time()))
                db.execute(f"PRAGMA user_version = {max(number, *done, 0)}")


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


# what a database can have that was made before there was a table of them: every number up to its user_version
_before_steps: Final = frozenset({1, 2, 10, 11, 12, 13, 20, 30, 31, 40, 46, 47, 50, 60, 61})


def _done(db: apsw.Connection) -> set[int]:
    """The numbers of what was applied. Whatever is newer than this version is told by them, and by user_version."""
    if _has_table(db):
        return set(_numbers(db)) | _newer(db)
    return {number for number in _before_steps if number <= _version(db)} | _newer(db)


def _remembered(db: apsw.Connection) -> set[int]:
    """The same, within a write transaction; from now on there is the table."""
    if not _has_table(db):
        done = _done(db)
        db.execute("CREATE TABLE schema_step (number INTEGER PRIMARY KEY, at REAL NOT NULL)")
        db.executemany("INSERT INTO schema_step VALUES (?, ?)", [(number, time.time()) for number in sorted(done)])
    return set(_numbers(db))


def _has_table(db: apsw.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_step'").fetchall())


def _numbers(db: apsw.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT number FROM schema_step")]


def _newer(db: apsw.Connection) -> set[int]:
    version = _version(db)
    return {version} if version > migrations()[-1][0] else set()


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
