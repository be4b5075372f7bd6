"""Torture by exceptions: whatever is raised is reported, bounded, and none of its code runs unguarded."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.guard.conftest import caught, divide, event_of, hostile, ran, trap

from fivehundred import limits
from fivehundred.guard import message
from fivehundred.guard.capture import About, capture
from fivehundred.guard.request import RequestParts


@pytest.fixture(autouse=True)
def _forget_hung_messages() -> Iterator[None]:
    yield
    message._hung.clear()


def with_str(act: Callable[[Any], Any]) -> BaseException:
    kind = type("Custom", (Exception,), {"__str__": act})
    return caught(lambda: _raise(kind("args", 1)))


def _raise(e: BaseException) -> NoReturn:
    raise e


def test_a_message_of_the_applications_own_making_is_told() -> None:
    exc = with_str(lambda self: f"made of {self.args[1]}")
    assert capture(exc, None, About()).exceptions[-1].value == "made of 1"


@pytest.mark.parametrize(
    "act",
    [lambda self: 1 / 0, lambda self: 17, lambda self: sys.exit(3), lambda self: str(self), lambda self: self.nothing],
    ids=["raises", "wrong type", "exits", "recurses", "missing attribute"],
)
def test_a_message_that_fails_falls_back_to_the_arguments(act: Callable[[Any], Any]) -> None:
    assert capture(with_str(act), None, About()).exceptions[-1].value == "(args, 1)"


def test_a_message_that_hangs_costs_its_deadline_once() -> None:
    forever = threading.Event()
    exc = with_str(lambda self: forever.wait(60))
    started = time.perf_counter()
    assert capture(exc, None, About()).exceptions[-1].value == "(args, 1)"
    first = time.perf_counter() - started
    assert capture(exc, None, About()).exceptions[-1].value == "(args, 1)"
    assert first < 1
    forever.set()


def test_arguments_of_a_built_in_exception_are_not_asked_for_their_text() -> None:
    ran.clear()
    value = hostile(object)()
    event = event_of(lambda: _raise(ValueError(value)))
    assert event.exceptions[-1].value == "<tests.guard.conftest.Hostile>"
    assert ran == []


def test_a_hostile_exception_class_is_reported() -> None:
    ran.clear()
    members: dict[str, Any] = {n: trap(n) for n in ("__getattribute__", "__hash__", "__eq__", "__repr__", "__bool__")}
    kind = type("Bad", (Exception,), members)
    assert event_of(lambda: _raise(kind("x"))).exceptions[-1].value == "x"
    assert ran == []


def test_a_chain_that_ends_in_itself_ends() -> None:
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    assert [x.value for x in event_of(lambda: _raise(a)).exceptions] == ["b", "a"]


def test_groups_fifty_deep_and_chains_of_a_thousand_are_cut() -> None:
    group: Exception = KeyError("leaf")
    for i in range(50):
        group = ExceptionGroup(str(i), [group])
    assert len(event_of(lambda: _raise(group)).exceptions) <= limits.chain_max
    chain = ValueError("0")
    for i in range(1_000):
        following = ValueError(str(i))
        following.__cause__ = chain
        chain = following
    event = event_of(lambda: _raise(chain))
    assert len(event.exceptions) == limits.chain_max
    assert event.exceptions[-1].value == "999"


@pytest.mark.parametrize("text", ["x" * 50_000_000, "\ud800\udfff", "a\0b", "line\r\n2026 ERROR forged"])
def test_any_text_can_be_a_message(text: str) -> None:
    event = event_of(lambda: _raise(RuntimeError(text)))
    assert len(event.exceptions[-1].value) <= limits.message_chars_max
    assert "\0" not in event.exceptions[-1].value


@pytest.mark.parametrize("exc", [MemoryError(), KeyboardInterrupt(), GeneratorExit(), StopIteration(3), Exception()])
def test_exceptions_without_a_message_are_reported(exc: BaseException) -> None:
    assert event_of(lambda: _raise(exc)).exceptions[-1].type == type(exc).__name__


def test_a_syntax_error_without_a_file_and_generated_code_are_reported() -> None:
    assert event_of(lambda: compile("a b", "<string>", "exec")).exceptions[-1].type == "SyntaxError"
    frame = event_of(lambda: exec("x = 1\n1/0", {})).exceptions[-1].frames[-1]
    assert (frame.filename, frame.context_line) == ("<string>", "")


def test_code_that_runs_in_a_mapping_of_the_applications_own_is_not_asked() -> None:
    class Namespace(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            if key == "boom":
                raise LookupError("asked")
            return super().__getitem__(key)

        def __iter__(self) -> Iterator[str]:
            raise AssertionError("asked")

    frames = event_of(lambda: exec("x = 1\nboom", {}, Namespace())).exceptions[-1].frames
    assert (frames[-2].function, frames[-2].vars) == ("<module>", {})


def test_generators_coroutines_and_comprehensions_have_their_frames() -> None:
    def generator() -> Iterator[float]:
        yield divide()

    async def coroutine() -> float:
        return sum([divide() for _ in range(1)])

    assert event_of(lambda: next(generator())).exceptions[-1].frames[-2].function.endswith("generator")
    functions = [f.function for f in event_of(lambda: asyncio.run(coroutine())).exceptions[-1].frames]
    assert any("coroutine" in f for f in functions)


def test_source_that_changed_after_the_import_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "changing_module.py"
    module.write_text("def fail():\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    import changing_module  # type: ignore[import-not-found]

    module.write_text("# another release\n# stands here now\n")
    os.utime(module, (1_000_000_000, 1_000_000_000))
    assert event_of(changing_module.fail).exceptions[-1].frames[-1].context_line == ""
    module.unlink()
    assert event_of(changing_module.fail).exceptions[-1].frames[-1].lineno == 2


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.none(), st.complex_numbers())))
def test_any_arguments_become_an_event(args: list[Any]) -> None:
    assert event_of(lambda: _raise(ValueError(*args))).exceptions[-1].type == "ValueError"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-www-form-urlencoded", "", "x/y"]))
def test_any_body_becomes_a_request(body: bytes, kind: str) -> None:
    parts = RequestParts(headers=[("Content-Type", kind)], body=body, query=body.decode("latin-1"))
    event = event_of(divide, parts)
    assert event.exceptions[-1].type == "ZeroDivisionError"
    assert event.request is not None
