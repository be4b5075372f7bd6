"""Told: a rule's words, made exact for one event. Empty parts mean that the rule's general words stand."""

from __future__ import annotations

import re
from typing import Final

from fivehundred import limits
from fivehundred.record import record


@record(frozen=True, slots=True)
class Told:
    because: str = ""  # completes "it failed because ..."
    fact: str = ""  # the decisive fact, in our words
    advice: str = ""  # an instruction
    veto: str = ""  # a whole sentence about what it is not


nothing: Final = Told()

_wrapper = re.compile(r"^(?:\([A-Za-z_][\w.]{2,100}\) |(?:connection failed|connection is bad): )+")
_tails: Final = ("\n", "(Background on this error at", "[SQL:", " Is the server running", "\tIs the server running")


def plain(text: str, chars: int = limits.told_line_chars_max) -> str:
    """A message's first line without a wrapper's class names, links to documentation, and repetitions; cut."""
    text = text.strip()[:4_000]
    for tail in _tails:
        text = text.partition(tail)[0]
    text = _wrapper.sub("", text.strip())
    parts = [_wrapper.sub("", part.strip()) for part in text.split("; ")]
    line = "; ".join(dict.fromkeys(part for part in parts if part)).rstrip(" .;")
    return line if len(line) <= chars else line[: chars - 1] + "…"
