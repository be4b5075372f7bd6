"""SQLAlchemy's own event for a connection that goes back to its pool. Only for engines given to ``guard.watch``."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, event


def on_return(engine: Engine, returned: Callable[..., None]) -> None:
    """``returned`` is called whenever a connection has served and goes back."""
    event.listen(engine, "checkin", returned)
