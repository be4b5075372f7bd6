"""What the Clients and transports for httpx and httpx2 do, once for both. It imports neither library.

An adapter's class is one of these beside the library's: ``class Client(BlockingClient[...], httpx.Client)``.
The methods here come first, and ``super()`` is the library's. The type parameters are the library's request, response
and transport, so that an editor shows what a call returns.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from fivehundred.client.hooks import Hook
from fivehundred.client.httpx_bodies import request_options
from fivehundred.client.httpx_wire import AsyncWay, BlockingWay, Library, whole_key
from fivehundred.client.policy import Policy
from fivehundred.client.scope import scope, within

Q = TypeVar("Q")  # the library's Request
R = TypeVar("R")  # its Response
T = TypeVar("T")  # its transport

_unset: Final[Any] = object()  # the library has its own word for it, which is another one in each


class BlockingTransport(BlockingWay, Generic[Q, R, T]):
    """Wraps another transport; without one, the library's own."""

    library: ClassVar[Library]

    def __init__(
        self, inner: T | None = None, policy: Policy | None = None, hooks: Sequence[Hook] = (), raises: bool = True
    ) -> None:
        super().__init__(inner or self.library.module.HTTPTransport(), policy, hooks, raises)

    def close(self) -> None:
        self.inner.close()


class AsyncTransport(AsyncWay, Generic[Q, R, T]):
    """Wraps another transport; without one, the library's own. It runs on asyncio and on trio."""

    library: ClassVar[Library]

    def __init__(
        self, inner: T | None = None, policy: Policy | None = None, hooks: Sequence[Hook] = (), raises: bool = True
    ) -> None:
        super().__init__(inner or self.library.module.AsyncHTTPTransport(), policy, hooks, raises)

    async def aclose(self) -> None:
        await self.inner.aclose()


class _Client(Generic[Q, R, T]):
    """What blocking and asynchronous clients have in common."""

    library: ClassVar[Library]
    transport: ClassVar[Any]  # the adapter's own class
    is_async: ClassVar[bool]

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        raises: bool = True,
        mounts: Mapping[str, T | None] | None = None,
        **options: Any,
    ) -> None:
        self.policy = policy or Policy()
        self._new_transport = functools.partial(self.transport, policy=self.policy, hooks=hooks, raises=raises)
        self._unset: Any = self.library.module.USE_CLIENT_DEFAULT
        self._builds: Any = type(self).build_request is not _Client.build_request  # somebody's subclass has its own
        wrapped = {pattern: inner and self._wrap(inner) for pattern, inner in (mounts or {}).items()}
        super().__init__(mounts=wrapped, **options)  # type: ignore[call-arg]

    def _wrap(self, transport: Any) -> Any:
        """One of ours is left as it is, with the policy that it was made with."""
        return transport if isinstance(transport, self.transport) else self._new_transport(transport)

    # the library asks these two for every transport that was not given to it: the default one and one for each proxy

    def _init_transport(self, *args: Any, **options: Any) -> Any:
        return self._wrap(super()._init_transport(*args, **options))  # type: ignore[misc]

    def _init_proxy_transport(self, *args: Any, **options: Any) -> Any:
        return self._wrap(super()._init_proxy_transport(*args, **options))  # type: ignore[misc]

    def build_request(self, method: str, url: Any, *, idempotent: bool | str = False, **options: Any) -> Q:
        """``idempotent``: True makes an Idempotency-Key, a text is one; then a POST or PATCH may be sent again."""
        if idempotent or options.get("content") is not None or options.get("files"):
            options = request_options(options, idempotent, is_async=self.is_async)
        built: Q = super().build_request(method, url, **options)  # type: ignore[misc]
        return built

    def _is_one_request(self) -> bool:
        """Then the transport alone bounds the call: nobody sends a second request for it."""
        me: Any = self
        if me.follow_redirects or me.auth is not None:
            return False
        hooks = me.event_hooks
        return not hooks["request"] and not hooks["response"]


