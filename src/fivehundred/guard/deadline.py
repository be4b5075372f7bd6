"""Work for a caller that has gone is not begun: ``Guard(deadline=True)``.

The Client says in ``Fivehundred-Deadline`` how many milliseconds it will still wait. A request that waited longer than
that before anyone looked at it, in a backlog or a queue, is answered 504 at once. How long it waited is known from the
kernel, where the server shows the socket, and from ``X-Request-Start``, where a proxy writes it. Clocks of callers are
never compared with ours. The header can only shorten the sender's own request, so anybody may send it.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

from fivehundred import limits

Waited: TypeAlias = "Callable[[], float]"


class CallerGone(Exception):
    """The caller stopped waiting before the work on its request began. Answered 504."""


def wsgi(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """For inside a Guard."""

    def punctual(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        check_environ(environ)
        return app(environ, start_response)

    return punctual


def asgi(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def punctual(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name: value for name, value in scope["headers"] if name in _ASGI_NAMES}
            told = headers.get(b"fivehundred-deadline")
            if told is not None:
                begun = headers.get(b"x-request-start", b"").decode("latin-1")
                check(told.decode("latin-1"), lambda: proxy_ms(begun, time.time()))
        await app(scope, receive, send)

    return punctual


_ASGI_NAMES: Final = frozenset((b"fivehundred-deadline", b"x-request-start"))


def check_environ(environ: dict[str, Any]) -> None:
    """Raises CallerGone. Also Django's ``request.META``."""
    told = environ.get("HTTP_FIVEHUNDRED_DEADLINE")
    if told is not None:
        check(told, lambda: max(proxy_ms(environ.get("HTTP_X_REQUEST_START", ""), time.time()), kernel_ms(environ)))


def check_headers(get: Callable[[str, str], str | None]) -> None:
    """Raises CallerGone. ``get`` looks a header up, without regard to case, as every framework's headers do."""
    told = get("fivehundred-deadline", "")
    if told:
        check(told, lambda: proxy_ms(get("x-request-start", "") or "", time.time()))


def check(told: str, waited: Waited) -> None:
    if not (told.isascii() and told.isdigit() and len(told) <= limits.deadline_digits_max):
        return  # not from our Client: nobody has said how long they wait
    waited_ms = waited()
    if waited_ms >= int(told):
        raise CallerGone(
            f"the caller waits {int(told)} ms; the request had waited {waited_ms:.0f} ms before it was begun"
        )


_START: Final = re.compile(r"(?:t=)?([0-9]{10,16})(?:\.([0-9]{1,6}))?")


def proxy_ms(value: str, now: float) -> float:
    """Of "t=1700000000.123" (nginx), "1700000000123" (Heroku) or microseconds (Apache): how long ago that was. 0 for
    junk, and for what lies further back than a request can wait: it is a clock that is wrong."""
    found = _START.fullmatch(value.strip()[:40])
    if found is None:
        return 0.0
    scale = {10: 1e3, 13: 1.0, 16: 1e-3}.get(len(found[1]))
    if scale is None:
        return 0.0
    ago = now * 1e3 - float(f"{found[1]}.{found[2] or 0}") * scale
    return ago if 0 < ago <= limits.queue_wait_ms_max else 0.0


def kernel_ms(environ: dict[str, Any]) -> float:
    """Since the last bytes of the request arrived, by Linux' own count. Only gunicorn and werkzeug show the socket."""
    sock = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if not isinstance(sock, socket.socket) or not hasattr(socket, "TCP_INFO"):
        return 0.0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECV + 4)
    except OSError:  # a Unix socket, or one that is closed
        return 0.0
    return float(struct.unpack_from("=I", info, _LAST_DATA_RECV)[0]) if len(info) >= _LAST_DATA_RECV + 4 else 0.0


_LAST_DATA_RECV: Final = 52  # tcpi_last_data_recv of struct tcp_info, <linux/tcp.h>
