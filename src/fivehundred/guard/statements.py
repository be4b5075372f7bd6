"""The SQL statements of a request: the last ones before a failure, with how long each took. Never their parameters.

What feeds it is a file per library, each by the library's own public hook: ``sqlalchemy.py``, ``django_sql.py``,
``psycopg.py``. ``ran`` may be called by anything else that sends statements.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from fivehundred import limits, scrub
from fivehundred.event import Json, clean
from fivehundred.guard.flight import Statement, current


def ran(text: object, seconds: float, *, ok: bool = True) -> None:
    """A statement has been sent and answered. Outside of a request nothing is kept. Half a microsecond."""
    flight = current()
    if flight is not None and type(text) is str:
        flight.ran(Statement(time.time(), text[: limits.statement_kept_chars_max], seconds * 1000, ok))


def told(statements: Iterable[Statement], failed: Json) -> list[Json]:
    """As an event shows them: oldest first, and last of all those that the exceptions name as the failing ones."""
    last = [entry for entry in failed if isinstance(entry, dict)] if isinstance(failed, list) else []
    named = {_shape(entry.get("statement")): entry for entry in last}
    found: list[Json] = []
    for one in list(statements)[-limits.statements_max :]:
        text = scrub.scrub_text(clean(one.text))
        known = named.get(_shape(text))
        if known is not None and not one.ok:
            known.update({"ms": round(one.ms, 1), "at": one.at})
            continue
        found.append({"statement": text, "ms": round(one.ms, 1), "at": one.at, **({} if one.ok else _failed)})
    return [*found, *last]


_failed: Final[dict[str, Json]] = {"error": "failed"}


def _shape(text: Json) -> str:
    return " ".join(text.split())[:_compared_chars] if isinstance(text, str) else ""


_compared_chars: Final = 200
