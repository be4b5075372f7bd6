"""SqliteStore: the Store in one folder, ``console.db`` (SQLite) and ``bodies/`` (segment files of payloads).

One process writes batches (the digest); pages and API read over their own connections and change the state of faults.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from fivehundred import limits
from fivehundred.console.store.bodies import Segments
from fivehundred.console.store.database import SqliteDatabase
from fivehundred.console.store.relational import RelationalStore
from fivehundred.console.store.retention import Keeper
from fivehundred.console.store.schema import connect


class SqliteStore(RelationalStore):
    """See ``Store``. ``path`` is the database file, or the folder that holds it as ``console.db``.

    What is missing is made, readable by its owner only. The payloads lie beside the database in ``bodies/``.
    """

    def __init__(self, path: Path | str, *, readonly: bool = False) -> None:
        file = Path(path) if Path(path).suffix == ".db" else Path(path) / "console.db"
        self._connection = connect(file, readonly=readonly)
        database = SqliteDatabase(self._connection)
        segments = Segments(file.parent / "bodies", database)
        keeper = Keeper(database, segments, lambda: _used(database, file), lambda: _give_back(self._connection))
        super().__init__(database, segments, keeper)

    def close(self) -> None:
        super().close()
        self._connection.close()

    def tidy(self) -> None:
        """What was deleted is in none of the files any more."""
        self._connection.execute("INSERT INTO fault_text (fault_text) VALUES ('optimize')")
        # pages keep pieces of rows that were changed; it is built in a file, it may be larger than the memory
        self._connection.execute("PRAGMA temp_store = file; VACUUM; PRAGMA temp_store = memory")
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _used(database: SqliteDatabase, file: Path) -> int:
    """Bytes on disk."""
    files = (file, file.with_name(f"{file.name}-wal"))
    bodies = database.number("SELECT sum(bytes) FROM segment") or 0
    return bodies + sum(one.stat().st_size for one in files if one.exists())


def _give_back(connection: apsw.Connection) -> None:
    connection.execute(f"PRAGMA incremental_vacuum({limits.vacuum_pages_max})").fetchall()
