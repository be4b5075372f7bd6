"""The Client for httpx2: ``Client`` and ``AsyncClient`` instead of httpx2's own, or a transport around a transport.

It names httpx2's classes and no more: what they do is in ``httpx_clients.py`` and ``httpx_wire.py``, once for httpx and
httpx2. A final 5xx is raised as ``ServerError``, which is an ``httpx2.HTTPStatusError`` as well.
"""

from __future__ import annotations

from typing import Any, Final

import httpx2

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


class _StatusError(errors.CallFailed, httpx2.HTTPStatusError):
    def __init__(self, facts: errors.Facts, response: Any = None) -> None:
        """``response`` is missing from a copy only."""
        request: Any = None if response is None else response.request
        httpx2.HTTPStatusError.__init__(self, errors.message(facts), request=request, response=response)
        self.facts = facts


class ServerError(errors.ServerError, _StatusError):
    """The server answered 5xx."""


class Unavailable(errors.Unavailable, ServerError):
    """The server answered 502, 503 or 504."""


class RateLimited(errors.RateLimited, _StatusError):
    """The server answered 429."""


class NotSent(errors.NotSent, httpx2.ConnectError):
    """The breaker of the origin is open."""


_library: Final = Library(httpx2, __name__, ServerError, Unavailable, RateLimited, NotSent)


class Transport(
    httpx_clients.BlockingTransport[httpx2.Request, httpx2.Response, httpx2.BaseTransport], httpx2.BaseTransport
):
    """Wraps another transport; without one, an ``httpx2.HTTPTransport``."""

    library = _library


class AsyncTransport(
    httpx_clients.AsyncTransport[httpx2.Request, httpx2.Response, httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport
):
    """Wraps another transport; without one, an ``httpx2.AsyncHTTPTransport``. It runs on asyncio and on trio."""

    library = _library


class Client(httpx_clients.BlockingClient[httpx2.Request, httpx2.Response, httpx2.BaseTransport], httpx2.Client):
    """An ``httpx2.Client`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    library, transport = _library, Transport


class AsyncClient(
    httpx_clients.AsyncClient[httpx2.Request, httpx2.Response, httpx2.AsyncBaseTransport], httpx2.AsyncClient
):
    """An ``httpx2.AsyncClient`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    library, transport = _library, AsyncTransport
