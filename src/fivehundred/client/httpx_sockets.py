"""Makes httpx and httpx2 end every read, write and connect at the deadline, and adds a header on the wire alone.

httpx has no public place for httpcore's ``network_backend``, nor for the pool; of the ways to bound a read that drips,
wrapping them is the one without a second thread and without a timer for each call. It imports neither library.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic
from typing import Any, Final

from fivehundred.client.connecting import ConnectTookTooLong, in_time
from fivehundred.client.scope import attempt_header
from fivehundred.client.sockets import left_s, until

# The number of the attempt that is being made, as bytes, until it is on the wire; then the list is empty.
unsent_attempt: Final[ContextVar[list[bytes]]] = ContextVar("fivehundred_client_unsent_attempt", default=[])  # noqa: B039  # nothing appends to it


def make_punctual(transport: Any, connect_timeout: type[Exception]) -> bool:
    """False: the transport is built otherwise, and left as it is. ``connect_timeout``: the library's own error."""
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if isinstance(backend, _Backend | _AsyncBackend):
        return True
    if pool is None or backend is None:
        return False
    is_async = hasattr(pool, "handle_async_request")
    pool._network_backend = _AsyncBackend(backend) if is_async else _Backend(backend, connect_timeout)
    if getattr(pool, "_http2", True):
        transport._pool = _Pool(pool)
    return True


class _Pool:
    """A connection pool of httpcore around another, where the bytes on the wire may be those of HTTP/2: there the
    attempt is a header like any other."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def handle_request(self, request: Any) -> Any:
        unsent = unsent_attempt.get()
        if unsent:
            request.headers.append((_header, unsent.pop()))
        return self._inner.handle_request(request)

    def handle_async_request(self, request: Any) -> Any:
        unsent = unsent_attempt.get()
        if unsent:
            request.headers.append((_header, unsent.pop()))
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
_line: Final = _header + b": "


def _with_attempt(buffer: bytes, unsent: list[bytes]) -> bytes:
    """Adds the attempt to the head of a request of HTTP/1.1, which httpcore writes at once. A header that is handed
    over is validated, copied and searched seven times on its way: a third of what the Client costs a good call."""
    if not buffer.endswith(b"\r\n\r\n") or b" HTTP/1.1\r\n" not in buffer or buffer.startswith(b"CONNECT "):
        return buffer  # a proxy is being spoken to first
    return buffer[:-2] + _line + unsent.pop() + b"\r\n\r\n"


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
        if buffer:  # httpcore writes nothing twice for each request
            unsent = unsent_attempt.get()
            if unsent:
                buffer = _with_attempt(buffer, unsent)
            if timeout is None or until.get() - monotonic() < timeout:
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
