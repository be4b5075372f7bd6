"""PostgresDatabase: ``Database`` over psycopg. It connects when it is needed, and again after PostgreSQL was away.

What was under way when the connection broke is undone by PostgreSQL and said as ``StoreUnavailable``. Whether a COMMIT
whose answer never came was done can be asked afterwards: ``was_committed``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import psycopg
from psycopg import errors
from psycopg.adapt import Buffer
from psycopg.types.numeric import FloatLoader, Int8BinaryDumper, Int8Dumper
from psycopg.types.string import StrBinaryDumper, StrDumper

from fivehundred.console.store.base import StoreBusy, StoreError, StoreUnavailable
from fivehundred.console.store.database import Dialect, Value

connect_s_max: Final = 10  # until a server that answers nothing counts as away
lock_ms_max: Final = 30_000  # a batch takes well under a second: who waits longer waits for something that hangs
idle_ms_max: Final = 60_000  # a writer that hangs in mid-batch gives back what it holds
_copy_rows_min: Final = 8  # fewer rows are not worth a COPY
_sqlstates_away: Final = ("08", "57P", "55000")  # connection lost, shutting down, starting up

_together_min: Final = 4  # rows that are worth being written by one statement
_INSERT: Final = re.compile(r"INSERT INTO (?P<table>\w+) \((?P<columns>[^)]*)\) VALUES \([?, ]+\)(?P<rest>[^?]*)")

T = TypeVar("T")
Cursor: TypeAlias = psycopg.Cursor[tuple[Any, ...]]


class PostgresDatabase:
    """See ``Database``. ``url`` is ``postgresql://user:password@host:port/name``; it stands in no message."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, *, readonly: bool = False) -> None:
        self._url = url
        self._readonly = readonly
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._inside = False
        self._changed = False
        self._types: dict[tuple[str, str], list[str]] = {}
        self.unsure = ""  # the transaction whose COMMIT was not answered

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._inside = None, False

    # ---- Database

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        return self._run(lambda cursor: cursor.execute(translate(sql), values).fetchall())

    def number(self, sql: str, values: Sequence[Value] = ()) -> int | None:
        found = self._run(lambda cursor: cursor.execute(translate(sql), values).fetchone())
        return found[0] if found and isinstance(found[0], int) else None

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        return self._run(lambda cursor: max(0, cursor.execute(translate(sql), values).rowcount))

    def insert(self, table: str, row: Mapping[str, Value]) -> int:
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) RETURNING id"  # noqa: S608
        found = self.number(sql, tuple(row.values()))
        if found is None:
            raise StoreError(f"a new row of {table} got no id")
        return found

    def many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """An INSERT is one statement for all rows, which come as JSON: a statement a row takes ten times as long."""
        found = _INSERT.fullmatch(sql) if len(rows) >= _together_min else None
        if found and _once(found["rest"], found["columns"], rows):
            self._run(lambda cursor: self._together(cursor, rows, **found.groupdict()))
        elif rows:
            self._run(lambda cursor: cursor.executemany(translate(sql), rows))

    def bulk(self, table: str, columns: str, rows: Sequence[Sequence[Value]]) -> None:
        if len(rows) < _copy_rows_min:
            marks = ", ".join("?" * len(rows[0])) if rows else ""
            self.many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608 - our own names
        else:
            self._run(lambda cursor: self._copy(cursor, table, columns, rows))

    def ids(self, table: str, count: int) -> Sequence[int]:
        sql = f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) FROM generate_series(1, ?)"  # noqa: S608
        return [row[0] for row in self.rows(sql, (count,))] if count else []

    def lock(self, names: Iterable[str]) -> None:
        for name in sorted(set(names)):  # in one order, so that no two wait for each other
            self.rows("SELECT pg_advisory_xact_lock(?)", (number_of(name),))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._inside:
            yield
            return
        self._changed = False
        self._run(lambda cursor: cursor.execute("BEGIN"))
        self._inside = True
        try:
            yield
            if self._changed:  # last: every writer changes this one row
                self.execute(_grow)
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._inside = False

    def changed(self) -> None:
        if self._inside:
            self._changed = True
        else:
            self.execute(_grow)

    # ---- what only PostgreSQL has

    def script(self, sql: str) -> None:
        """Several statements at once."""
        self._run(lambda cursor: cursor.execute(sql.encode()))

    def was_committed(self, transaction: str) -> bool | None:
        """None: it is still under way. Asked in a new connection, after the answer to a COMMIT was lost."""
        found = self.rows("SELECT pg_xact_status(CAST(CAST(? AS TEXT) AS xid8))", (transaction,))[0][0]
        return None if found == "in progress" else found == "committed"

    def _commit(self) -> None:
        transaction = self.rows("SELECT CAST(pg_current_xact_id_if_assigned() AS TEXT)")[0][0]
        self.unsure = transaction or ""
        self._run(lambda cursor: cursor.execute("COMMIT"))
        self.unsure = ""

    def _roll_back(self) -> None:
        connection = self._connection
        try:
            if connection is not None and not connection.closed:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            self._drop()  # a broken connection rolls back by itself

    def _together(self, cursor: Cursor, rows: Sequence[Sequence[Value]], table: str, columns: str, rest: str) -> None:
        types = self._types_of(cursor, table, columns)
        if "bytea" in types:  # JSON knows none
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({_marks(len(types))}) {rest}", rows)  # noqa: S608
            return
        names = [f"c{n}" for n in range(len(types))]
        typed = ", ".join(f"{name} {there}" for name, there in zip(names, types, strict=True))
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {', '.join(names)}"  # noqa: S608 - our own names
            f" FROM json_to_recordset(CAST($1 AS json)) AS r({typed}) {rest}",
            (_json([dict(zip(names, row, strict=True)) for row in rows]),),
        )

    def _types_of(self, cursor: Cursor, table: str, columns: str) -> list[str]:
        types = self._types.get((table, columns))
        if types is None:
            probe = cursor.execute(f"SELECT {columns} FROM {table} LIMIT 0").description or []  # noqa: S608 - our names
            types = [_type_names[column.type_code] for column in probe]
            if not table.startswith("body_"):
                self._types[table, columns] = types
        return types

    def _copy(self, cursor: Cursor, table: str, columns: str, rows: Sequence[Sequence[Value]]) -> None:
        types = self._types_of(cursor, table, columns)
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    # ---- the connection

    def _run(self, act: Callable[[Cursor], T]) -> T:
        """Outside of a transaction it is tried once more in a new connection: PostgreSQL may have been restarted."""
        known = self._connection is not None
        try:
            return self._try(act)
        except StoreUnavailable:
            self._drop()
            if self._inside or not known:
                raise
        return self._try(act)

    def _try(self, act: Callable[[Cursor], T]) -> T:
        try:
            if self._connection is None:
                if self._inside:
                    raise StoreUnavailable("the connection to PostgreSQL broke in mid-transaction; it was undone")
                self._connection = _connect(self._url, readonly=self._readonly)
            return act(self._connection.cursor())
        except psycopg.Error as error:
            broken = self._connection is None or self._connection.broken or self._connection.closed
            raise told(error, broken=broken) from error

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _once(rest: str, columns: str, rows: Sequence[Sequence[Value]]) -> bool:
    """Whether each row is met by one statement once: PostgreSQL changes none twice."""
    found = re.match(r" ON CONFLICT \(([^)]*)\) DO UPDATE", rest)
    if not found:
        return " DO UPDATE" not in rest
    names = columns.split(", ")
    key = [names.index(name) for name in found[1].split(", ")]
    return len({tuple(row[n] for n in key) for row in rows}) == len(rows)


