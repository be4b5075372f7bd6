"""How a request thread tells a background thread that there is work, without paying for its waking up.

Waking a thread costs the one who does it 50 to 400 microseconds: a system call, and often the interpreter's lock as
well. So a thread that has just worked dozes and looks again by itself; only one that fell asleep has to be woken.
"""

from __future__ import annotations

import threading
import time
from typing import Final


class Bell:
    """Any number of threads ring, one waits. A ring that comes while nobody waits is kept."""

    def __init__(self) -> None:
        self.rung = False
        self._asleep = False
        self._woken = threading.Event()

    def ring(self) -> None:
        self.rung = True
        if self._asleep:
            self._asleep = False
            self._woken.set()

    def wait(self, timeout_s: float) -> None:
        """Until it is rung, or the time is over."""
        doze_until = time.monotonic() + min(timeout_s, _doze_s)
        while not self.rung and time.monotonic() < doze_until:
            time.sleep(_look_every_s)
        if not self.rung and timeout_s > _doze_s:
            self._sleep(timeout_s - _doze_s)
        self.rung = False

    def _sleep(self, timeout_s: float) -> None:
        self._woken.clear()
        self._asleep = True
        if not self.rung and self._woken.wait(timeout_s):  # else it was rung just before it could know of the sleep
            time.sleep(_look_every_s)  # whoever rang has an answer to finish first
        self._asleep = False


_doze_s: Final = 1.0
_look_every_s: Final = 0.01
