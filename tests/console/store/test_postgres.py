"""What the PostgreSQL store does that SQLite's need not: many writers, a server that goes away, a strict database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fivehundred.console.store.base import (
    Batch,
    Digested,
    FaultQuery,
    SchemaTooNew,
    Store,
    StoreError,
    StoreUnavailable,
    Tally,
)
from fivehundred.console.store.postgres import PostgresStore, translated
from fivehundred.console.store.postgres_database import translate

now = 1_790_000_000.0
Make = Callable[..., Digested]


@pytest.fixture
def pg(postgres_url: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(postgres_url)
    yield opened
    opened.close()


def counts(store: Store, project: str) -> tuple[int, int, int]:
    """Events of the faults, of the hours, and kept payloads."""
    faults = store.faults(FaultQuery(project=project, limit=200), now=now).faults
    hours = store.stats(project, hours=24, now=now).events
    kept = store.database.number("SELECT count(*) FROM event WHERE project = ?", (project,)) or 0
    return sum(fault.events for fault in faults), hours, kept


def side_by_side(*acts: Callable[[], None]) -> list[BaseException]:
    failed: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


@pytest.mark.parametrize("projects", [["1", "1", "1"], ["1", "2", "3"]], ids=["one project", "three"])
def test_several_workers_write_at_the_same_time_and_the_counts_are_exact(
    pg: PostgresStore, postgres_url: str, make: Make, projects: list[str]
) -> None:
    shared = {p: [make(f"k{n % 7}", project=p, user={"id": str(n % 9)}) for n in range(60)] for p in set(projects)}

    def work(project: str) -> None:
        store = PostgresStore(postgres_url)
        for n in range(0, 60, 15):  # every worker of a project delivers the same events, and some of its own
            own = [make(f"k{m % 7}", project=project) for m in range(10)]
            tally = Tally(project, "received", "event", "", "", 25)
            store.write(Batch(events=[*shared[project][n : n + 15], *own], tallies=[tally]), now=now)
        store.close()

    assert side_by_side(*(lambda project=project: work(project) for project in projects)) == []
    for project in set(projects):
        expected = 60 + 40 * projects.count(project)
        assert counts(pg, project) == (expected, expected, expected)
        received = [t.quantity for t in pg.stats(project, hours=1, now=now).tallies if t.outcome == "received"]
        assert received == [100 * projects.count(project)]


def test_pages_change_states_while_workers_write_and_no_change_is_lost(
    pg: PostgresStore, postgres_url: str, make: Make
) -> None:
    pg.write(Batch(events=[make(f"k{n}") for n in range(10)]), now=now)

    def write() -> None:
        store = PostgresStore(postgres_url)
        for _ in range(15):
            store.write(Batch(events=[make(f"k{n}") for n in range(10)]), now=now)
        store.close()

    def mute() -> None:
        store = PostgresStore(postgres_url)
        for fault in range(1, 11):
            assert store.set_state([fault], "muted", by="ada", now=now) == 1
        store.close()

    assert side_by_side(write, mute) == []
    muted = pg.faults(FaultQuery(state="muted"), now=now)
    assert (muted.total, {fault.events for fault in muted.faults}) == (10, {16})


def test_a_server_that_is_restarted_in_mid_batch_loses_and_doubles_nothing(
    pg: PostgresStore, postgres: Any, make: Make
) -> None:
    begun: list[int] = []

    def restart_once(_: object) -> None:
        begun.append(1)
        if len(begun) == 1:
            postgres.server.stop()
            postgres.server.start()

    events = [make(f"k{n % 5}") for n in range(40)]
    batch = Batch("9:9", events, tallies=[Tally("1", "received", "event", "", "", 40)])
    pg.write(batch, now=now, within=restart_once)
    assert len(begun) == 2
    assert counts(pg, "1") == (40, 40, 40)
    assert pg.offset() == "9:9"
    assert all(pg.event(one.event.event_id).payload for one in events)


def test_a_commit_whose_answer_was_lost_is_not_done_again(
    pg: PostgresStore, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, commits = pg._database, list[int]()
    real = database._commit

    def answer_lost() -> None:
        real_unsure = str(database.rows("SELECT CAST(pg_current_xact_id() AS TEXT)")[0][0])
        real()
        if not commits:
            commits.append(1)
            database.close()
            database.unsure = real_unsure
            raise StoreUnavailable("the connection broke")

    monkeypatch.setattr(database, "_commit", answer_lost)
    batch = Batch(events=[make()], tallies=[Tally("1", "received", "event", "", "", 1)])
    pg.write(batch, now=now)
    assert {t.outcome: t.quantity for t in pg.stats("1", hours=1, now=now).tallies} == {"kept": 1, "received": 1}


def test_what_reads_goes_on_after_a_restart(pg: PostgresStore, postgres: Any) -> None:
    pg.create_project("shop", now=now)
    postgres.server.stop()
    with pytest.raises(StoreUnavailable, match="is it running"):
        pg.projects()
    postgres.server.start()
    assert [project.name for project in pg.projects()] == ["shop"]


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d pair", "\udc00", "\0\ud800"])
def test_what_a_database_cannot_hold_is_mended(store: Store, make: Make, text: str) -> None:
    event = make("k", tags={"t": "x"}, user={"id": "u"})
    event.event.tags["t"] = event.event.server_name = event.event.release = text
    store.write(Batch(events=[event], tallies=[Tally("1", "dropped", text, text, text, 1)]), now=now)
    assert store.fault(1, now=now).fault.events == 1
    assert store.event(event.event.event_id).summary.host


def test_an_empty_database_is_made_ready_by_whoever_comes_first(postgres: Any) -> None:
    postgres._run("CREATE DATABASE several")
    url = postgres.url("several")
    assert side_by_side(*[lambda: PostgresStore(url).close()] * 4) == []
    postgres.drop("several")


def test_a_database_of_a_newer_version_is_refused(pg: PostgresStore, postgres_url: str) -> None:
    pg.database.execute("INSERT INTO schema_step VALUES (9999, now())")
    with pytest.raises(SchemaTooNew, match="9999"):
        PostgresStore(postgres_url)


@pytest.mark.parametrize(
    "url", ["postgresql://demo:geheim@127.0.0.1:1/x", "postgresql://demo:geheim@/x?host=/nowhere", "postgresql://demo:geheim@:x/"]
)  # fmt: skip
def test_an_address_where_nothing_answers_is_said_without_the_password(url: str) -> None:
    with pytest.raises(StoreError) as told:
        PostgresStore(url)
    assert "geheim" not in str(told.value)


def test_a_missing_database_is_said(postgres: Any) -> None:
    with pytest.raises(StoreError, match="check user, password, database"):
        PostgresStore(postgres.url("nowhere"))


def test_a_readonly_store_changes_nothing(pg: PostgresStore, postgres_url: str) -> None:
    reader = PostgresStore(postgres_url, readonly=True)
    with pytest.raises(StoreError, match="read-only"):
        reader.create_project("shop", now=now)
    assert list(reader.projects()) == []
    reader.close()


def test_each_spool_has_an_offset_of_its_own(postgres_url: str) -> None:
    first, second = PostgresStore(postgres_url, spool="a"), PostgresStore(postgres_url, spool="b")
    first.write(Batch("1:1"), now=now)
    assert (first.offset(), second.offset()) == ("1:1", "")
    first.close()
    second.close()


def test_question_marks_in_quotes_stay_as_they_are() -> None:
    assert translate("SELECT ? WHERE a = '?''?' AND b = ?") == "SELECT $1 WHERE a = '?''?' AND b = $2"


def test_types_are_translated_and_names_are_not() -> None:
    assert translated("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, real_at REAL, b BLOB)") == (
        "CREATE TABLE t (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, real_at DOUBLE PRECISION, b BYTEA)"
    )
