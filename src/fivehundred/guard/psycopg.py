"""psycopg 3: its public hook for statements is the cursor's class. Opt-in, per connection or pool:

psycopg.connect(..., cursor_factory=TimedCursor)
ConnectionPool(..., kwargs={"cursor_factory": TimedCursor})
"""

from __future__ import annotations

import time
from typing import Any

from psycopg import AsyncCursor, Cursor

from fivehundred.guard.statements import ran


class TimedCursor(Cursor[Any]):
    """A cursor that keeps its statements with the request they ran in; never their parameters."""

    def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            result = super().execute(query, *args, **options)
        except Exception:
            ran(_text(query), time.perf_counter() - began, ok=False)
            raise
        ran(_text(query), time.perf_counter() - began)
        return result


class AsyncTimedCursor(AsyncCursor[Any]):
    """The same for an asynchronous connection."""

    async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            result = await super().execute(query, *args, **options)
        except Exception:
            ran(_text(query), time.perf_counter() - began, ok=False)
            raise
        ran(_text(query), time.perf_counter() - began)
        return result


def _text(query: object) -> object:
    """Bytes are a statement too; one that was composed of parts needs a connection to become text, and is left out."""
    return query.decode("utf-8", "replace") if type(query) is bytes else query
