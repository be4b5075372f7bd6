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
    if frame is None:
        return
    wanted, where = _wanted(case, frame.context_line)
    for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", where)):
        value = _written(frame.vars[name]) if name in frame.vars else ""
        if value in wanted:
            text = f"{name} was {wanted[value]} at that moment"
            yield Fact("variable", name, value, "strong", "frames[].vars", text)
            return


def _wanted(case: Case, line: str) -> tuple[dict[str, str], str]:
    """(values that show it, and the word for each; the part of the line whose names count)."""
    for one in reversed(case.raised):
        if "NoneType" in one.text:
            return dict.fromkeys(_nothing, "None"), line
        if one.named("ZeroDivisionError"):
            # what divides stands behind the operator; the total in front of it may be zero as well
            return {**dict.fromkeys(_zero, "zero"), **dict.fromkeys(_empty, "empty")}, re.split(
                "[/%]", line, maxsplit=1
            )[-1]
        if one.named("IndexError"):
            return dict.fromkeys(_empty, "empty"), line
    return {}, ""


def _written(value: Json) -> str:
    """As Python would write it; captured values are JSON, or text that was made by repr."""
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list):
        return "[]" if not value else "[...]"
    return value if isinstance(value, str) else ""
