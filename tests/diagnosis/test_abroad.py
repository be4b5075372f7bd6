"""What is said of failures that other runtimes and uninstalled clients raised for real (``abroad/record.py``)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.diagnosis.abroad.record import lines
from tests.diagnosis.elsewhere import Elsewhere, macro_f1

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.event import parse
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint

# What nobody could tell from these events: a refused port that is nobody's well-known one, with no frame, class or line
# of a client; a status that only the response object held; a missing socket file, whose daemon may be down.
silent = {
    "node: pg down",
    "node: amqplib down",
    "go: pq down",
    "go: mysql down",
    "python: influx 401",
    "python: docker socket",
    "node: node exec",
}


def _one(line: dict[str, Any]) -> Elsewhere:
    return Elsewhere(line["name"], line["cause"], line["transient"], parse(line["event"], received_at=1.8e9))


recorded = [_one(line) for line in lines()]


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in recorded])
def test_the_cause_is_told_of_what_other_languages_raise(one: Elsewhere) -> None:
    said = diagnose(one.event)
    if one.name not in silent:
        assert said.cause == one.cause, said.sentence
    assert said.cause == one.cause or said.confidence != "certain"
    assert len(said.runbook) == 6


def test_most_of_it_is_right_and_nothing_certain_is_wrong() -> None:
    assert len(recorded) > 200
    assert macro_f1(recorded) > 0.95


# One resource for several callers, and what nobody could tell apart without the lines of Java's lambdas.
together = {
    frozenset(names)
    for names in (
        ("pdo mysql denied", "pdo mysql no database"),
        ("node: fetch refused", "node: pg down", "node: mysql2 down", "node: amqplib down"),
        ("go: http refused", "go: pq down", "go: pgx down", "go: mysql down"),
        ("go: file", "go: read-only"),
        ("java: null", "java: env"),
        ("java: number", "java: future"),
        ("python: minio refused", "python: boto3 nobody", "python: stripe nobody"),
        ("pg down", "activerecord down"),
    )
}


def test_each_failure_of_another_language_is_a_fault_of_its_own() -> None:
    groups: dict[tuple[str, str], list[str]] = {}
    memories: dict[str, Memory] = {}
    for one in recorded:
        memory = memories.setdefault(one.event.platform, Memory())
        groups.setdefault((one.event.platform, fingerprint(one.event, memory).primary.value), []).append(one.name)
    assert {frozenset(names) for names in groups.values() if len(names) > 1} <= together
