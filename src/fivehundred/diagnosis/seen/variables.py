"""The captured variables of the failing line: whether they show what the exception says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis.model import Fact
from fivehundred.event import Json

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]
_nothing: Final = ("None",)
_zero: Final = ("0", "0.0", "0j", "-0.0")
_empty: Final = ("[]", "()", "''", "deque([])")


def show_it(case: Case) -> Facts:
    """None where None is complained of, zero where zero divides, empty where an item is read."""
    frame = case.app_frame
    wanted, words = _wanted(case)
    if frame is None or not wanted:
        return
    for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", frame.context_line)):
        if name in frame.vars and _written(frame.vars[name]) in wanted:
            value = _written(frame.vars[name])
            yield Fact("variable", name, value, "strong", "frames[].vars", f"{name} {words} at that moment")
            return


def _wanted(case: Case) -> tuple[tuple[str, ...], str]:
    for one in reversed(case.raised):
        if "NoneType" in one.text:
            return _nothing, "was None"
        if one.named("ZeroDivisionError"):
            return (*_zero, *_empty), "was zero or empty"
        if one.named("IndexError"):
            return _empty, "was empty"
    return (), ""


def _written(value: Json) -> str:
    """As Python would write it; captured values are JSON, or text that was made by repr."""
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list):
        return "[]" if not value else "[...]"
    return value if isinstance(value, str) else ""
