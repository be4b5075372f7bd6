"""Two digest workers on one PostgreSQL do not wait for each other, unless both may open the same incident."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from fivehundred.console.digest_follow import follow
from fivehundred.console.store.base import Batch, Digested, FaultNews
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.fingerprint.model import Key

now = 1_790_000_000.0
Make = Callable[..., Digested]


class Worker:
    """Writes one batch on a thread, and stays inside its transaction until it is let go."""

    def __init__(self, url: str, *events: Digested) -> None:
        self._store = PostgresStore(url)
        self._events = list(events)
        self.written, self.go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self, *, waits: bool = False) -> Worker:
        if not waits:
            self.go.set()
        self._thread.start()
        return self

    def end(self) -> None:
        self.go.set()
        self._thread.join(30)

    def _run(self) -> None:
        def within(news: Sequence[FaultNews]) -> None:
            follow(self._store.database, news, now=now)
            self.written.set()
            self.go.wait(20)

        self._store.write(Batch(events=self._events), now=now, within=within)
        self._store.close()


@pytest.fixture
def pg(postgres_url: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(postgres_url)
    yield opened
    opened.close()


def quiet(pg: PostgresStore, make: Make, project: str) -> None:
    """A fault that has come for days: one more event of it is nothing to look into."""
    for hour in range(48, 1, -4):
        at = now - 3_600.0 * hour
        pg.write(Batch(events=[make(f"old{project}", at=at, project=project)]), now=at)


def test_workers_of_different_projects_do_not_wait_for_each_other(
    pg: PostgresStore, postgres_url: str, make: Make
) -> None:
    for project in ("1", "2"):
        quiet(pg, make, project)
    first = Worker(postgres_url, make("old1", project="1")).start(waits=True)
    assert first.written.wait(10)
    second = Worker(postgres_url, make("old2", project="2")).start()
    try:
        assert second.written.wait(10)
    finally:
        first.end()
        second.end()


def test_two_workers_that_see_the_same_outage_open_one_incident(
    pg: PostgresStore, postgres_url: str, make: Make
) -> None:
    for project in ("1", "2"):
        quiet(pg, make, project)

    def outage(project: str) -> list[Digested]:
        key = Key("outage", f"db{project}", (("family", "postgresql"), ("peer", "db:5432")))
        events = [make(f"db{project}", project=project) for _ in range(9)]
        return [replace(e, fingerprint=replace(e.fingerprint, keys=(key,))) for e in events]

    first = Worker(postgres_url, *outage("1")).start(waits=True)
    assert first.written.wait(10)
    second = Worker(postgres_url, *outage("2")).start()
    time.sleep(0.3)
    assert not second.written.is_set()  # it must see what the first one decided
    first.end()
    second.end()
    members = pg.database.rows("SELECT incident, count(DISTINCT project) FROM incident_fault GROUP BY incident")
    assert members == [(members[0][0], 2)]
