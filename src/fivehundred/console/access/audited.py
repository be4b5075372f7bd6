"""What stands in the audit log of a change that came through the gate: in words, by its path. Pure.

Signing in, accounts, teams and tokens write rows of their own, with more than a path knows.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

# what a handler adds about its change ("resolve next: #1, #2"); the gate puts a list here for one request
notes: ContextVar[list[str] | None] = ContextVar("fivehundred_notes", default=None)

_OWN_ROWS: Final = re.compile(
    r"/(?:sign-in|sign-out|invite|account|people|teams|looks|mcp)(?:/.*)?|/api/v1/(?:people|teams|tokens)(?:/.*)?"
)
_TRIES: Final = re.compile(r"/api/v1/grouping-rules/test|/api/v1/alerts/test")
_API: Final = re.compile(r"^/api/(?:v1|0)(?=/)")


def note(text: str) -> None:
    found = notes.get()
    if found is not None and len(found) < 20:
        found.append(text[:200])


def words(method: str, path: str, said: list[str]) -> tuple[str, str] | None:
    """(what, about); None for what is not written down here."""
    if method in ("GET", "HEAD", "OPTIONS") or _OWN_ROWS.fullmatch(path) or _TRIES.fullmatch(path):
        return None
    parts = [part for part in _API.sub("", path).split("/") if part]
    kinds = [part.replace("-", " ") for part in parts if not part.isdecimal()]
    numbers = [part for part in parts if part.isdecimal()]
    verb = {"DELETE": "removed", "PATCH": "changed", "PUT": "set"}.get(method, "posted")
    about = ", ".join([*(f"#{n}" for n in numbers), *said])
    return f"{verb}: {' '.join(kinds)}"[:200], about[:500]
