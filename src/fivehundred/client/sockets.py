"""Makes blocking reads end in time. A socket's own time-out begins anew with every byte, so a server that drips one
byte a second holds a caller for ever; here each single read may take what is left until ``limit.until`` and no more.
"""

from __future__ import annotations

import http.client
import math
import socket
import threading
import time
from typing import Any, Final

_least_s: Final = 0.001  # 0 would mean "do not block at all"


class _Limit(threading.local):
    """Blocking reads of this thread end by ``until``. Whoever sets it sets it back."""

    until: float = math.inf  # as time.monotonic() counts


limit: Final = _Limit()


def left_s(timeout: float | None) -> float | None:
    """The time-out that one read or write may have now."""
    left = limit.until - time.monotonic()
    if timeout is not None and timeout <= left * 1.02:  # the first read of an attempt keeps its time-out as it is
        return timeout
    return None if left == math.inf else max(_least_s, left)


def is_past() -> bool:
    return time.monotonic() >= limit.until


class _Clamped(socket.SocketIO):
    """The raw side of a socket's file."""

    of: socket.socket

    def readinto(self, buffer: Any) -> int | None:
        own = self.of.gettimeout()
        allowed = left_s(own)
        if allowed == own:
            return super().readinto(buffer)
        self.of.settimeout(allowed)
        try:
            return super().readinto(buffer)
        finally:
            self.of.settimeout(own)


class ClampedResponse(http.client.HTTPResponse):
    """For the ``response_class`` of an HTTPConnection."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw: Any = self.fp.raw
        raw.__class__ = _Clamped  # the object is as it was made, but for one method
        raw.of = sock
