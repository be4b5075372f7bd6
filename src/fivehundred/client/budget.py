"""How many retries an origin can stand: successes earn them. The clock is passed in; the caller holds the lock.

A success earns a fifth of a retry, and a retry after a sign of overload costs two. There is no free allowance per
second: it is what keeps an overloaded server down. What can be saved up follows the rate of successes, so that a busy
process can ride out a bad second and a quiet one cannot store a burst.
"""

from __future__ import annotations

from fivehundred import limits
from fivehundred.client.window import Window


class Budget:
    __slots__ = ("tokens", "window")

    def __init__(self) -> None:
        self.tokens = limits.budget_start
        self.window = Window(limits.budget_window_s)

    def succeeded(self, now: float) -> None:
        self.window.add(now)
        size = limits.budget_earned * self.window.total
        if size < limits.budget_size_min:
            size = limits.budget_size_min
        tokens = self.tokens + limits.budget_earned
        self.tokens = tokens if tokens < size else size  # min() costs as much as the rest of this

    def take(self, now: float, cost: float) -> bool:
        """Pays for one retry, when it is scheduled: two that are planned at once cannot spend the same token."""
        self.window.roll(now)
        self.tokens = min(self.tokens, max(limits.budget_size_min, limits.budget_earned * self.window.total))
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True
