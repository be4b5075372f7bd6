"""What could come next in a search line: names of filters, then their values as they occur here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import Project
from fivehundred.console.store.database import Database
from fivehundred.console.web import search
from fivehundred.console.web.actor import owners
from fivehundred.diagnosis.model import causes
from fivehundred.event import clean

_shown_max: Final = 12
_read_max: Final = 200  # values of a filter that are looked through
_fixed: Final[dict[str, Sequence[str]]] = {
    "is": search.states,
    "cause": causes,
    "priority": search.priorities,
    "method": ("GET", "POST", "PUT", "PATCH", "DELETE"),
    "level": ("error", "fatal", "warning"),
    "events": (">10", ">100", ">1000"),
    "users": (">1", ">10", ">100"),
    "first": ("<1h", "<24h", "<7d"),
    "last": ("<15m", "<1h", "<24h"),
}


def suggestions(
    line: str, database: Database, projects: Sequence[Project], seen: Sequence[str] | None = None
) -> list[str]:
    """Whole lines, each the given one with its last term completed; from the projects that are ``seen``."""
    line = clean(line)[: limits.search_chars_max]
    before, last = _last_term(line)
    minus = "-" if last.startswith("-") else ""
    name, colon, value = last.removeprefix("-").partition(":")
    names = search.negatable if minus else search.filters
    if not colon:
        found = [f"{n}:" for n in names if n.startswith(name.lower())] if name or not line.strip() else []
    elif name.lower() in names:
        known = _values(name.lower(), database, projects, seen)
        wanted = value.strip('"').lower()
        starting = [v for v in known if v.lower().startswith(wanted)]
        others = [v for v in known if wanted in v.lower() and v not in starting]
        found = [f"{name.lower()}:{_quoted(v)}" for v in (*starting, *others)]
    else:
        found = []
    return [f"{before}{minus}{term}" for term in found[:_shown_max]]


def _last_term(line: str) -> tuple[str, str]:
    """What stands before the term that is being typed, and the term; a quote that is open belongs to it."""
    quoted, start = False, 0
    for at, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character.isspace() and not quoted:
            start = at + 1
    return line[:start], line[start:]


def _values(name: str, database: Database, projects: Sequence[Project], seen: Sequence[str] | None) -> list[str]:
    if name in _fixed:
        return list(_fixed[name])
    if name == "project":
        return [p.name for p in projects]
    if name == "assigned":
        return ["me", "nobody", *(owner.name for owner in owners(database))]
    where, of = ("", ()) if seen is None else (f" AND project IN ({', '.join('?' * len(seen)) or 'NULL'})", tuple(seen))
    if name == "route":
        sql = f"SELECT route FROM fault WHERE route <> ''{where} GROUP BY route ORDER BY max(last_seen) DESC LIMIT ?"  # noqa: S608
        return [row[0] for row in database.rows(sql, (*of, _read_max))]
    if name in ("release", "host", "env"):
        stored = {"env": "environment"}.get(name, name)
        sql = (
            f"SELECT value FROM project_value WHERE name = ? AND value <> ''{where} GROUP BY value"  # noqa: S608
            " ORDER BY max(last_seen) DESC LIMIT ?"
        )
        return [row[0] for row in database.rows(sql, (stored, *of, _read_max))]
    return []


def _quoted(value: str) -> str:
    return f'"{value}"' if any(c.isspace() for c in value) else value
