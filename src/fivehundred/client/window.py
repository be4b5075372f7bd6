"""Counts of the last seconds, in slices. The clock is passed in; nothing here locks."""

from __future__ import annotations

from typing import Final

slices: Final = 10


class Window:
    """How much was counted over the last ``span_s`` seconds."""

    __slots__ = ("_counts", "_slice", "_slice_s", "total")

    def __init__(self, span_s: float) -> None:
        self._slice_s = span_s / slices
        self._slice = 0
        self.clear()

    def clear(self) -> None:
        self._counts = [0] * slices
        self.total = 0

    def add(self, now: float) -> None:
        current = int(now / self._slice_s)
        if current > self._slice:
            self._forget(current)
        self._counts[self._slice % slices] += 1
        self.total += 1

    def roll(self, now: float) -> None:
        """Forgets what is older than the window."""
        current = int(now / self._slice_s)
        if current > self._slice:  # a clock of another thread may be a little behind
            self._forget(current)

    def _forget(self, current: int) -> None:
        for step in range(1, min(current - self._slice, slices) + 1):
            index = (self._slice + step) % slices
            self.total -= self._counts[index]
            self._counts[index] = 0
        self._slice = current
