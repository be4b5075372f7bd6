"""How long one record or event may keep the processor: a hostile one must not hold up all the others.

Measured in processor time of the process, so that a busy machine accuses nobody. Works in the main thread, where Python
runs signal handlers; elsewhere (tests, tools) it measures nothing. What is raised while Python runs a callback of the
garbage collector or a destructor is swallowed there, so the signal comes again until somebody has heard it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from fivehundred import limits

_again_s: Final = 0.02  # of processor time
_own_files: Final = frozenset((__file__, contextlib.__file__))


class TooSlow(BaseException):
    """Not an Exception: what handles the failure of one event must not take it for one."""


class Deadline:
    """One record after the other, and within it one event after the other."""

    def __init__(self) -> None:
        self._works = threading.current_thread() is threading.main_thread()
        self._armed = False  # a signal that was on its way when the time was stopped means nothing any more
        self._record_until = 0.0
        self._until = 0.0  # of the event in hand, or of the record between two of them
        if self._works:
            signal.signal(signal.SIGPROF, self._expired)

    @contextmanager
    def record(self) -> Iterator[None]:
        """Raises TooSlow."""
        self._record_until = self._until = time.process_time() + limits.digest_record_cpu_s_max
        try:
            self._set(min(limits.digest_event_cpu_s_max, limits.digest_record_cpu_s_max))
            self._armed = True
            yield
        finally:
            self._armed = False
            self._set(0)

    @contextmanager
    def event(self) -> Iterator[None]:
        """Within ``record``, whose timer goes on. Raises TooSlow."""
        try:
            self._until = min(self._record_until, time.process_time() + limits.digest_event_cpu_s_max)
            yield
        finally:
            self._until = self._record_until

    def is_over(self) -> bool:
        """The record's own time is up, and not only an event's."""
        return self._works and time.process_time() >= self._record_until

    def _set(self, seconds: float) -> None:
        if self._works:
            signal.setitimer(signal.ITIMER_PROF, seconds, _again_s if seconds else 0)

    def _expired(self, number: int, frame: FrameType | None) -> None:
        # while arming or ending it comes again if need be
        inside = frame is not None and frame.f_code.co_filename in _own_files
        if self._armed and not inside and time.process_time() >= self._until:
            raise TooSlow
