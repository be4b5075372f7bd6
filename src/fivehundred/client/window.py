"""Counts of the last seconds, in slices. The clock is passed in; nothing here locks."""

from __future__ import annotations

from typing import Final

slices: Final = 10


class Window:
    """Two counters over the last ``span_s`` seconds: ``total`` and ``marked``."""

    __slots__ = ("_marks", "_slice", "_slice_s", "_totals", "marked", "total")

    def __init__(self, span_s: float) -> None:
        self._slice_s = span_s / slices
        self.clear()

    def clear(self) -> None:
        self._totals, self._marks = [0] * slices, [0] * slices
        self.total = self.marked = self._slice = 0

    def add(self, now: float, *, marked: bool = False) -> None:
        self.roll(now)
        index = self._slice % slices
        self._totals[index] += 1
        self.total += 1
        if marked:
            self._marks[index] += 1
            self.marked += 1

    def roll(self, now: float) -> None:
        """Forgets what is older than the window."""
        current = int(now / self._slice_s)
        steps = current - self._slice
        if steps <= 0:  # a clock of another thread may be a little behind
            return
        for step in range(1, min(steps, slices) + 1):
            index = (self._slice + step) % slices
            self.total -= self._totals[index]
            self.marked -= self._marks[index]
            self._totals[index] = self._marks[index] = 0
        self._slice = current
