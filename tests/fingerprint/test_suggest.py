"""Suggested merges: near keys, with a reason; unlike ones are never suggested."""

from __future__ import annotations

from fivehundred.fingerprint.suggest import Keys, suggested


def keys(fault: int, of: str = "strict", line: str = "", **parts: str) -> Keys:
    return Keys(fault, of, parts, {"line": line} if line else {})


def reason(a: Keys, b: Keys) -> str:
    found = suggested(a, [b], 5)
    return found[0].reason if found else ""


def test_two_states_of_one_resource_are_suggested() -> None:
    one = keys(1, "outage", kind="refused", family="redis", peer="c:6379")
    assert "two states of one resource" in reason(one, keys(2, "outage", kind="lost", family="redis", peer="c:6379"))
    assert reason(one, keys(2, "outage", kind="lost", family="redis", peer="d:6379")) == ""


def test_messages_that_differ_in_one_word_are_suggested() -> None:
    one = keys(1, type="E", site="a.f", message="card of north bank")
    assert "one word only" in reason(one, keys(2, type="E", site="a.f", message="card of south bank"))
    assert reason(one, keys(2, type="E", site="a.f", message="no such order")) == ""


def test_the_same_line_at_another_place_is_suggested() -> None:
    one = keys(1, line="x", type="E", site="a.f")
    assert "the same line" in reason(one, keys(2, line="x", type="E", site="b.g"))
    assert reason(one, keys(2, line="y", type="E", site="b.g")) == ""
    assert reason(one, keys(2, line="x", type="F", site="b.g")) == ""


def test_the_nearest_stand_first_and_no_fault_is_suggested_to_itself() -> None:
    one = keys(1, line="x", type="E", site="a.f")
    others = [one, keys(2, line="z", type="E", site="a.f"), keys(3, line="x", type="E", site="a.f")]
    assert [s.fault for s in suggested(one, others, 5)] == [3, 2]


def test_what_is_no_fingerprint_is_near_to_nothing() -> None:
    for raw in ({}, {"keys": 1}, {"keys": [1, {"kind": None, "parts": [1, [2]]}]}):
        assert suggested(Keys.of(1, raw), [Keys.of(2, raw)], 5) == []
