"""What httpx and httpx2 have in common: one call over either. It imports neither; ``Library`` holds their classes.

The two libraries differ in name and not in what is used here, so both adapters are short and this is written once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fivehundred import limits
from fivehundred.client import errors
from fivehundred.client.course import Course
from fivehundred.client.hooks import Hook
from fivehundred.client.httpx_bodies import request_options as request_options
from fivehundred.client.httpx_bodies import sendable_key
from fivehundred.client.keys import key_header
from fivehundred.client.origin import origin
from fivehundred.client.policy import Outcome, Policy, idempotent_methods
from fivehundred.client.problem_reader import read
from fivehundred.client.retry_after import retry_after_s
from fivehundred.client.scope import attempt_header, deadline_header
from fivehundred.client.sockets import is_past, left_s, limit
from fivehundred.client.switches import switches

whole_key: Final = "fivehundred.whole"  # request extension: the body is read as a whole, not streamed


@dataclass(frozen=True, slots=True)
class Library:
    """The classes of httpx or httpx2."""

    module: Any
    named: dict[type[errors.CallFailed], Any]  # the adapter's own classes for errors with an answer
    home: str  # the adapter's module, for the classes that are made on the way

    def class_for(self, kind: type[errors.CallFailed], cause: type[Exception]) -> Any:
        return self.named.get(kind) or errors.also(kind, cause, self.home)


_no_timeout: Final[dict[str, float | None]] = dict.fromkeys(("connect", "read", "write", "pool"))


class Call:
    """One call, whichever of the two worlds it is in."""

    def __init__(self, library: Library, inner: Any, request: Any) -> None:
        self.library, self.inner, self.request = library, inner, request
        self.extensions: dict[str, Any] = request.extensions
        self.timeout: dict[str, float | None] = self.extensions.get("timeout") or _no_timeout
        self.status: int | None = None  # of an answer whose body is being read
        self.body_whole = True
        self.body = b""

    def course(self, policy: Policy, hooks: tuple[Hook, ...]) -> Course:
        request = self.request
        url = request.url
        return Course(
            policy,
            origin(f"{url.scheme}://{url.netloc.decode('ascii')}"),
            request.method.upper(),
            url,
            keyed=request.method not in idempotent_methods and key_header in request.headers,
            unsendable=self._unsendable(),
            hooks=hooks,
        )

    def _unsendable(self) -> str:
        if self.extensions.get(sendable_key) or isinstance(self.request.stream, self.library.module.ByteStream):
            return ""
        return "its body is a stream that can be read only once"

    def prepare(self, course: Course) -> float:
        """Headers and time-outs of the next attempt; how long it may take."""
        self.status, self.body, self.body_whole = None, b"", True
        seconds = course.attempt_s
        if course.retries:
            if course.number > 1 or whole_key not in self.extensions:  # our clients send the first by default
                self.request.headers[attempt_header] = str(course.number)
        elif whole_key in self.extensions:
            self.request.headers.pop(attempt_header, None)
        if seconds != limits.attempt_s and switches.active:
            self.request.headers[deadline_header] = str(int(seconds * 1000))
        for value in self.timeout.values():
            if value is None or value > seconds:
                timeout = {name: _at_most(self.timeout.get(name), seconds) for name in self.timeout}
                self.request.extensions = {**self.extensions, "timeout": timeout}
                break
        return seconds

    def failed_status(self, response: Any) -> bool:
        self.status = status = int(response.status_code)
        return status >= 500 or status == 429

    def keep(self, response: Any, chunks: list[bytes]) -> None:
        """The body that has been read takes the place of the one on the wire."""
        response.stream = self.library.module.ByteStream(b"".join(chunks))

    def keep_error(self, response: Any, chunks: list[bytes]) -> None:
        self.keep(response, chunks)
        response.request = self.request
        try:
            self.body = response.read()
        except self.library.module.DecodingError:
            self.body, self.body_whole = b"".join(chunks), False

    def bad(self, answer: Any) -> Outcome | None:
        if answer.status_code < 500 and answer.status_code != 429:
            return None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        told = read(headers, self.body, self.body_whole)
        wait = retry_after_s(headers.get("retry-after", ""), time.time())
        return Outcome(answer.status_code, told=told, retry_after=wait, body=self.body)

    def broken(self, error: Exception) -> Outcome | None:
        failure = self._failure(error)
        return Outcome(self.status, failure) if failure else None

    def _failure(self, error: Exception) -> str:
        """ "" for what is no matter of the network: a bad address, a certificate, a protocol of another kind."""
        module = self.library.module
        if isinstance(error, module.ConnectError) and "certificate" in str(error).lower():
            return ""
        if isinstance(error, module.ConnectError | module.ConnectTimeout | module.PoolTimeout | module.ProxyError):
            return "connect"  # the request has not left
        if isinstance(error, module.TimeoutException | TimeoutError):
            return "timeout"
        if isinstance(error, module.NetworkError | module.RemoteProtocolError):
            return "reset" if self.status is None else "cut"
        return ""

    def error(self, facts: errors.Facts, answer: Any, cause: Exception | None) -> Exception:
        module = self.library.module
        cause_class = type(cause) if isinstance(cause, module.TransportError) else module.ReadTimeout
        error: Exception = self.library.class_for(errors.class_for(facts), cause_class)(facts, answer)
        if isinstance(error, module.HTTPError):
            error.request = self.request
        return error


class BlockingCall(Call):
    def __init__(self, library: Library, inner: Any, request: Any, is_punctual: bool) -> None:
        super().__init__(library, inner, request)
        self.punctual = is_punctual  # every read ends in time; else the clock is looked at between two pieces

    def send(self, course: Course) -> Any:
        self.prepare(course)
        limit.until = course.attempt_ends
        try:
            response = self.inner.handle_request(self.request)
            if self.failed_status(response):
                self._read_error(response)
            elif self.extensions.get(whole_key):
                limit.until = course.deadline
                self._read_whole(response)
        finally:
            limit.until = math.inf
        return response

    def _read_whole(self, response: Any) -> None:
        try:
            chunks = list(response.stream if self.punctual else _until_limit(response.stream, self.library))
        finally:
            response.stream.close()
        self.keep(response, chunks)

    def _read_error(self, response: Any) -> None:
        """What comes of an error's body, within bounds, is kept though the rest be missing."""
        chunks: list[bytes] = []
        size = 0
        try:
            for chunk in _until_limit(response.stream, self.library):
                chunks.append(chunk)
                size += len(chunk)
                if size > limits.error_body_bytes_max:
                    self.body_whole = False
                    break
        except self.library.module.TransportError:
            self.body_whole = False
        response.stream.close()
        self.keep_error(response, chunks)


