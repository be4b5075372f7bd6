"""Which failures have been seen so often in the last seconds that a slim event of them says enough.

No fingerprint: only where it failed and with which class. Every failure is still reported; what is left out of a slim
one is locals and source, which the full ones before it have shown.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from fivehundred import limits

_traceback_of = BaseException.__dict__["__traceback__"].__get__


class Faults:
    def __init__(self) -> None:
        # no lock: a count that is off by one under threads changes nothing
        self._seen: dict[tuple[int, int, int], list[float]] = {}  # -> [window's start, failures in it]

    def seen_often(self, exc: BaseException, *, strictly: bool = False) -> bool:
        """Counts this failure. ``strictly``: the spool fills up, so one full event per window is all there is."""
        key, now = _place(exc), time.monotonic()
        window = self._seen.get(key)
        if window is None or now - window[0] > limits.fault_window_s:
            if len(self._seen) >= limits.faults_remembered_max:
                self._seen.clear()
            window = self._seen[key] = [now, 0.0]
        window[1] += 1
        return window[1] > (1 if strictly else limits.full_events_per_fault)


def _place(exc: BaseException) -> tuple[int, int, int]:
    last: TracebackType | None = _traceback_of(exc)
    if last is None:
        return id(type(exc)), 0, 0
    for _ in range(_entries_max):
        entry = last.tb_next
        if entry is None:
            break
        last = entry
    return id(type(exc)), id(last.tb_frame.f_code), last.tb_lineno or 0


_entries_max: Final = 2_000