class BlockingClient(_Client[Q, R, T]):
    """A client of the library that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    is_async = False

    def request(
        self,
        method: str,
        url: Any,
        *,
        idempotent: bool | str = False,
        content: Any = None,
        auth: Any = _unset,
        follow_redirects: Any = _unset,
        **options: Any,
    ) -> R:
        """``idempotent``: see ``build_request``."""
        if idempotent or self._builds or content is not None or "files" in options:
            request = self.build_request(method, url, idempotent=idempotent, content=content, **options)
        else:
            request = super(_Client, self).build_request(method, url, **options)  # type: ignore[misc]
        if auth is _unset and follow_redirects is _unset:
            return self.send(request)
        return self.send(
            request,
            auth=self._unset if auth is _unset else auth,
            follow_redirects=self._unset if follow_redirects is _unset else follow_redirects,
        )

    if not TYPE_CHECKING:  # the library's own types are the better ones

        def get(self, url: Any, **options: Any) -> R:
            """Without what nobody has given: handing a dozen defaults down twice costs more than the retries do."""
            return self.request("GET", url, **options)

    def post(self, url: Any, *, idempotent: bool | str = False, **options: Any) -> R:
        return self.request("POST", url, idempotent=idempotent, **options)

    def patch(self, url: Any, *, idempotent: bool | str = False, **options: Any) -> R:
        return self.request("PATCH", url, idempotent=idempotent, **options)

    def send(self, request: Q, *, stream: bool = False, auth: Any = _unset, follow_redirects: Any = _unset) -> R:
        """The deadline is one for all hops of a redirect; a body that is not streamed belongs to the call."""
        if not stream:
            request.extensions[whole_key] = True  # type: ignore[attr-defined]
        response: R
        if auth is _unset and follow_redirects is _unset and self._is_one_request():
            response = super().send(request, stream=stream)  # type: ignore[misc]
            return response
        auth = self._unset if auth is _unset else auth
        follow_redirects = self._unset if follow_redirects is _unset else follow_redirects
        token = scope.set(within(self.policy.call_s))
        try:
            response = super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)  # type: ignore[misc]
            return response
        finally:
            scope.reset(token)


class AsyncClient(_Client[Q, R, T]):
    """An asynchronous client of the library that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    is_async = True

    async def request(
        self,
        method: str,
        url: Any,
        *,
        idempotent: bool | str = False,
        content: Any = None,
        auth: Any = _unset,
        follow_redirects: Any = _unset,
        **options: Any,
    ) -> R:
        """``idempotent``: see ``build_request``."""
        if idempotent or self._builds or content is not None or "files" in options:
            request = self.build_request(method, url, idempotent=idempotent, content=content, **options)
        else:
            request = super(_Client, self).build_request(method, url, **options)  # type: ignore[misc]
        if auth is _unset and follow_redirects is _unset:
            return await self.send(request)
        return await self.send(
            request,
            auth=self._unset if auth is _unset else auth,
            follow_redirects=self._unset if follow_redirects is _unset else follow_redirects,
        )

    if not TYPE_CHECKING:  # the library's own types are the better ones

        async def get(self, url: Any, **options: Any) -> R:
            """Without what nobody has given: handing a dozen defaults down twice costs more than the retries do."""
            return await self.request("GET", url, **options)

    async def post(self, url: Any, *, idempotent: bool | str = False, **options: Any) -> R:
        return await self.request("POST", url, idempotent=idempotent, **options)

    async def patch(self, url: Any, *, idempotent: bool | str = False, **options: Any) -> R:
        return await self.request("PATCH", url, idempotent=idempotent, **options)

    async def send(self, request: Q, *, stream: bool = False, auth: Any = _unset, follow_redirects: Any = _unset) -> R:
        """The deadline is one for all hops of a redirect; a body that is not streamed belongs to the call."""
        if not stream:
            request.extensions[whole_key] = True  # type: ignore[attr-defined]
        response: R
        if auth is _unset and follow_redirects is _unset and self._is_one_request():
            response = await super().send(request, stream=stream)  # type: ignore[misc]
            return response
        auth = self._unset if auth is _unset else auth
        follow_redirects = self._unset if follow_redirects is _unset else follow_redirects
        token = scope.set(within(self.policy.call_s))
        try:
            response = await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)  # type: ignore[misc]
            return response
        finally:
            scope.reset(token)
