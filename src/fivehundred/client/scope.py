"""What a call inherits from the work it is part of: a deadline, and whether a layer above retries already.

Retries at every layer multiply: three layers of four attempts make 64 calls of one. So one layer retries, the
outermost, and tells those below: in the process by a context variable, between processes by the header
``Fivehundred-Attempt``. ``Fivehundred-Deadline`` carries the milliseconds that the caller will still wait; a span and
not a time of day, because clocks differ. It is sent when somebody set a time, or little is left: that a caller waits
for ten seconds as every caller does tells a server nothing, and each header costs a good call some ten microseconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

attempt_header: Final = "Fivehundred-Attempt"
deadline_header: Final = "Fivehundred-Deadline"


class Scope:
    """Never changed once it is made; not a frozen dataclass, which costs a microsecond more at each call."""

    __slots__ = ("deadline", "retried")

    def __init__(self, deadline: float = math.inf, retried: bool = False) -> None:
        self.deadline = deadline  # as time.monotonic() counts
        self.retried = retried  # a layer above will try again


_whole: Final = Scope()
scope: ContextVar[Scope] = ContextVar("fivehundred_client_scope", default=_whole)


def within(seconds: float) -> Scope:
    """The scope of now, with at most so much time."""
    outer = scope.get()
    ends = time.monotonic() + seconds
    return Scope(ends, outer.retried) if ends < outer.deadline else outer


def time_left() -> float | None:
    """Seconds that the work of now may still take: the time-out for what is not sent by the Client. None: any time.

    Never 0, which is no bound at all to some.
    """
    ends = scope.get().deadline
    return None if ends == math.inf else max(0.001, ends - time.monotonic())


@contextmanager
def until(ends: float) -> Iterator[None]:
    """``deadline``, with a time as time.monotonic() counts."""
    outer = scope.get()
    token = scope.set(Scope(min(ends, outer.deadline), outer.retried))
    try:
        yield
    finally:
        scope.reset(token)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All calls inside together may take this long, whatever each of them would be allowed alone."""
    token = scope.set(within(seconds))
    try:
        yield
    finally:
        scope.reset(token)


@contextmanager
def serving(headers: Mapping[str, str]) -> Iterator[None]:
    """For a handler that calls other services: its calls keep the deadline of the request that is being served, and
    are not retried when its caller retries. ``headers`` are that request's; their names may have any case."""
    folded = {name.lower(): value for name, value in headers.items()}
    left = _milliseconds(folded.get(deadline_header.lower(), ""))
    outer = scope.get()
    until = outer.deadline if left is None else min(outer.deadline, time.monotonic() + left / 1000)
    token = scope.set(Scope(until, outer.retried or _is_attempt(folded.get(attempt_header.lower(), ""))))
    try:
        yield
    finally:
        scope.reset(token)


def _milliseconds(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None


def _is_attempt(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 3
