"""The five causes of the demo, really raised, captured by the Guard, sent over the wire form, diagnosed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
import sqlalchemy
from sqlalchemy.pool import QueuePool

from fivehundred import event, event_wire
from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.diagnosis.quick import quick
from fivehundred.guard.capture import About, capture
from fivehundred.guard.request import RequestParts


def missing_variable() -> object:
    return os.environ["PAYMENT_API_KEY_THAT_NOBODY_SET"]


def zero_division() -> object:
    return 1 / 0


def refused() -> object:
    return sqlalchemy.create_engine("postgresql+psycopg://x@127.0.0.1:1/x").connect()


def pool_exhausted() -> None:
    engine = sqlalchemy.create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with engine.connect():
        engine.connect()


def injected() -> None:
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("SELECT username FROM users WHERE username = '" + "O'Brien" + "'")


def misspelt() -> None:
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("SELEC 1")


def raised(fail: Callable[[], object]) -> Exception:
    try:
        fail()
    except Exception as exc:
        return exc
    raise AssertionError("it did not fail")


def diagnosed(fail: Callable[[], object], query: str = "") -> Diagnosis:
    parts = RequestParts(method="GET", host="h", path="/x", query=query, route="/x")
    captured = capture(raised(fail), parts, About(app_paths=(os.path.dirname(__file__),)))
    return diagnose(event.parse(event_wire.to_wire(captured), received_at=time.time()))


@pytest.mark.parametrize(
    ("fail", "rule"),
    [
        (missing_variable, "misconfiguration.variable_missing"),
        (zero_division, "bug.code"),
        (refused, "database.refused"),
        (pool_exhausted, "overload.pool"),
        (injected, "security.sql_injection"),
        (misspelt, "bug.statement"),
    ],
)
def test_each_cause_is_named_by_its_rule_and_not_merely_possible(fail: Callable[[], object], rule: str) -> None:
    diagnosis = diagnosed(fail, "name=O%27Brien")
    assert diagnosis.rule == rule
    assert diagnosis.confidence in ("certain", "likely")


def test_a_quote_in_a_request_that_stands_in_no_statement_is_no_injection() -> None:
    assert diagnosed(misspelt, "name=O%27Neill").cause == "bug"


def test_a_database_that_is_down_and_a_full_pool_are_503_with_a_wait() -> None:
    down, full = quick(raised(refused)), quick(raised(pool_exhausted))
    assert (down.status, full.status) == (503, 503)
    assert down.public == "Failed to connect to the database."
    assert down.retry_after_s is not None
    assert full.retry_after_s is not None