def _json(rows: list[dict[str, Value]]) -> str:
    try:
        data = msgspec.json.encode(rows)
    except UnicodeEncodeError:
        data = b"\\u0000"
    if b"\\u0000" in data:  # it cannot be read back as a text
        data = msgspec.json.encode([{k: _mended(v) for k, v in row.items()} for row in rows])
    return data.decode()


def _mended(value: Value) -> Value:
    return mended(value).decode() if isinstance(value, str) else value


def _marks(count: int) -> str:
    return ", ".join(f"${n + 1}" for n in range(count))


_grow: Final = "UPDATE mark SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'version'"
_type_names: Final = {16: "bool", 17: "bytea", 20: "int8", 23: "int4", 25: "text", 701: "float8", 1009: "text[]"}


def number_of(name: str) -> int:
    """Of an advisory lock: the names of ours share one space with those of others."""
    return int.from_bytes(hashlib.blake2b(f"fivehundred {name}".encode(), digest_size=8).digest(), signed=True)


@lru_cache(maxsize=2_000)
def translate(sql: str) -> str:
    """``?`` to ``$1``, outside of quoted text."""
    parts = re.split(r"('(?:[^']|'')*')", sql)
    count = 0
    for n in range(0, len(parts), 2):
        pieces = parts[n].split("?")
        parts[n] = pieces[0]
        for piece in pieces[1:]:
            count += 1
            parts[n] += f"${count}{piece}"
    return "".join(parts)


