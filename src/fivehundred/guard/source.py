"""Lines of source around a failing line: files are read once and kept, lines are scrubbed when they are first shown.

``linecache`` is not used: it keeps every file for ever, asks ``stat`` each time, and calls the module's own loader.
Bounded; never raises.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from fivehundred import limits, scrub
from fivehundred.event import clean

_files: dict[str, list[str]] = {}


def lines_around(filename: str, lineno: int, around: int) -> tuple[list[str], str, list[str]]:
    """Lines before, the line itself, lines after; empty when the source is not there or no longer the one that runs."""
    lines = _files.get(filename)
    if lines is None:
        if len(_files) >= limits.source_files_max:
            _files.clear()
        lines = _files[filename] = _load(filename)
    if not 0 < lineno <= len(lines):
        return [], "", []
    at = lineno - 1
    before, after = lines[max(0, at - around) : at], lines[lineno : lineno + around]
    return [_clean(x) for x in before], _clean(lines[at]), [_clean(x) for x in after]


def _clean(line: str) -> str:
    return scrub.scrub_source(clean(line[: limits.line_chars_max]))


def _load(filename: str) -> list[str]:
    if filename[:1] == "<" or not os.path.isabs(filename):
        return []
    try:
        with open(filename, "rb") as f:
            status = os.fstat(f.fileno())
            if status.st_size > limits.source_file_bytes_max or _changed_since_import(filename, int(status.st_mtime)):
                return []
            data = f.read(limits.source_file_bytes_max)
    except OSError:
        return []
    text = data.decode(_encoding(data), "replace")
    return text.splitlines()


def _encoding(data: bytes) -> str:
    """PEP 263: a declaration in one of the first two lines, else UTF-8."""
    for line in data.split(b"\n", 2)[:2]:
        at = line.find(b"coding")
        if at > 0 and line.lstrip()[:1] == b"#":
            name = line[at + 6 :].lstrip(b":= \t").split(b" ")[0].strip(b"-* \r").decode("ascii", "ignore").lower()
            return name if name in _codecs else "utf-8"
    return "utf-8"


_codecs: Final = frozenset({"utf-8", "latin-1", "iso-8859-1", "iso-8859-15", "cp1252", "ascii", "koi8-r", "euc-jp"})


def _changed_since_import(filename: str, modified_at: int) -> bool:
    """Whether the file is newer than the compiled file that was made of it: its lines would be the wrong ones."""
    cached = sys.implementation.cache_tag
    folder, name = os.path.split(filename)
    if not cached or not name.endswith(".py"):
        return False
    try:
        with open(os.path.join(folder, "__pycache__", f"{name[:-3]}.{cached}.pyc"), "rb") as f:
            header = f.read(12)
    except OSError:
        return False
    checked_by_time = header[4:8] == b"\0\0\0\0"  # PEP 552: else by a hash, or not at all
    return checked_by_time and int.from_bytes(header[8:12], "little") != modified_at & 0xFFFFFFFF
