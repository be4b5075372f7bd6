"""Makes httpx and httpx2 end every read, write and connect at the deadline, and adds a header on the wire alone.

httpx has no public place for httpcore's ``network_backend``, nor for the pool; of the ways to bound a read that drips,
wrapping them is the one without a second thread and without a timer for each call. It imports neither library.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from fivehundred.client.connecting import ConnectTookTooLong, in_time
from fivehundred.client.scope import attempt_header
from fivehundred.client.sockets import left_s, until

attempt_key: Final = "fivehundred.attempt"  # request extension: the number to send, as bytes


def make_punctual(transport: Any, connect_timeout: type[Exception]) -> bool:
    """False: the transport is built otherwise, and left as it is. ``connect_timeout``: the library's own error."""
    pool = getattr(transport, "_pool", None)
    if isinstance(pool, _Pool):
        return True
    backend = getattr(pool, "_network_backend", None)
    if pool is None or backend is None:
        return False
    is_async = hasattr(pool, "handle_async_request")
    pool._network_backend = _AsyncBackend(backend) if is_async else _Backend(backend, connect_timeout)
    transport._pool = _Pool(pool)
    return True


class _Pool:
    """A connection pool of httpcore around another.

    What it adds to a request was neither merged nor copied on the way here: a header of the client's own costs a good
    call five microseconds more.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def handle_request(self, request: Any) -> Any:
        number = request.extensions.get(attempt_key)
        if number:
            request.headers.append((_header, number))
        return self._inner.handle_request(request)

    def handle_async_request(self, request: Any) -> Any:
        number = request.extensions.get(attempt_key)
        if number:
            request.headers.append((_header, number))
        return self._inner.handle_async_request(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __enter__(self) -> Any:
        return self._inner.__enter__()

    def __exit__(self, *problem: Any) -> Any:
        return self._inner.__exit__(*problem)

    def __aenter__(self) -> Any:
        return self._inner.__aenter__()

    def __aexit__(self, *problem: Any) -> Any:
        return self._inner.__aexit__(*problem)


_header: Final = attempt_header.encode()


class _Backend:
    """A network backend of httpcore around another."""

    def __init__(self, inner: Any, connect_timeout: type[Exception]) -> None:
        self._inner, self._connect_timeout = inner, connect_timeout
        self.sleep = inner.sleep

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        seconds = left_s(timeout)
        try:
            return _Stream(in_time(host, seconds, lambda: self._connect(host, port, seconds, options)))
        except ConnectTookTooLong as error:
            raise self._connect_timeout(str(error)) from None

    def _connect(self, host: str, port: int, seconds: float | None, options: dict[str, Any]) -> Any:
        return self._inner.connect_tcp(host, port, timeout=seconds, **options)

    def connect_unix_socket(self, path: str, timeout: float | None = None, **options: Any) -> _Stream:
        return _Stream(self._inner.connect_unix_socket(path, timeout=left_s(timeout), **options))


class _AsyncBackend:
    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sleep = inner.sleep

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Any,
    ) -> _AsyncStream:
        return _AsyncStream(await self._inner.connect_tcp(host, port, timeout=left_s(timeout), **options))

    async def connect_unix_socket(self, path: str, timeout: float | None = None, **options: Any) -> _AsyncStream:  # noqa: ASYNC109
        return _AsyncStream(await self._inner.connect_unix_socket(path, timeout=left_s(timeout), **options))


class _StreamBase:
    """A network stream of httpcore around another. In the asynchronous world ``read`` returns what is to be awaited."""

    def __init__(self, inner: Any) -> None:
        self._read, self._write, self._start_tls = inner.read, inner.write, inner.start_tls
        self.get_extra_info = inner.get_extra_info

    # each call reads and writes at least once; the usual case of left_s is written out
    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        if timeout is None or until.get() - monotonic() < timeout:
            timeout = left_s(timeout)
        return self._read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        # httpcore writes nothing twice for each request
        if buffer and (timeout is None or until.get() - monotonic() < timeout):
            timeout = left_s(timeout)
        return self._write(buffer, timeout)


class _Stream(_StreamBase):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.close = inner.close

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        return _Stream(self._start_tls(ssl_context, server_hostname, left_s(timeout)))


class _AsyncStream(_StreamBase):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.aclose = inner.aclose

    async def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> _AsyncStream:
        return _AsyncStream(await self._start_tls(ssl_context, server_hostname, left_s(timeout)))
