"""The quick part of the scenarios. All of them: ``scripts/scenarios``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.console.running import RunningConsole
from tests.scenarios.play import load, play
from tests.scenarios.scenario import Scenario
from tests.scenarios.stage import Stage

catalogue = load()
quick = [one for one in catalogue.values() if not (one.alone or one.needs)]


behind_the_guard = [one for one in quick if not one.ways or "guard-wsgi" in one.ways]
told_by_the_console = (
    "bg-003 division by zero",
    "mc-001 environment variable missing",
    "db-041 SQLite locked by another writer",
)


@pytest.mark.parametrize("one", behind_the_guard, ids=lambda one: one.id)
def test_what_happened_is_said_of_a_failure_behind_the_guard(one: Scenario) -> None:
    played = play(one, "guard-wsgi")
    if played.skipped:
        pytest.skip(played.skipped)
    assert not played.failed
    said = f"{played.rule}: {played.sentence}"
    assert (played.cause, played.transient) == (one.cause, one.transient), said
    assert played.evidence, said
    assert not played.twin, said


@pytest.mark.parametrize("one", quick[::3], ids=lambda one: one.id)
def test_a_plain_event_of_another_sdk_is_never_certainly_wrong(one: Scenario) -> None:
    if one.ways and "sdk" not in one.ways:
        pytest.skip("the scenario needs the Guard")
    played = play(one, "sdk")
    assert not played.failed
    assert played.right or played.confidence != "certain", played.sentence


@pytest.mark.parametrize("name", told_by_the_console)
def test_the_console_says_the_same_by_its_api(tmp_path: Path, name: str) -> None:
    one = catalogue[name]
    with RunningConsole(tmp_path / "data") as console, Stage("guard-wsgi", dsn=console.dsn) as stage:
        one.play(stage)
        assert stage.guard.flush(10)
        answer = _eventually(console, "/api/v1/faults")
        fault = json.loads(console.get(f"/api/v1/faults/{answer['faults'][0]['id']}")[1])
    assert fault["diagnosis"]["cause"] == one.cause
    assert fault["diagnosis"]["transient"] == one.transient
    assert len(fault["diagnosis"]["runbook"]) == 6


def _eventually(console: RunningConsole, path: str) -> dict[str, list[dict[str, object]]]:
    for _ in range(100):
        status, body = console.get(path)
        found: dict[str, list[dict[str, object]]] = json.loads(body)
        if status == 200 and found["faults"]:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no fault at {path} after 10 s: {body!r}")
