"""An event read by pieces, or as an outline, is the event that reading it plainly gives: the first time and again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.console.digest_counted import Outlines
from fivehundred.console.digest_outline import outline
from fivehundred.console.digest_pieces import Reader
from fivehundred.event import Event, parse
from fivehundred.event_wire import to_wire
from fivehundred.scrub import scrub

texts = st.sampled_from(
    ["", "a", "x@y.org", "password=hunter22", "Bearer abcdefgh", "5150", "é", '"vars":{"a":1}', "\\"]
)
values = st.recursive(
    texts | st.none() | st.integers(0, 9**9) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
held = st.none() | st.dictionaries(
    st.sampled_from(["self", "token", "vars", "context_line", 'x"vars']), values, max_size=3
)
frames = st.none() | st.fixed_dictionaries(
    {"function": texts},
    optional={"module": texts, "lineno": st.integers(0, 99), "context_line": texts, "vars": held, "data": held},
)
exceptions = st.none() | st.fixed_dictionaries(
    {"type": texts, "value": values},
    optional={
        "stacktrace": st.none() | st.fixed_dictionaries({"frames": st.lists(frames, max_size=3)}),
        "module": texts,
    },
)
events = st.fixed_dictionaries(
    {"event_id": st.just("ab" * 16), "timestamp": st.just(1.79e9)},
    optional={
        "exception": st.fixed_dictionaries({"values": st.lists(exceptions, max_size=3)}),
        "tags": st.dictionaries(texts, texts, max_size=2),
        "contexts": st.dictionaries(texts, st.dictionaries(texts, values, max_size=2), max_size=2),
        "request": st.fixed_dictionaries({"url": texts, "method": texts}),
        "modules": st.dictionaries(texts, texts, max_size=2),
        "extra": held,
        "message": values,
        "level": texts,
        "release": texts,
        "user": held,
        "fingerprint": values,
    },
)


def plainly(wire: dict[str, Any]) -> Event:
    return parse(wire, received_at=1.8e9)


failed = {"type": "E", "value": "", "stacktrace": {"frames": [{"function": "f"}]}}


@given(event=events)
@example(event={"event_id": "ab" * 16, "timestamp": 1.79e9, "exception": {"values": [failed, None]}})
@settings(max_examples=150, deadline=None)
def test_pieces_make_the_same_event_and_payload(event: dict[str, Any]) -> None:
    reader, image = Reader(), json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    wire = scrub(msgspec.json.decode(image))
    for _ in range(2):
        pieces = reader.read(image)
        assert pieces is not None
        made = parse(pieces.wire, received_at=1.8e9, is_clean=True)
        pieces.put(made)
        assert to_wire(made) == to_wire(plainly(wire))
        assert msgspec.json.decode(pieces.payload(made)) == {**wire, "timestamp": made.timestamp}


@given(event=events)
@settings(max_examples=150, deadline=None)
def test_an_outline_makes_the_same_event(event: dict[str, Any]) -> None:
    outlines, found = Outlines(), outline(json.dumps(event).encode())
    assert found is not None
    for _ in range(2):
        assert to_wire(outlines.read(dict(found), plainly)) == to_wire(plainly(scrub(found)))


def test_a_long_stack_keeps_both_of_its_ends() -> None:
    stack = [{"function": f"f{n}", "vars": {"n": n}} for n in range(limits.frames_max + 100)]
    event = {"exception": {"values": [{"type": "E", "stacktrace": {"frames": stack}}]}}
    pieces = Reader().read(json.dumps(event).encode())
    stack_read = pieces.stacks[0] if pieces else None
    assert stack_read is not None
    made = stack_read.frames
    assert len(made) == limits.frames_max
    assert (made[0].vars, made[-1].vars) == ({"n": 0}, {"n": limits.frames_max + 99})


@pytest.mark.parametrize(
    "payload",
    [
        b'{"new_in_2031":1}',
        b'{"message":"\\u0000"}',
        b'{"exception":[{"type":"E"}]}',
        b'{"exception":{"values":[{"type":"E","stacktrace":{"frames":["f"]}}]}}',
        b'{"exception":{"values":[{"type":"E","stacktrace":{"frames":[{"vars":{"a":"\xff"}}]}}]}}',
        b"[]",
        b'{"a":',
    ],
)
def test_another_form_than_the_usual_one_is_left_to_the_plain_way(payload: bytes) -> None:
    assert Reader().read(payload) is None
