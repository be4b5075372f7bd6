"""The request that runs now: what is known of it before anything fails, reached from every thread and task it uses.

An integration begins a flight and ends it. In between the log hook adds crumbs, the database hooks add statements, the
application may name its user; a failure that the application handles itself is reported with this request.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple

from fivehundred import limits

if TYPE_CHECKING:
    from fivehundred.event import User
    from fivehundred.guard.request import RequestParts
    from fivehundred.guard.slots import Slots


class Crumb(NamedTuple):
    at: float
    thread: int
    logger: str
    level: int
    message: object
    args: object


class Statement(NamedTuple):
    """One statement that was sent to a database: its text, without its parameters."""

    at: float
    text: str
    ms: float
    ok: bool


class Flight:
    """One request (or job). What most requests never have stays on the class."""

    parts: Callable[[], RequestParts] | None = None  # the request as an event shows it, made when something fails
    user: User | None = None
    statements: list[Statement] | None = None
    slots: Slots | None = None
    slot = -1

    def __init__(self) -> None:
        self.crumbs: list[Crumb] = []

    def ran(self, statement: Statement) -> None:
        """A list that is cut when it has grown, as that of the crumbs."""
        if self.statements is None:
            self.statements = []
        self.statements.append(statement)
        if len(self.statements) >= 2 * limits.statements_max:
            del self.statements[: -limits.statements_max]

    def end(self) -> None:
        """The request is over; a second time does nothing. The context may live on and keeps no request alive."""
        self.parts = None
        if self.slots is not None:
            self.slots.give_back(self.slot)
            self.slots = None


_flight: Final[ContextVar[Flight | None]] = ContextVar("fivehundred_flight", default=None)
current = _flight.get


def begin() -> Flight:
    """A flight that is not counted; ``Slots.begin`` counts and is what integrations of web frameworks want."""
    flight = Flight()
    _flight.set(flight)
    return flight


def request_now() -> RequestParts | None:
    """The request that runs in this context, for a failure that the application handles itself."""
    flight = current()
    return flight.parts() if flight is not None and flight.parts is not None else None
