"""Which of a request's statements a diagnosis takes for the failing one, with a real database."""

from __future__ import annotations

import time

import sqlalchemy
from sqlalchemy.exc import OperationalError

from fivehundred import Guard, event, event_wire
from fivehundred.diagnosis import statements
from fivehundred.diagnosis.case import case_of
from fivehundred.diagnosis.model import History
from fivehundred.diagnosis.seen.resources import statement_time
from fivehundred.event import Event
from fivehundred.guard.statements import ran
from fivehundred.guard.testing import reported


def failed(*after: str, slow_before: float = 0.0) -> Event:
    """A request that sends statements that go well, one that fails, and ``after`` it others that go well."""
    guard = Guard("", mode="testing")
    engine = sqlalchemy.create_engine("sqlite://")
    guard.watch(engine)
    flight = guard.begin("GET", "/x")
    ran("SELECT innocent FROM slow", slow_before)
    with engine.connect() as connection, reported(guard) as events:
        connection.exec_driver_sql("SELECT 'innocent'")
        try:
            connection.exec_driver_sql("SELECT guilty FROM nowhere")
        except OperationalError as exc:
            for text in after:
                connection.exec_driver_sql(text)
            guard.capture(exc)
    flight.end()
    return event.parse(event_wire.to_wire(events[0]), received_at=time.time())


def places(found: Event) -> list[tuple[str, str]]:
    return [(place, text) for place, text in statements.of(case_of(found, History())) if place.startswith("contexts")]


def test_the_failing_statement_comes_before_those_that_went_well() -> None:
    (place, text), *innocent = places(failed())
    assert (place, text) == ("contexts.fivehundred.sql[2]", "SELECT guilty FROM nowhere")
    assert [text for _, text in innocent] == ["SELECT 'innocent'", "SELECT innocent FROM slow"]


def test_statements_of_an_error_handler_do_not_take_its_place() -> None:
    assert places(failed("SELECT 'after'", "SELECT 'after that'"))[0][1] == "SELECT guilty FROM nowhere"


def test_a_slow_statement_that_went_well_is_no_evidence_of_a_time_out() -> None:
    assert not list(statement_time(case_of(failed(slow_before=30.0), History())))


def test_the_time_of_the_failing_statement_is() -> None:
    found = failed()
    sent = found.ours["sql"]
    assert isinstance(sent, list)
    assert isinstance(sent[-1], dict)
    sent[-1]["ms"] = 30_000.0
    assert [fact.text for fact in statement_time(case_of(found, History()))] == ["the statement ran for 30000 ms"]
