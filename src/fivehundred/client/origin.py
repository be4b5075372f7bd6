"""What this process remembers of each origin: its breaker and its budget, behind one lock.

Threads share an origin; a forked child begins with none, because its parent's locks may be held and its parent's
budget is the parent's. The least recently met origins are forgotten past ``limits.origins_max``.
"""

from __future__ import annotations

import os
import threading
from collections import deque

from fivehundred import limits
from fivehundred.client.breaker import Breaker, ordinary
from fivehundred.client.budget import Budget


class Origin:
    """One scheme, host and port; or a name, for calls that are not HTTP."""

    __slots__ = ("_budget", "_good", "_lock", "breaker", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self.breaker = Breaker()
        self._budget = Budget()
        self._good: deque[float] = deque()  # times of successes that the budget has not been told of

    def admit(self, now: float) -> int | None:
        with self._lock:
            return self.breaker.admit(now)

    def succeeded(self, now: float, ticket: int = ordinary) -> None:
        """Appending to a deque needs no lock: a good call writes one number, and the books are kept when they are
        looked at."""
        self._good.append(now)
        if ticket or len(self._good) >= limits.successes_uncounted_max:
            with self._lock:
                self._count()
                self.breaker.succeeded(now, ticket)

    def successes(self, now: float) -> int:
        """Of the last ten seconds."""
        with self._lock:
            self._count()
            self._budget.window.roll(now)
            return self._budget.window.total

    def _count(self) -> None:
        good = self._good
        while good:
            self._budget.succeeded(good.popleft())

    def failed(self, now: float, ticket: int, *, overload: bool) -> bool:
        """Whether the breaker has just opened."""
        with self._lock:
            self._count()
            self._budget.window.roll(now)
            return self.breaker.failed(now, ticket, self._budget.window.total, overload=overload)

    def abandoned(self, ticket: int, paid: float) -> None:
        with self._lock:
            self._budget.give_back(paid)
            self.breaker.abandoned(ticket)

    def open_at(self, now: float) -> bool:
        """Whether the breaker will still be open at that time."""
        until = self.breaker.open_until
        return until is not None and now < until

    def take(self, now: float, cost: float, *, in_doubt: bool = False) -> bool:
        with self._lock:
            self._count()
            return self._budget.take(now, cost, in_doubt=in_doubt)


def origin(name: str) -> Origin:
    """The one of this process. ``name`` is "https://api.example.com:443"."""
    found = _origins.get(name)
    if found is None:
        with _registry_lock:
            found = _origins.setdefault(name, Origin(name))
            while len(_origins) > limits.origins_max:
                del _origins[next(iter(_origins))]
    return found


def forget_all() -> None:
    """Begins anew: closed breakers, fresh budgets. For tests, and for the child of a fork."""
    global _origins, _registry_lock
    _registry_lock = threading.Lock()
    _origins = {}


_origins: dict[str, Origin] = {}
_registry_lock = threading.Lock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_all)