class AsyncCall(Call):
    async def send(self, course: Course) -> Any:
        seconds = self.prepare(course)
        async with asyncio.timeout(seconds):
            response = await self.inner.handle_async_request(self.request)
        if self.failed_status(response):
            await self._read_error(response, course.attempt_ends - course.clock())
        elif self.extensions.get(whole_key):
            async with asyncio.timeout(course.deadline - course.clock()):
                await self._read_whole(response)
        return response

    async def _read_whole(self, response: Any) -> None:
        try:
            chunks = [chunk async for chunk in response.stream]
        finally:
            await response.stream.aclose()
        self.keep(response, chunks)

    async def _read_error(self, response: Any, seconds: float) -> None:
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(seconds):
                await self._gather(response.stream, chunks)
        except (self.library.module.TransportError, TimeoutError):
            self.body_whole = False
        await response.stream.aclose()
        self.keep_error(response, chunks)

    async def _gather(self, stream: AsyncIterator[bytes], chunks: list[bytes]) -> None:
        size = 0
        async for chunk in stream:
            chunks.append(chunk)
            size += len(chunk)
            if size > limits.error_body_bytes_max:
                self.body_whole = False
                return


def _at_most(timeout: float | None, seconds: float) -> float:
    return seconds if timeout is None else min(timeout, seconds)


def _until_limit(stream: Any, library: Library) -> Iterator[bytes]:
    """Between two pieces the clock is looked at: the only bound where the transport below is not ours to shape."""
    for chunk in stream:
        yield chunk
        if is_past():
            raise library.module.ReadTimeout("the deadline passed while the body was read")


# ---- punctual sockets -----------------------------------------------------------------------------


def make_punctual(transport: Any) -> bool:
    """Makes every read, write and connect of a blocking transport end at the deadline.

    httpx has no public place for httpcore's ``network_backend``; of the ways to bound a read that drips, setting it is
    the one without a second thread. A transport that is built otherwise is left as it is, and bounded between two
    pieces of a body only.
    """
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if pool is None or backend is None:
        return False
    if not isinstance(backend, _Backend):
        pool._network_backend = _Backend(backend)
    return True


class _Backend:
    """A network backend of httpcore around another."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        return _Stream(self._inner.connect_tcp(host, port, timeout=left_s(timeout), **options))

    def connect_unix_socket(self, path: str, timeout: float | None = None, **options: Any) -> _Stream:
        return _Stream(self._inner.connect_unix_socket(path, timeout=left_s(timeout), **options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream:
    """A network stream of httpcore around another."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return self._inner.read(max_bytes, left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, left_s(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left_s(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
