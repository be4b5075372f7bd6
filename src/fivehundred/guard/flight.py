"""The request that runs now: what is known of it before anything fails, reached from every thread and task it uses.

An integration begins a flight and ends it. In between the log hook adds crumbs, the database hooks add statements, the
application may name its user; a failure that the application handles itself is reported with this request.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
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


class Job(NamedTuple):
    """What a queue runs: Celery's task, RQ's job."""

    system: str
    name: str
    id: str
    queue: str
    args: object = ()
    kwargs: object = None
    attempt: int = 1  # the first is 1


class Flight:
    """One request or job. What each has is in a slot; what most never have stays on the class."""

    __slots__ = ("__dict__", "slot", "slots")
    slots: Slots | None
    slot: int

    parts: Callable[[], RequestParts] | None = None  # the request as an event shows it, made when something fails
    job: Job | None = None
    user: User | None = None
    statements: list[Statement] | None = None
    crumbs: list[Crumb] | None = None

    def __init__(self) -> None:
        self.slots = None
        self.slot = -1

    def request(self) -> RequestParts | None:
        """The request as an event shows it, while it runs."""
        return self.parts() if self.parts is not None else None

    def logged(self, crumb: Crumb) -> None:
        """A list that is cut when it has grown: a deque is dearer to make, once a request, than this."""
        if self.crumbs is None:
            self.crumbs = []
        self.crumbs.append(crumb)
        if len(self.crumbs) >= 2 * limits.crumbs_max:
            del self.crumbs[: -limits.crumbs_max]

    def ran(self, statement: Statement) -> None:
        """Cut as the crumbs are."""
        if self.statements is None:
            self.statements = []
        self.statements.append(statement)
        if len(self.statements) >= 2 * limits.statements_max:
            del self.statements[: -limits.statements_max]

    def end(self) -> None:
        """The request is over; a second time does nothing. The context may live on and keeps no request alive."""
        self.parts = self.job = None
        slots = self.slots
        if slots is not None:
            self.slots = None
            slots.give_back(self.slot)


_flight: Final[ContextVar[Flight | None]] = ContextVar("fivehundred_flight", default=None)
current = _flight.get


def begin() -> Flight:
    """A flight that is not counted; ``Slots.begin`` counts and is what integrations of web frameworks want."""
    flight = Flight()
    _flight.set(flight)
    return flight


def begin_job(job: Job) -> Token[Flight | None]:
    """A job may run inside of a request (Celery's eager mode): ``back`` gives that its flight again."""
    flight = Flight()
    flight.job = job
    return _flight.set(flight)


def back(token: Token[Flight | None]) -> None:
    """After a job. Its context may have been left meanwhile (a greenlet, a time limit): then nothing is running."""
    flight = current()
    if flight is not None:
        flight.end()
    try:
        _flight.reset(token)
    except ValueError:
        _flight.set(None)


def request_now() -> RequestParts | None:
    """The request that runs in this context, for a failure that the application handles itself."""
    flight = current()
    return flight.request() if flight is not None else None
