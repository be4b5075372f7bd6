"""Records are dataclasses to everybody who asks, and as quick to make."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from fivehundred.diagnosis.model import Step, Verdict
from fivehundred.event import Event, Frame, Sdk
from fivehundred.record import replace


def test_a_record_is_a_dataclass_to_dataclasses() -> None:
    step = Step("logs", "found", "a line")
    assert dataclasses.is_dataclass(step)
    assert [f.name for f in dataclasses.fields(Step)] == ["name", "state", "summary", "lines", "next"]
    assert dataclasses.replace(step, next="read it") == Step("logs", "found", "a line", next="read it")
    assert dataclasses.asdict(step) == {"name": "logs", "state": "found", "summary": "a line", "lines": (), "next": ""}


def test_the_fields_of_a_record_tell_their_defaults() -> None:
    found = {f.name: f for f in dataclasses.fields(Event)}
    assert found["event_id"].default is dataclasses.MISSING
    assert found["level"].default == "error"
    assert found["tags"].default_factory is dict
    assert found["sdk"].default_factory is Sdk


def test_what_is_made_for_each_record_is_not_shared() -> None:
    first, second = Event("a" * 32, 1.0), Event("a" * 32, 1.0)
    first.tags["x"] = "1"
    first.exceptions.append(None)  # type: ignore[arg-type]
    assert (second.tags, second.exceptions, second.sdk) == ({}, [], Sdk())


def test_records_are_equal_by_their_fields_and_to_nothing_else() -> None:
    assert Sdk("a", "1") == Sdk("a", "1") != Sdk("a", "2")
    other: object = ("a", "1")
    assert Sdk("a", "1") != other
    assert "Sdk(name='a', version='1')" in repr(Sdk("a", "1"))
    with pytest.raises(TypeError):
        hash(Sdk("a", "1"))


def test_a_frozen_record_cannot_be_changed_and_can_be_a_key() -> None:
    verdict = Verdict("bug", "no", 500, None, "bug.x", "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.status = 503  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del verdict.status
    assert {verdict: 1}[Verdict("bug", "no", 500, None, "bug.x", "")] == 1


def test_records_are_copied_and_sent_to_other_processes() -> None:
    for value in (Verdict("bug", "no", 500, None, "bug.x", ""), Frame("a.py", lineno=3)):
        assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_a_record_has_no_dict_and_refuses_other_names() -> None:
    with pytest.raises(AttributeError):
        Frame("a.py").surprise = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Frame(surprise=1)  # type: ignore[call-arg]
    assert replace(Frame("a.py"), lineno=4) == Frame("a.py", lineno=4)


def test_a_record_matches_by_position() -> None:
    match Sdk("a", "1"):
        case Sdk(name, version):
            assert (name, version) == ("a", "1")


def test_the_guard_loads_no_dataclasses() -> None:
    code = "import sys, fivehundred.guard.guard; print(*{'dataclasses', 'inspect', 'asyncio'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
