"""Stops calls to an origin that is drowning. The clock is passed in; the caller holds the lock.

It opens when half of at least ten attempts of the last ten seconds met *overload*: a time-out, a connection that could
not be made, 429, 502, 503 or 504. A 500 is no sign of overload: counting it would turn a bug in one route into an
outage of all. Successes are counted by the budget alone, so that a good call writes to one place.
"""

from __future__ import annotations

from typing import Final

from fivehundred import limits
from fivehundred.client.window import Window

ordinary: Final = 0  # the ticket of an attempt that is no probe


class Breaker:
    __slots__ = ("_failures", "_overloads", "_probe", "_probe_until", "open_until")

    def __init__(self) -> None:
        self.open_until: float | None = None  # None: closed
        self._failures = Window(limits.breaker_window_s)
        self._overloads = Window(limits.breaker_window_s)
        self._probe = ordinary
        self._probe_until = 0.0

    def admit(self, now: float) -> int | None:
        """A ticket to hand back with the result; None: do not send. After the pause one probe is let through."""
        if self.open_until is None:
            return ordinary
        # a probe whose result never comes (a killed thread, a cancelled task) must not keep the breaker open
        if now < self.open_until or now < self._probe_until:
            return None
        self._probe += 1
        self._probe_until = now + limits.attempt_s
        return self._probe

    def failed(self, now: float, ticket: int, successes: int, *, overload: bool) -> bool:
        """One attempt did not end well; ``successes`` of the same window did. Whether the breaker has just opened."""
        if self.open_until is not None:
            return self._probed(now, ticket, overload)
        self._failures.add(now)
        if not overload:
            return False
        self._overloads.add(now)
        attempts = self._failures.total + successes
        if attempts < limits.breaker_attempts_min or self._overloads.total < limits.breaker_share * attempts:
            return False
        self.open_until = now + limits.breaker_open_s
        return True

    def succeeded(self, now: float, ticket: int) -> None:
        """Says something only of a probe."""
        self._probed(now, ticket, overload=False)

    def abandoned(self, ticket: int) -> None:
        """The attempt says nothing: another one may be the probe."""
        if ticket != ordinary and ticket == self._probe:
            self._probe_until = 0.0

    def _probed(self, now: float, ticket: int, overload: bool) -> bool:
        if ticket == ordinary or ticket != self._probe:
            return False  # sent before it opened: says nothing about now
        self._probe_until = 0.0
        if overload:
            self.open_until = now + limits.breaker_open_s
            return True
        self.open_until = None
        self._failures.clear()
        self._overloads.clear()
        return False
