"""Makes blocking reads end in time. A socket's own time-out begins anew with every byte, so a server that drips one
byte a second holds a caller for ever; here each single read may take what is left until ``limit.until`` and no more.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_least_s: Final = 0.001  # 0 would mean "do not block at all"


class _Limit(threading.local):
    until: float = math.inf  # as time.monotonic() counts


limit: Final = _Limit()


@contextmanager
def within(until: float) -> Iterator[None]:
    """Blocking reads of this thread end by then."""
    before, limit.until = limit.until, until
    try:
        yield
    finally:
        limit.until = before


def left_s(timeout: float | None) -> float | None:
    """The time-out that one read or write may have now."""
    left = limit.until - time.monotonic()
    if timeout is not None and timeout <= left:
        return timeout
    return None if left == math.inf else max(_least_s, left)


def is_past() -> bool:
    return time.monotonic() >= limit.until


class _Clamped(io.RawIOBase):
    """The raw side of a socket's file."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        own = self._sock.gettimeout()
        allowed = left_s(own)
        if allowed == own:
            return self._raw.readinto(buffer)
        self._sock.settimeout(allowed)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(own)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class ClampedResponse(http.client.HTTPResponse):
    """For the ``response_class`` of an HTTPConnection."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Clamped(self.fp.detach(), sock))
