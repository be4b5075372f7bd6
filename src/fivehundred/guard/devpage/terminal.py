"""The page for a terminal: a dozen lines with the same reference, coloured for curl and its like."""

from __future__ import annotations

import unicodedata
from typing import Final

from fivehundred.guard.devpage.shown import Shown, place, why

_lines_max: Final = 12
_width: Final = 160
_red, _bold, _dim, _yellow, _off = "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"
_painters: Final = ("curl/", "httpie/", "xh/", "wget/")


def is_terminal(user_agent: str) -> bool:
    """Programs that people run in a terminal; they show what they get as it is."""
    return user_agent.lower().startswith(_painters)


def terminal_text(shown: Shown, reference: str, *, coloured: bool) -> str:
    diagnosis, frame = shown.diagnosis, shown.failing
    lines = [
        (_red + _bold, f"{shown.status}  {shown.title}"),
        (_dim, f"     {shown.asked}"),
    ]
    if frame is not None:
        lines.append((_bold, f"  at {place(frame)} in {frame.function}"))
        number = frame.lineno or 0
        if frame.pre_context:
            lines.append((_dim, f"{number - 1:>6} | {frame.pre_context[-1]}"))
        lines.append((_red, f"{number:>6} > {frame.context_line}"))
        if frame.post_context:
            lines.append((_dim, f"{number + 1:>6} | {frame.post_context[0]}"))
    lines.append((_yellow, f" why {diagnosis.cause} ({diagnosis.confidence}): {why(diagnosis)}"))
    if diagnosis.advice:
        lines.append(("", f"  do {diagnosis.advice}"))
    if diagnosis.retry:
        lines.append((_dim, f"     {diagnosis.retry}"))
    lines.append((_dim, f" ref {reference}"))
    shown_lines = lines[: _lines_max - 1] + lines[-1:] if len(lines) > _lines_max else lines
    return "".join(f"{_painted(colour, _plain(line), coloured)}\n" for colour, line in shown_lines)


def _painted(colour: str, line: str, coloured: bool) -> str:
    return f"{colour}{line}{_off}" if coloured and colour else line


def _plain(line: str) -> str:
    """Whatever an exception says, it moves no cursor and begins no line."""
    line = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in line)
    return line if len(line) <= _width else line[: _width - 1] + "…"
