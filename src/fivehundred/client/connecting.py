"""Makes a blocking connect end in time, the look-up of a name included.

Nothing can interrupt ``getaddrinfo``: it waits for a dead name server as long as the system says, and then each address
is tried for the whole of the time-out. So a connect to a name runs on a thread of its own, which is left behind when
it takes too long. A connect to an address needs no thread.
"""

from __future__ import annotations

import contextvars
import socket
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ConnectTookTooLong(TimeoutError):
    """The library's own error is raised in its place."""


def in_time(host: str, seconds: float | None, connect: Callable[[], T]) -> T:
    """What ``connect`` returns has a method ``close``."""
    if seconds is None or _is_address(host):
        return connect()
    connecting = _Connecting(connect)
    try:
        threading.Thread(
            target=contextvars.copy_context().run, args=(connecting.run,), name="fivehundred-connect", daemon=True
        ).start()
    except RuntimeError:  # no more threads, or the interpreter is ending: as if there were no bound
        return connect()
    return connecting.result(host, seconds)


def _is_address(host: str) -> bool:
    if ":" in host:
        return True
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


class _Connecting(Generic[T]):
    def __init__(self, connect: Callable[[], T]) -> None:
        self._connect = connect
        self._done, self._lock = threading.Event(), threading.Lock()
        self._made: list[T] = []
        self._error: BaseException | None = None
        self._left = False  # nobody waits for it any more

    def run(self) -> None:
        try:
            made = self._connect()
        except BaseException as error:  # the waiting thread's to raise
            self._error = error
        else:
            with self._lock:
                self._made.append(made)
                if self._left:
                    _close(made)
        self._done.set()

    def result(self, host: str, seconds: float) -> T:
        if not self._done.wait(seconds):
            with self._lock:
                self._left = not self._made
            if self._left:
                raise ConnectTookTooLong(f"no connection to {host} within {seconds:.3g} s, its name looked up or not")
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._made[0]


def _close(made: Any) -> None:
    made.close()