def told(error: psycopg.Error, *, broken: bool) -> StoreError:
    """The same in our words. The server's own words are kept; the address and password are in none of them."""
    state = error.sqlstate or ""
    said = _plain(error)
    if state in ("53100", "53200", "53300"):
        return StoreUnavailable(f"PostgreSQL has no room left ({said}); free some, or raise its limits")
    if state in ("28P01", "28000", "3D000", "42501", "25006") or _REFUSED.search(said):
        return StoreError(f"PostgreSQL refused: {said}; check user, password, database and rights in the store's URL")
    if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure | errors.LockNotAvailable):
        return StoreBusy(f"PostgreSQL was busy ({said}); try again")
    if broken or state.startswith(_sqlstates_away):
        return StoreUnavailable(f"PostgreSQL cannot be reached ({said}); is it running, and is the store's URL right?")
    return StoreError(f"PostgreSQL refused ({state or 'no code'}): {said}")


_REFUSED: Final = re.compile(  # connecting has no codes
    r'authentication failed|no password supplied|(database|role) "[^"]*" does not exist|no pg_hba.conf entry'
)


def _plain(error: psycopg.Error) -> str:
    """One line of what the server or the driver said."""
    said = error.diag.message_primary or str(error) or type(error).__name__
    return re.sub(r"postgres(ql)?://\S+", "postgresql://…", " ".join(said.split()))[:300]


def _connect(url: str, *, readonly: bool) -> psycopg.Connection[tuple[Any, ...]]:
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=connect_s_max,
        application_name="fivehundred",
        cursor_factory=psycopg.RawCursor,
        keepalives_idle=30,
        client_encoding="UTF8",
    )
    connection.execute(f"SET lock_timeout = {lock_ms_max}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {idle_ms_max}")
    if readonly:
        connection.execute("SET default_transaction_read_only = on")
    adapters = connection.adapters
    for dumper in (Int8Dumper, Int8BinaryDumper):  # one type for all numbers: few different statements
        adapters.register_dumper(int, dumper)
        adapters.register_dumper(bool, dumper)
    adapters.register_dumper(str, _TextBinary)  # for COPY
    adapters.register_dumper(str, _Text)
    adapters.register_loader("numeric", _Number)
    return connection


# ---- values ----------------------------------------------------------------------------------------


def mended(value: str) -> bytes:
    """What PostgreSQL's text cannot hold is replaced: NUL and halves of surrogate pairs."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace")


class _Text(StrDumper):
    oid = 0  # the server knows best what a text is compared with

    def dump(self, obj: str) -> Buffer:
        return mended(obj)


class _TextBinary(StrBinaryDumper):
    def dump(self, obj: str) -> Buffer:
        return mended(obj)


class _Number(FloatLoader):
    """sum() of whole numbers is a numeric there: it comes back as the whole number it is."""

    def load(self, data: Buffer) -> Any:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)
