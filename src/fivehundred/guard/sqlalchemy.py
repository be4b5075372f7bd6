"""SQLAlchemy's own events. Only for engines given to ``guard.watch``: connections that go back, statements that ran."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from fivehundred.guard.statements import ran


def on_return(engine: Engine, returned: Callable[..., None]) -> None:
    """``returned`` is called whenever a connection has served and goes back."""
    event.listen(engine, "checkin", returned)


def on_statement(engine: Engine) -> None:
    """Each statement is kept with the request it ran in, with its time, without its parameters."""
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "after_cursor_execute", _after)
    event.listen(engine, "handle_error", _failed)


def _before(connection: Any, cursor: Any, text: str, parameters: Any, context: Any, many: bool) -> None:
    if context is not None:
        context.__dict__["fivehundred_began"] = time.perf_counter()


def _after(connection: Any, cursor: Any, text: str, parameters: Any, context: Any, many: bool) -> None:
    ran(text, _since(context))


def _failed(failure: Any) -> None:
    if failure.statement is not None:
        ran(failure.statement, _since(failure.execution_context), ok=False)


def _since(context: Any) -> float:
    began = context.__dict__.get("fivehundred_began") if context is not None else None
    return time.perf_counter() - began if began is not None else 0.0
