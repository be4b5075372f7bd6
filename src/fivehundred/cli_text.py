"""How the command line looks: colour only on a terminal, tables that fit it, hostile text made harmless."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import TextIO

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def style(text: str, name: str, stream: TextIO | None = None) -> str:
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{_STYLES[name]}m{text}\033[0m"


def plain(text: str) -> str:
    """One line without control characters: a title from an event must not move the cursor or forge a line."""
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)


def columns() -> int:
    """Of the terminal; unbounded when the output goes to a file or a pipe, where nothing should be cut."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 10_000


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need; the last one takes what is left."""
    cells = [[plain(c) for c in row] for row in rows]
    widths = [max([len(head[i]), *(len(row[i]) for row in cells)]) for i in range(len(head) - 1)]
    left = max(20, columns() - sum(widths) - 2 * len(widths))
    lines = [style("  ".join([*(h.ljust(w) for h, w in zip(head, widths, strict=False)), head[-1]]), "dim")]
    lines += (
        "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), cut(row[-1], left)]).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"
