"""How many retries an origin can stand: successes earn them. The clock is passed in; the caller holds the lock.

A success earns a fifth of a retry, and a retry after a sign of overload costs two. There is no free allowance per
second: it is what keeps an overloaded server down. What can be saved up follows the rate of successes, so that a busy
process can ride out a bad second and a quiet one cannot store a burst. The retry that every process can save is one too
many where hundreds of quiet ones ask a server that has become slow: none of them knows enough to try a time-out again.
"""

from __future__ import annotations

from fivehundred import limits
from fivehundred.client.window import Window


class Budget:
    __slots__ = ("_fresh", "tokens", "window")

    def __init__(self) -> None:
        self._fresh = True  # no call has succeeded yet
        self.tokens = limits.budget_start
        self.window = Window(limits.budget_window_s)

    def succeeded(self, now: float) -> None:
        self._fresh = False
        self.window.add(now)
        size = limits.budget_earned * self.window.total
        if size < limits.budget_size_min:
            size = limits.budget_size_min
        tokens = self.tokens + limits.budget_earned
        self.tokens = tokens if tokens < size else size  # min() costs as much as the rest of this

    def take(self, now: float, cost: float, *, in_doubt: bool = False) -> bool:
        """Pays for one retry, when it is scheduled: two that are planned at once cannot spend the same token.

        ``in_doubt``: the server may still be at work on the attempt, and a retry is a second one beside it. Then recent
        successes must vouch for the server, or nothing is known of it yet.
        """
        self.window.roll(now)
        if in_doubt and not self._fresh and self.window.total < limits.successes_vouch_min:
            return False
        self.tokens = min(self.tokens, max(limits.budget_size_min, limits.budget_earned * self.window.total))
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def give_back(self, cost: float) -> None:
        """For a retry that is not sent after all."""
        self.tokens += cost
