"""Any parsed event gets a fingerprint, the same one from a memory that was saved and loaded on the way."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivehundred.event import parse
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint

words = st.sampled_from(
    ["", "shop.orders", "total", "<lambda>", "__main__", "fail", "KeyError", "x 17 'y'", "\x1f|:", "é"]
)
frame = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("module", "function", "filename", "context_line"), words) | {"lineno": st.integers(0, 9)},
)
exception = st.fixed_dictionaries(
    {
        "type": words,
        "value": words | st.text(max_size=80),
        "stacktrace": st.fixed_dictionaries({"frames": st.lists(frame, max_size=6)}),
    }
)
event = st.fixed_dictionaries(
    {"release": st.sampled_from(["", "1", "2"]), "message": words},
    optional={
        "exception": st.fixed_dictionaries({"values": st.lists(exception, max_size=3)}),
        "fingerprint": st.lists(words),
    },
)


def keys(raw: Any, memory: Memory) -> tuple[object, ...]:
    fp = fingerprint(parse(raw, received_at=1.8e9), memory)
    assert fp.keys
    return (fp.keys, fp.continues, fp.why)


@given(st.lists(event, max_size=12), st.integers(0, 12))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_memory_saved_and_loaded_anywhere_goes_on_the_same(raws: list[Any], cut: int) -> None:
    straight, other = Memory(), Memory()
    for i, raw in enumerate(raws):
        if i == cut:
            other = Memory.from_json(json.loads(json.dumps(other.to_json())))
        assert keys(raw, straight) == keys(raw, other)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=30,
)


@given(st.lists(event, min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_memory_keeps_what_is_whole_and_goes_on(raws: list[Any], data: st.DataObject) -> None:
    memory = Memory()
    for raw in raws:
        keys(raw, memory)
    saved = json.loads(json.dumps(memory.to_json()))
    ids = ["", *(group[0] for group in saved["groups"])]
    for name in ("groups", "places", "order"):
        rows = saved[name]
        for i in range(len(rows)):
            if data.draw(st.booleans()):
                rows[i] = data.draw(junk)
            elif name == "groups" and data.draw(st.booleans()):
                rows[i][data.draw(st.integers(0, 13))] = data.draw(junk | st.sampled_from(ids))
    loaded = Memory.from_json(saved)
    for raw in raws * 2:
        keys(raw, loaded)
    assert Memory.from_json({"version": 1, "groups": data.draw(junk)}).to_json()


def test_huge_and_repetitive_events_cost_milliseconds() -> None:
    frames = [
        {"module": f"m{i % 7}", "function": "f.1" * 150, "context_line": "(" * 900, "lineno": i} for i in range(500)
    ]
    spent = {}
    for text in (
        "'" * 8000,
        "a@" * 4000,
        "http://" * 1100,
        "1." * 4000,
        "env var " * 1000,
        "host=" * 1600,
        "x" * 8000,
        "/a" * 4000,
    ):
        raw = {
            "exception": {"values": [{"type": "Error", "value": text, "stacktrace": {"frames": frames}}] * 3},
            "release": "1",
        }
        parsed = parse(raw, received_at=1.8e9)
        begin = time.thread_time()
        fingerprint(parsed, Memory())
        spent[text[:8]] = time.thread_time() - begin
    assert max(spent.values()) < 2, spent  # a quadratic pattern would take minutes
