"""Plays scenarios and judges what was said of them."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from typing import Final

from tests.scenarios.scenario import Scenario, Skip, catalogue
from tests.scenarios.stage import Stage, ways

from fivehundred.diagnosis.diagnose import diagnose

modules = (
    "bugs",
    "attacks",
    "surroundings",
    "network",
    "postgres",
    "postgres_sessions",
    "stores",
    "others",
    "elsewhere",
)


@dataclass(slots=True)
class Played:
    """One scenario in one way, with the diagnosis of its event."""

    id: str
    way: str
    expected: str
    transient_expected: str
    cause: str = ""
    confidence: str = ""
    transient: str = ""
    rule: str = ""
    sentence: str = ""
    twin: bool = False
    evidence: bool = False
    ms: float = 0.0
    skipped: str = ""
    failed: str = ""

    @property
    def right(self) -> bool:
        return self.cause == self.expected


def load() -> dict[str, Scenario]:
    for name in modules:
        importlib.import_module(f"tests.scenarios.{name}")
    return catalogue


def play(one: Scenario, way: str) -> Played:
    if one.alone:
        return _alone(one, way)
    return play_here(one, way)


def play_here(one: Scenario, way: str) -> Played:
    played = Played(one.id, way, one.cause, one.transient)
    for need, package in (("mysql", "pymysql"), ("redis", "redis")):
        if need in one.needs and importlib.util.find_spec(package) is None:
            played.skipped = f"{package} is not installed"
            return played
    if "root" in one.needs and os.geteuid() != 0:
        played.skipped = "only root may limit or mount that"
        return played
    try:
        with Stage(way) as stage:
            one.play(stage)
            event = stage.event()
        started = time.perf_counter()
        diagnosis = diagnose(event)
        played.ms = (time.perf_counter() - started) * 1000
    except Skip as reason:
        played.skipped = str(reason)
        return played
    except Exception:
        played.failed = traceback.format_exc(limit=-3)
        return played
    played.cause, played.confidence, played.transient = diagnosis.cause, diagnosis.confidence, diagnosis.transient
    played.rule, played.sentence = diagnosis.rule, diagnosis.sentence
    played.twin = diagnosis.cause in one.twins or diagnosis.rule in one.twins
    text = "\n".join(f"{fact.kind} {fact.subject} {fact.value} {fact.text}" for fact in diagnosis.evidence)
    played.evidence = re.search(one.evidence, text) is not None
    return played


def _alone(one: Scenario, way: str) -> Played:
    command = [sys.executable, "-m", "tests.scenarios.run", "--here", one.id, "--way", way]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_play_s_max, check=False)
    except subprocess.TimeoutExpired:
        return Played(one.id, way, one.cause, one.transient, failed=f"not done after {_play_s_max} s")
    line = next((line for line in done.stdout.splitlines() if line.startswith('{"id"')), "")
    if not line:
        said = (done.stderr or done.stdout)[-600:]
        return Played(one.id, way, one.cause, one.transient, failed=f"exit {done.returncode}: {said}")
    return Played(**json.loads(line))


_play_s_max: Final = 240  # most take two; a busy machine may take its time


def as_line(played: Played) -> str:
    return json.dumps(asdict(played))


def ways_of(one: Scenario) -> tuple[str, ...]:
    return one.ways or ways
