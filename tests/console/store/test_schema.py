"""How a data folder gets its schema: new, from an older version, from a newer one, with migrations in any order.

``schema_2/`` is a data folder as the version with migrations 0001 and 0002 wrote it, the database as SQL.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from tests.console.running import RunningConsole

from fivehundred.console.store import postgres, schema
from fivehundred.console.store.base import Batch, Digested, FaultQuery, SchemaTooNew
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.console.store.sqlite import SqliteStore

now = 1_790_000_000.0
Make = Callable[..., Digested]
late = (35, "CREATE TABLE late (id INTEGER PRIMARY KEY AUTOINCREMENT);")


@pytest.fixture
def schema_2(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(Path(__file__).with_name("schema_2"), folder)
    with sqlite3.connect(folder / "console.db") as db:
        db.executescript((folder / "console.sql").read_text("utf-8"))
    db.close()
    return folder


def steps_with_late() -> list[tuple[int, str]]:
    return sorted([*schema.migrations(), late])


def test_a_folder_of_schema_2_opens_with_everything_in_it(schema_2: Path, make: Make) -> None:
    store = SqliteStore(schema_2)
    assert {(f.title, f.state, f.events) for f in store.faults(FaultQuery(state=None), now=now).faults} == {
        ("k0", "open", 3), ("k1", "resolved", 3),
    }  # fmt: skip
    assert store.event(f"{1:032x}").payload["release"] == "1.0"
    assert [words.message for words in store.event(f"{1:032x}").feedback] == ["It broke."]
    assert store.malformed("1", limit=5)[0].message == "not JSON"
    assert store.faults(FaultQuery(text="k0"), now=now).total == 1  # found by the index that is newer than the fault
    store.write(Batch(events=[make("k0")]), now=now)
    assert store.fault(1, now=now).fault.events == 4
    store.close()


def test_an_older_installation_goes_on_where_it_was_stopped(schema_2: Path) -> None:
    with RunningConsole(schema_2, "--retention-days", "3650") as console:
        assert console.dsn.split("://")[1].startswith("0123456789abcdef0123456789abcdef@")  # senders need no new one
        console.digested()
        assert console.json(f"/api/v1/events/{50:032x}")["event_id"] == f"{50:032x}"  # it waited in the spool
        assert console.get("/")[0] == console.get("/faults/1")[0] == 200
        assert console.json("/api/v1/faults?query=is:any")["total"] == 3


def test_every_migration_is_remembered(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    found = store.database.rows("SELECT number FROM schema_step ORDER BY number")
    assert [row[0] for row in found] == [number for number, _ in schema.migrations()]
    assert store.database.number("PRAGMA user_version") == schema.migrations()[-1][0]
    store.close()


def _without_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a version before the table of numbers left it, with the steps that there were then."""
    then = [(number, sql) for number, sql in schema.migrations() if number in schema._before_steps]
    with monkeypatch.context() as patched:
        patched.setattr(schema, "migrations", lambda: then)
        SqliteStore(folder).close()
    before = apsw.Connection(str(folder / "console.db"))
    before.execute("DROP TABLE schema_step")
    before.close()


@pytest.mark.parametrize("remembered", [True, False], ids=["with the table of numbers", "before there was one"])
def test_a_lower_number_that_comes_later_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: bool
) -> None:
    if remembered:
        SqliteStore(tmp_path).close()
    else:
        _without_the_table(tmp_path, monkeypatch)
    steps = steps_with_late()
    monkeypatch.setattr(schema, "migrations", lambda: steps)
    for _ in range(2):
        store = SqliteStore(tmp_path)
        assert store.database.rows("SELECT id FROM late") == []
        assert store.database.number("PRAGMA user_version") == steps[-1][0]
        store.close()


def test_a_lower_number_that_comes_later_is_applied_to_postgresql(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    PostgresStore(postgres_url).close()
    steps = steps_with_late()
    monkeypatch.setattr(postgres, "migrations", lambda: steps)
    for _ in range(2):
        store = PostgresStore(postgres_url)
        assert store.database.rows("SELECT id FROM late") == []
        store.close()


def test_a_number_between_ours_that_we_do_not_know_is_of_a_newer_version(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.database.execute("INSERT INTO schema_step VALUES (35, 0)")
    store.close()
    with pytest.raises(SchemaTooNew, match="schema 35"):
        SqliteStore(tmp_path)


def test_a_migration_that_fails_leaves_nothing_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore(tmp_path).close()
    broken = [*schema.migrations(), (9000, "CREATE TABLE half (id INTEGER); SELECT 1 FROM nowhere;")]
    with monkeypatch.context() as patched:
        patched.setattr(schema, "migrations", lambda: broken)
        with pytest.raises(apsw.SQLError, match="nowhere"):
            SqliteStore(tmp_path)
    store = SqliteStore(tmp_path)
    assert store.database.rows("SELECT name FROM sqlite_master WHERE name = 'half'") == []
    store.close()
