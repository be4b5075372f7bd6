"""The Client for httpx: ``Client`` and ``AsyncClient`` instead of httpx's own, or a transport around a transport.

It names httpx's classes and no more: what they do is in ``httpx_clients.py`` and ``httpx_wire.py``, once for httpx and
httpx2. A final 5xx is raised as ``ServerError``, which is an ``httpx.HTTPStatusError`` as well.
"""

from __future__ import annotations

from typing import Any, Final

import httpx

from fivehundred.client import errors, httpx_clients
from fivehundred.client.httpx_wire import Library
from fivehundred.client.policy import Policy

__all__ = [
    "AsyncClient",
    "AsyncTransport",
    "Client",
    "NotSent",
    "Policy",
    "RateLimited",
    "ServerError",
    "Transport",
    "Unavailable",
]


class _StatusError(errors.CallFailed, httpx.HTTPStatusError):
    def __init__(self, facts: errors.Facts, response: Any = None) -> None:
        """``response`` is missing from a copy only."""
        request: Any = None if response is None else response.request
        httpx.HTTPStatusError.__init__(self, errors.message(facts), request=request, response=response)
        self.facts = facts


class ServerError(errors.ServerError, _StatusError):
    """The server answered 5xx."""


class Unavailable(errors.Unavailable, ServerError):
    """The server answered 502, 503 or 504."""


class RateLimited(errors.RateLimited, _StatusError):
    """The server answered 429."""


class NotSent(errors.NotSent, httpx.ConnectError):
    """The breaker of the origin is open."""


_library: Final = Library(httpx, __name__, ServerError, Unavailable, RateLimited, NotSent)


class Transport(
    httpx_clients.BlockingTransport[httpx.Request, httpx.Response, httpx.BaseTransport], httpx.BaseTransport
):
    """Wraps another transport; without one, an ``httpx.HTTPTransport``."""

    library = _library


class AsyncTransport(
    httpx_clients.AsyncTransport[httpx.Request, httpx.Response, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport
):
    """Wraps another transport; without one, an ``httpx.AsyncHTTPTransport``. It runs on asyncio and on trio."""

    library = _library


class Client(httpx_clients.BlockingClient[httpx.Request, httpx.Response, httpx.BaseTransport], httpx.Client):
    """An ``httpx.Client`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    library, transport = _library, Transport


class AsyncClient(
    httpx_clients.AsyncClient[httpx.Request, httpx.Response, httpx.AsyncBaseTransport], httpx.AsyncClient
):
    """An ``httpx.AsyncClient`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    library, transport = _library, AsyncTransport
