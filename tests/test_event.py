"""The tolerant parser: any JSON is an Event or an EventError, and what it gives is clean, bounded and stable."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.event import Event, EventError, clean_id, parse, text, tree
from fivehundred.event_wire import to_wire

now = 1_790_000_000.0

texts = st.text(max_size=30) | st.sampled_from(["", "\0", "a\0b", "\ud800", "é", "x" * 9000, "{{auto}}", "NaN"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
_frame_fields = [
    "filename", "abs_path", "module", "function", "lineno", "colno", "context_line", "in_app", "vars",
]  # fmt: skip
_fields = [
    "tags", "user", "contexts", "extra", "modules", "fingerprint", "sdk", "level", "logentry", "message", "transaction",
    "culprit", "release", "environment", "server_name", "platform", "type", "logger", "sentry.interfaces.Exception",
    "sentry.interfaces.Http", "sentry.interfaces.Message",
]  # fmt: skip
frames = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("filename", "abs_path", "module", "function", "lineno", "colno", "context_line", "in_app", "vars"),
        values | texts,
    )
    | {name: st.lists(values, max_size=4) | values for name in ("pre_context", "post_context")},
)
stacks = st.fixed_dictionaries({"frames": st.lists(frames | values, max_size=4)}) | values
exceptions = st.fixed_dictionaries(
    {}, optional={"type": values, "value": values, "module": values, "mechanism": values, "stacktrace": stacks}
)
wires = st.fixed_dictionaries(
    {},
    optional={
        "event_id": values | st.uuids().map(str),
        "timestamp": values | st.floats(0, 3e9) | st.datetimes().map(str),
        "exception": st.fixed_dictionaries({"values": st.lists(exceptions | values, max_size=3)}) | values,
        "stacktrace": stacks,
        "breadcrumbs": st.lists(st.dictionaries(texts, values, max_size=3), max_size=3) | values,
        "request": st.dictionaries(
            st.sampled_from(["url", "data", "headers", "cookies", "query_string", "env"]), values
        ),
    }
    | dict.fromkeys(_fields, values),
)  # fmt: skip


@given(values | wires)
@example([])
@example({"exception": {"values": [None, {}, {"stacktrace": None}, {"stacktrace": {"frames": [None, {}]}}]}})
@example({"timestamp": 10**400, "extra": {"n": 10**5000, "f": math.nan}})
def test_any_json_is_an_event_or_an_event_error(raw: Any) -> None:
    try:
        event = parse(raw, received_at=now)
    except EventError:
        assert not isinstance(raw, dict)
    else:
        assert isinstance(event, Event)
        assert clean_id(event.event_id) == event.event_id
        assert event.level in ("debug", "info", "warning", "error", "fatal")


@given(wires)
def test_what_is_parsed_can_be_written_as_strict_utf8_json_without_nul(raw: Any) -> None:
    wire = to_wire(parse(raw, received_at=now))
    written = json.dumps(wire, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert b"\\u0000" not in written


@given(wires)
@settings(max_examples=200)
def test_the_wire_form_is_stable(raw: Any) -> None:
    wire = to_wire(parse(raw, received_at=now))
    assert to_wire(parse(json.loads(json.dumps(wire)), received_at=now)) == wire


@given(wires)
def test_the_payload_is_left_as_it_was(raw: Any) -> None:
    before = json.dumps(raw)
    event = parse(raw, received_at=now)
    for frame in [f for x in event.exceptions for f in x.frames]:
        frame.vars["more"] = 1
        frame.pre_context.append("more")
    event.tags["more"] = event.modules["more"] = ""
    assert json.dumps(raw) == before


@given(values, st.integers(5, 50))
def test_text_is_never_longer_than_asked_for_and_never_fails(value: Any, chars_max: int) -> None:
    found = text(value, chars_max)
    assert len(found) <= chars_max
    found.encode()


def test_trees_are_pruned_at_the_depth_limit_however_deep_they_are() -> None:
    deep: Any = "end"
    for _ in range(900):
        deep = [deep] if len(str(type(deep))) % 2 else {"k": deep}
    pruned, depth = tree(deep), 0
    while isinstance(pruned, list | dict):
        pruned = next(iter(pruned.values() if isinstance(pruned, dict) else pruned))
        depth += 1
    assert (pruned, depth) == ("…", limits.json_depth_max)


def test_lists_are_cut_with_both_ends_of_a_stack_and_the_newest_breadcrumbs_kept() -> None:
    raw = {
        "exception": {"values": [{"stacktrace": {"frames": [{"lineno": n} for n in range(1000)]}}] * 60},
        "breadcrumbs": [{"message": str(n)} for n in range(300)],
        "tags": {f"t{n}": "v" for n in range(500)},
    }
    event = parse(raw, received_at=now)
    lines = [f.lineno for f in event.exceptions[0].frames]
    assert (len(lines), lines[0], lines[-1]) == (limits.frames_max, 0, 999)
    assert len(event.exceptions) == limits.exceptions_max
    assert [event.breadcrumbs[0].message, event.breadcrumbs[-1].message] == ["200", "299"]
    assert len(event.tags) == limits.tags_max


@pytest.mark.parametrize(
    ("raw", "tags"),
    [
        ({"a": "b", "n": 1, "t": True, "none": None}, {"a": "b", "n": "1", "t": "true"}),
        ([["a", "b"], ["c"], None, ["d", None]], {"a": "b"}),
        ([{"key": "a", "value": "b"}], {"a": "b"}),
        ({"long": "x" * 300}, {"long": "x" * 199 + "…"}),
        ("nonsense", {}),
    ],
)
def test_tags_come_in_three_forms(raw: Any, tags: dict[str, str]) -> None:
    assert parse({"tags": raw}, received_at=now).tags == tags


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (1_789_000_000, 1_789_000_000.0),
        ("2026-09-10T01:46:40Z", 1_789_004_800.0),
        ("2026-09-10T01:46:40", 1_789_004_800.0),
        ("1789000000.5", 1_789_000_000.5),
        (12, now),
        ("next week", now),
        (now + 2 * 86_400, now),
        (None, now),
    ],
)
def test_a_timestamp_is_read_or_the_time_of_receipt_stands_in(raw: Any, seconds: float) -> None:
    assert parse({"timestamp": raw}, received_at=now).timestamp == seconds


def test_the_envelopes_id_wins_and_a_bad_one_is_replaced() -> None:
    own, outer = "a" * 32, "b" * 32
    assert parse({"event_id": own}, received_at=now, event_id=outer).event_id == outer
    assert parse({"event_id": own.upper()}, received_at=now).event_id == own
    assert len(parse({"event_id": "nonsense"}, received_at=now).event_id) == 32


def test_a_log_template_is_filled_in_only_where_that_is_plain() -> None:
    entry = {"message": "%s of %s", "params": ["1", 2]}
    event = parse({"logentry": entry}, received_at=now)
    assert (event.message, event.message_template) == ("1 of 2", "%s of %s")
    odd = parse({"logentry": {"message": "%(a)s of %s", "params": ["1"]}}, received_at=now)
    assert odd.message == "%(a)s of %s"
