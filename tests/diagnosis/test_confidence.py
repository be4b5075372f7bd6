"""Confidence follows one rule: what was seen, and from how many sides."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fivehundred import event
from fivehundred.diagnosis.confidence import confidence
from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.diagnosis.model import Diagnosis, Fact, History, Strength


def fact(kind: str, strength: Strength = "strong", source: str = "x") -> Fact:
    return Fact(kind, "s", "v", strength, source, "t")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([fact("errno", "decisive")], "likely"),
        ([fact("errno", "decisive"), fact("class"), fact("message", "decisive"), fact("frame", "decisive")], "likely"),
        ([fact("errno", "decisive"), fact("probe", "decisive")], "certain"),
        ([fact("errno", "decisive"), fact("pool")], "certain"),
        ([fact("errno", "decisive"), fact("probe", "weak")], "likely"),
        ([fact("env", "decisive"), fact("env", "strong", "contexts.fivehundred.env_missing")], "certain"),
        ([fact("class"), fact("resource")], "likely"),
        ([fact("class")], "possible"),
        ([fact("class", "weak")], "possible"),
    ],
)
def test_one_chain_of_exceptions_is_one_observation(facts: list[Fact], expected: str) -> None:
    assert confidence(facts) == expected


def refused(**ours: Any) -> Diagnosis:
    mechanism = {"type": "chained", "data": {"driver": "psycopg", "peer": "10.0.0.5:5432"}}
    value = 'connection to server at "10.0.0.5", port 5432 failed: Connection refused'
    exception = {"type": "OperationalError", "module": "psycopg", "value": value, "mechanism": mechanism}
    wire = {"exception": {"values": [exception]}, "contexts": {"fivehundred": {"route": "/users", **ours}}}
    return diagnose(event.parse(wire, received_at=time.time()), History())


down = {"peer": "10.0.0.5:5432", "kind": "postgresql", "state": "refused", "code": "ECONNREFUSED"}
ready = {"peer": "10.0.0.5:5432", "kind": "postgresql", "state": "ready"}


def test_a_refused_probe_alone_does_not_exclude_a_wrong_port() -> None:
    assert refused(probes=[down]).confidence == "likely"


def test_down_is_certain_once_the_address_has_worked_in_this_process() -> None:
    diagnosis = refused(probes=[down], worked={"10.0.0.5:5432": time.time() - 40})
    assert (diagnosis.rule, diagnosis.confidence) == ("database.refused", "certain")
    assert diagnosis.ruled_out[0].startswith("Not a wrong address: 10.0.0.5:5432 worked 40 s ago")


def test_a_healthy_probe_rules_out_that_the_database_is_down() -> None:
    diagnosis = refused(probes=[ready])
    assert diagnosis.rule != "database.refused"
    assert any("a database that is down" in reason for reason in diagnosis.ruled_out)


def test_a_watched_process_that_never_reached_the_address_has_a_wrong_one() -> None:
    diagnosis = refused(probes=[down], pools=[{"name": "shop", "checked_out": 0, "size": 5}], worked={})
    assert diagnosis.cause == "misconfiguration"
    assert diagnosis.confidence != "certain"


def test_a_full_pool_is_certain_only_when_the_requests_that_hold_it_are_counted() -> None:
    exception = {"type": "TimeoutError", "module": "sqlalchemy.exc", "value": "QueuePool limit of size 2 overflow 0"}
    said = {}
    for requests_now in (None, 3, 1):
        ours = {"pools": [{"name": "shop", "checked_out": 2, "size": 2}], "requests_now": requests_now}
        wire = {"exception": {"values": [exception]}, "contexts": {"fivehundred": ours}}
        found = diagnose(event.parse(wire, received_at=time.time()), History())
        said[requests_now] = (found.rule, found.confidence)
    assert said[None] == ("overload.pool", "likely")
    assert said[3] == ("overload.pool", "certain")
    assert said[1] == ("bug.connection_leak", "likely")


def test_no_sentence_says_a_fact_twice_or_sends_people_to_a_drivers_page() -> None:
    diagnosis = refused(probes=[down], worked={"10.0.0.5:5432": time.time() - 40})
    assert diagnosis.sentence == (
        "/users fails because PostgreSQL at 10.0.0.5:5432 is down (certain): it refuses connections (ECONNREFUSED); "
        "10.0.0.5:5432 refuses our probe too (ECONNREFUSED). Not a wrong address: 10.0.0.5:5432 worked 40 s ago. "
        "Do: start PostgreSQL at 10.0.0.5:5432 or repair the way to it; nothing in the code needs to change. "
        "Retrying helps when the database accepts connections again."
    )
