"""How many retries an origin can stand: successes earn them. The clock is passed in; the caller holds the lock.

A success earns a fifth of a retry, and a retry after a sign of overload costs two. There is no free allowance per
second: it is what keeps an overloaded server down. What can be saved up follows the rate of successes, so that a busy
process can ride out a bad second and a quiet one cannot store a burst.
"""

from __future__ import annotations

from fivehundred import limits
from fivehundred.client.window import Window


class Budget:
    __slots__ = ("_window", "tokens")

    def __init__(self) -> None:
        self.tokens = limits.budget_start
        self._window = Window(limits.budget_window_s)

    def succeeded(self, now: float) -> None:
        self._window.add(now)
        self.tokens = min(self._size(), self.tokens + limits.budget_earned)

    def take(self, now: float, cost: float) -> bool:
        """Pays for one retry, when it is scheduled: two that are planned at once cannot spend the same token."""
        self._window.roll(now)
        self.tokens = min(self.tokens, self._size())
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def _size(self) -> float:
        return max(limits.budget_size_min, limits.budget_earned * self._window.total)
