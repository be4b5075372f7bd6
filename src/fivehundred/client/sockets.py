"""Makes reads end in time. A socket's own time-out begins anew with every byte, so a server that drips one byte a
second holds a caller for ever; here each single read may take what is left until ``until`` and no more.
"""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any, Final

# Reads of this thread or task end by then, as time.monotonic() counts. Whoever sets it resets it.
until: Final[ContextVar[float]] = ContextVar("fivehundred_client_until", default=math.inf)


def left_s(timeout: float | None) -> float | None:
    """The time-out that one read or write may have now."""
    left = until.get() - time.monotonic()
    if timeout is not None and timeout <= left * 1.02:  # the first read of an attempt keeps its time-out as it is
        return timeout
    if left <= 0:  # a server that always has a byte ready would be read for ever
        raise TimeoutError("the time for this answer is used up")
    return None if left == math.inf else left


def is_past() -> bool:
    return time.monotonic() >= until.get()


def dialled(sock: Any) -> Any:
    """The socket, with what is left as its time-out when TLS takes it over: certificates are read in between."""
    if type(sock) is socket.socket:
        sock.__class__ = _Dialled
    return sock


class _Dialled(socket.socket):
    __slots__ = ()

    def gettimeout(self) -> float | None:
        own = socket.socket.gettimeout(self)
        left = until.get() - time.monotonic()
        return own if own is None or own <= left else max(left, 0.001)


def clamp(sock: Any) -> bool:
    """Makes what a blocking socket receives end in time. False: it is of another kind, and left as it is."""
    kind = {socket.socket: _Socket, _Dialled: _Socket, ssl.SSLSocket: _TlsSocket}.get(type(sock))
    if kind is not None:
        sock.__class__ = kind  # the object is as it was made, but for one method
    return kind is not None


class _Socket(socket.socket):
    __slots__ = ()

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        own = self.gettimeout()
        # each call reads at least once; the usual case of left_s is written out
        if own is not None and until.get() - time.monotonic() >= own:
            return socket.socket.recv_into(self, buffer, nbytes, flags)
        allowed = left_s(own)
        if allowed == own:
            return socket.socket.recv_into(self, buffer, nbytes, flags)
        self.settimeout(allowed)
        try:
            return socket.socket.recv_into(self, buffer, nbytes, flags)
        finally:
            self.settimeout(own)


class _TlsSocket(ssl.SSLSocket):
    __slots__ = ()

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        own = self.gettimeout()
        allowed = left_s(own)
        if allowed == own:
            return super().recv_into(buffer, nbytes, flags)
        self.settimeout(allowed)
        try:
            return super().recv_into(buffer, nbytes, flags)
        finally:
            self.settimeout(own)


class _Clamped(socket.SocketIO):
    """The raw side of a socket's file."""

    of: socket.socket

    def readinto(self, buffer: Any) -> int | None:
        own = self.of.gettimeout()
        allowed = left_s(own)
        if allowed == own:
            return socket.SocketIO.readinto(self, buffer)
        self.of.settimeout(allowed)
        try:
            return socket.SocketIO.readinto(self, buffer)
        finally:
            self.of.settimeout(own)


class ClampedResponse(http.client.HTTPResponse):
    """For the ``response_class`` of an HTTPConnection whose socket is of another kind."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw: Any = self.fp.raw
        raw.__class__ = _Clamped  # the object is as it was made, but for one method
        raw.of = sock
