"""Database: the little that SQLite and PostgreSQL have in common, for tables that need nothing special of either.

What is hot (events, faults, their counters) is written for each database by its own Store. Everything else (incidents,
people, alerts, comments ...) is a *desk*: a class over a ``Database`` whose SQL is written once, in the portable form:

- ``?`` for values, in order; conditions that may be absent are left out, not compared with NULL.
- ``INSERT ... ON CONFLICT (columns) DO UPDATE/NOTHING``; ``RETURNING id`` for new rows; no OR IGNORE, no rowid.
- No column called ``user``, ``offset``, ``order``, ``group``, ``end`` or ``desc``: reserved in one of the two.
- Two-argument min() and max() are CASE expressions. LIKE is written with lower() on both sides and ESCAPE.
- Truth is INTEGER 0 or 1, times are REAL seconds since 1970, JSON is TEXT, bytes are BLOB. Text holds no NUL.

Migrations from 0010 on are written once as well: types TEXT, INTEGER, REAL, BLOB; ids are ``INTEGER PRIMARY KEY
AUTOINCREMENT``; no WITHOUT ROWID, no OR IGNORE; statements end with ``;`` at the end of a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import apsw

Value: TypeAlias = str | int | float | bytes | None
Dialect: TypeAlias = Literal["sqlite", "postgresql"]


class Database(Protocol):
    """One connection, used by one thread at a time. Table and column names are ours, never a sender's."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]: ...
    def number(self, sql: str, values: Sequence[Value] = ()) -> int | None: ...  # the first column of the first row
    def execute(self, sql: str, values: Sequence[Value] = ()) -> int: ...  # how many rows it changed
    def insert(self, table: str, row: Mapping[str, Value]) -> int: ...  # into a table with an ``id``: the new one
    def many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None: ...  # the same statement for each row
    def bulk(self, table: str, columns: str, rows: Sequence[Sequence[Value]]) -> None: ...  # new rows, the fastest way
    def ids(self, table: str, count: int) -> Sequence[int]: ...  # for rows that ``bulk`` inserts in this transaction
    def lock(self, names: Iterable[str]) -> None: ...  # until the transaction ends nobody else holds one of them
    def transaction(self) -> AbstractContextManager[None]: ...  # one inside another is part of it
    def changed(self) -> None: ...  # something that a page shows: ``Store.version`` grows


_keys_at_once: Final = 512  # both databases allow some 32,000 values a statement


def among(db: Database, sql: str, keys: Iterable[Sequence[Value]]) -> list[tuple[Any, ...]]:
    """Rows of many keys in few statements: ``sql`` holds ``{keys}``, as in ``WHERE (fault, hour) IN ({keys})``."""
    wanted, found = list(dict.fromkeys(tuple(key) for key in keys)), list[tuple[Any, ...]]()
    for start in range(0, len(wanted), _keys_at_once):
        part = wanted[start : start + _keys_at_once]
        room = 1 << (len(part) - 1).bit_length()  # few different statements, so that their plans are remembered
        part += part[-1:] * (room - len(part))
        mark = f"({', '.join('?' * len(part[0]))})"
        found += db.rows(sql.replace("{keys}", f"VALUES {', '.join([mark] * room)}"), [v for key in part for v in key])
    return found


def mended(values: Sequence[Value]) -> list[Value]:
    """Half of a surrogate pair is no character that a database could hold: it becomes a question mark."""
    return [value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values]


class SqliteDatabase:
    """See ``Database``; over a connection that ``schema.connect`` opened."""

    dialect: Dialect = "sqlite"

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        return self._execute(sql, values).fetchall()

    def number(self, sql: str, values: Sequence[Value] = ()) -> int | None:
        found = self._execute(sql, values).get
        return found if isinstance(found, int) else None

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        before = self._db.total_changes()
        self._execute(sql, values)
        return self._db.total_changes() - before

    def insert(self, table: str, row: Mapping[str, Value]) -> int:
        names = ", ".join(row)
        sql = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608 - our own names
        self._execute(sql, tuple(row.values()))
        return self._db.last_insert_rowid()

    def many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        try:
            with self._db:  # all rows or none
                self._db.executemany(sql, rows)
        except UnicodeEncodeError:
            self._db.executemany(sql, [mended(row) for row in rows])

    def bulk(self, table: str, columns: str, rows: Sequence[Sequence[Value]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608 - our own names

    def ids(self, table: str, count: int) -> Sequence[int]:
        last = self.number("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)) or 0
        return range(last + 1, last + 1 + count)  # only one transaction writes at a time

    def lock(self, names: Iterable[str]) -> None:
        """A transaction has the whole database to itself."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")  # takes its lock at the start: never fails half way for want of it
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _execute(self, sql: str, values: Sequence[Value]) -> apsw.Cursor:
        try:
            return self._db.execute(sql, values)
        except UnicodeEncodeError:
            return self._db.execute(sql, mended(values))

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite ends it by itself when the disk is full
            self._db.execute("ROLLBACK")

    def changed(self) -> None:
        self._db.execute("UPDATE mark SET value = value + 1 WHERE name = 'version'")
