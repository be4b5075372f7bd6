"""The Client for httpx2: ``Client`` and ``AsyncClient`` instead of httpx2's own, or a transport around a transport.

It translates httpx2's words to ours and back: what is decided is decided in ``policy.py``, and what it shares with
httpx is in ``httpx_wire.py``. A final 5xx is raised as ``ServerError``, which is an ``httpx2.HTTPStatusError`` as well.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx2

from fivehundred.client import errors
from fivehundred.client.hooks import Hook
from fivehundred.client.httpx_bodies import request_options
from fivehundred.client.httpx_wire import AsyncWay, BlockingWay, Library, whole_key
from fivehundred.client.policy import Policy
from fivehundred.client.scope import scope, within

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
    def __init__(self, facts: errors.Facts, response: httpx2.Response) -> None:
        httpx2.HTTPStatusError.__init__(self, errors.message(facts), request=response.request, response=response)
        self.facts = facts


class ServerError(errors.ServerError, _StatusError):
    """The server answered 5xx."""


class Unavailable(errors.Unavailable, ServerError):
    """The server answered 502, 503 or 504."""


class RateLimited(errors.RateLimited, _StatusError):
    """The server answered 429."""


class NotSent(errors.NotSent, httpx2.ConnectError):
    """The breaker of the origin is open."""


_library: Final = Library(
    httpx2,
    {
        errors.ServerError: ServerError,
        errors.Unavailable: Unavailable,
        errors.RateLimited: RateLimited,
        errors.NotSent: NotSent,
    },
    __name__,
)


class Transport(httpx2.BaseTransport):
    """Wraps another transport; without one, an ``httpx2.HTTPTransport``."""

    def __init__(
        self,
        inner: httpx2.BaseTransport | None = None,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        raises: bool = True,
    ) -> None:
        self.inner = inner or httpx2.HTTPTransport()
        self._way = BlockingWay(_library, self.inner, policy, hooks, raises)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response: httpx2.Response = self._way.handle(request)
        return response

    def close(self) -> None:
        self.inner.close()


class AsyncTransport(httpx2.AsyncBaseTransport):
    """Wraps another transport; without one, an ``httpx2.AsyncHTTPTransport``. It runs on asyncio."""

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport | None = None,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        raises: bool = True,
    ) -> None:
        self.inner = inner or httpx2.AsyncHTTPTransport()
        self._way = AsyncWay(_library, self.inner, policy, hooks, raises)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response: httpx2.Response = await self._way.handle(request)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class Client(httpx2.Client):
    """An ``httpx2.Client`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        raises: bool = True,
        mounts: Mapping[str, httpx2.BaseTransport | None] | None = None,
        **options: Any,
    ) -> None:
        self.policy = policy or Policy()
        self._wrap = functools.partial(Transport, policy=self.policy, hooks=hooks, raises=raises)
        wrapped = {pattern: inner and self._wrap(inner) for pattern, inner in (mounts or {}).items()}
        super().__init__(mounts=wrapped, **options)

    # httpx2 asks these two for every transport that was not given to it: the default one and one for each proxy

    def _init_transport(self, *args: Any, **options: Any) -> httpx2.BaseTransport:
        return self._wrap(super()._init_transport(*args, **options))

    def _init_proxy_transport(self, *args: Any, **options: Any) -> httpx2.BaseTransport:
        return self._wrap(super()._init_proxy_transport(*args, **options))

    def build_request(self, *args: Any, idempotent: bool | str = False, **options: Any) -> httpx2.Request:
        """``idempotent``: True makes an Idempotency-Key, a text is one; then a POST or PATCH may be sent again."""
        if idempotent or options.get("content") is not None or options.get("files"):
            options = request_options(options, idempotent)
        return super().build_request(*args, **options)

    def request(
        self,
        method: str,
        url: httpx2.URL | str,
        *,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
        **options: Any,
    ) -> httpx2.Response:
        """``idempotent``: see ``build_request``."""
        request = self.build_request(method, url, **options)
        return self.send(request, auth=auth, follow_redirects=follow_redirects)

    def post(self, url: httpx2.URL | str, *, idempotent: bool | str = False, **options: Any) -> httpx2.Response:
        return self.request("POST", url, idempotent=idempotent, **options)

    def patch(self, url: httpx2.URL | str, *, idempotent: bool | str = False, **options: Any) -> httpx2.Response:
        return self.request("PATCH", url, idempotent=idempotent, **options)

    def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        """The deadline is one for all hops of a redirect; a body that is not streamed belongs to the call."""
        if not stream:
            request.extensions[whole_key] = True
        token = scope.set(within(self.policy.call_s))
        try:
            return super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        finally:
            scope.reset(token)


class AsyncClient(httpx2.AsyncClient):
    """An ``httpx2.AsyncClient`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        raises: bool = True,
        mounts: Mapping[str, httpx2.AsyncBaseTransport | None] | None = None,
        **options: Any,
    ) -> None:
        self.policy = policy or Policy()
        self._wrap = functools.partial(AsyncTransport, policy=self.policy, hooks=hooks, raises=raises)
        wrapped = {pattern: inner and self._wrap(inner) for pattern, inner in (mounts or {}).items()}
        super().__init__(mounts=wrapped, **options)

    def _init_transport(self, *args: Any, **options: Any) -> httpx2.AsyncBaseTransport:
        return self._wrap(super()._init_transport(*args, **options))

    def _init_proxy_transport(self, *args: Any, **options: Any) -> httpx2.AsyncBaseTransport:
        return self._wrap(super()._init_proxy_transport(*args, **options))

    def build_request(self, *args: Any, idempotent: bool | str = False, **options: Any) -> httpx2.Request:
        """``idempotent``: True makes an Idempotency-Key, a text is one; then a POST or PATCH may be sent again."""
        if idempotent or options.get("content") is not None or options.get("files"):
            options = request_options(options, idempotent, is_async=True)
        return super().build_request(*args, **options)

    async def request(
        self,
        method: str,
        url: httpx2.URL | str,
        *,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
        **options: Any,
    ) -> httpx2.Response:
        """``idempotent``: see ``build_request``."""
        request = self.build_request(method, url, **options)
        return await self.send(request, auth=auth, follow_redirects=follow_redirects)

    async def post(self, url: httpx2.URL | str, *, idempotent: bool | str = False, **options: Any) -> httpx2.Response:
        return await self.request("POST", url, idempotent=idempotent, **options)

    async def patch(self, url: httpx2.URL | str, *, idempotent: bool | str = False, **options: Any) -> httpx2.Response:
        return await self.request("PATCH", url, idempotent=idempotent, **options)

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        """The deadline is one for all hops of a redirect; a body that is not streamed belongs to the call."""
        if not stream:
            request.extensions[whole_key] = True
        token = scope.set(within(self.policy.call_s))
        try:
            return await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        finally:
            scope.reset(token)
