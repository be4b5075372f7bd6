"""The statements around a failure, by each library's own hook, with real databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from fivehundred import Guard, limits
from fivehundred.event import Event
from fivehundred.guard.statements import ran
from fivehundred.guard.testing import reported


@pytest.fixture
def guard() -> Guard:
    return Guard("", mode="testing")


def told(event: Event) -> list[Any]:
    found = event.ours["sql"]
    assert isinstance(found, list)
    return found


def test_sqlalchemys_statements_are_told_with_their_time_and_the_failing_one_last(guard: Guard) -> None:
    engine = create_engine("sqlite://")
    guard.watch(engine)
    flight = guard.begin("GET", "/cart")
    with engine.connect() as connection, reported(guard) as events:
        connection.execute(text("SELECT 1"))
        connection.execute(text("SELECT :card"), {"card": "4111111111111111"})
        try:
            connection.execute(text("SELECT * FROM nowhere"))
        except OperationalError as exc:
            guard.capture(exc)
    flight.end()
    (event,) = events
    assert [entry["statement"] for entry in told(event)] == ["SELECT 1", "SELECT ?", "SELECT * FROM nowhere"]
    assert all(entry["ms"] >= 0 for entry in told(event))
    assert "4111111111111111" not in str(event)


def test_only_the_last_statements_are_kept_and_a_secret_in_one_is_not(guard: Guard) -> None:
    flight = guard.begin("GET", "/cart")
    for number in range(200):
        ran(f"SELECT {number} WHERE password = 'hunter2hunter2'", 0.001)
    with reported(guard) as events:
        guard.capture(LookupError())
    flight.end()
    assert len(told(events[0])) == limits.statements_max
    assert told(events[0])[-1]["statement"] == "SELECT 199 WHERE password = '[scrubbed]'"


def test_outside_of_a_request_nothing_is_kept(guard: Guard) -> None:
    guard.begin("GET", "/cart").end()
    from fivehundred.guard import flight as flights

    flights._flight.set(None)
    ran("SELECT 1", 0.1)
    with reported(guard) as events:
        guard.capture(LookupError())
    assert "sql" not in events[0].ours


def test_what_is_no_text_is_left_out() -> None:
    ran(object(), 0.1)


_django = """
import sys, django
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
from django.db import connection
from fivehundred import Guard
from fivehundred.guard.sql import django as django_sql
guard = Guard("", mode="testing")
connection.ensure_connection()
django_sql.install(); django_sql.install()
flight = guard.begin("GET", "/x")
cursor = connection.cursor()
cursor.execute("SELECT %s", ["4111111111111111"])
try:
    cursor.execute("SELECT * FROM nowhere")
except Exception as exc:
    guard.capture(exc)
print([entry["statement"] for entry in guard.events[0].ours["sql"]])
"""


def test_djangos_statements_are_told(tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", _django], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['SELECT %s', 'SELECT * FROM nowhere']", done.stderr
