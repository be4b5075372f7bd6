"""What differs between failing and good requests, with enough of both and not otherwise."""

from __future__ import annotations

from fivehundred.diagnosis.differs import differs


def test_a_value_that_is_frequent_where_it_fails_and_rare_where_not_is_named_first() -> None:
    failing = {"host": {"web-1": 1, "web-3": 19}, "method": {"GET": 20}, "release": {"2": 12, "1": 8}}
    good = {"host": {"web-1": 50, "web-3": 50}, "method": {"GET": 100}, "release": {"2": 10, "1": 90}}
    found = differs(failing, good)
    assert [(d.name, d.value) for d in found] == [("release", "2"), ("host", "web-3")]
    assert found[1].sentence == "95% of what fails has host web-3, and 50% of what goes well"


def test_a_value_that_no_good_request_has_is_named() -> None:
    assert [d.good for d in differs({"host": {"new": 9}}, {"host": {"old": 30}})] == [0.0]


def test_few_requests_on_either_side_say_nothing() -> None:
    assert differs({"host": {"a": 4}}, {"host": {"b": 30}}) == []
    assert differs({"host": {"a": 9}}, {"host": {"b": 19}}) == []
    assert differs({"host": {"a": 9}}, {}) == []
