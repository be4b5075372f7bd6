"""What httpx and httpx2 have in common: one call over either. It imports neither; ``Library`` holds their classes.

The two libraries differ in name and not in what is used here, so both adapters are short and this is written once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, ClassVar, Final

from fivehundred import limits
from fivehundred.client import errors
from fivehundred.client.concurrency import at_most
from fivehundred.client.course import Course, outcome_beneath
from fivehundred.client.exchange import exchange, exchange_async
from fivehundred.client.hooks import Hook
from fivehundred.client.httpx_bodies import sendable_key
from fivehundred.client.httpx_sockets import make_punctual, unsent_attempt
from fivehundred.client.keys import key_header
from fivehundred.client.origin import Origin, origin
from fivehundred.client.policy import Outcome, Policy, idempotent_methods
from fivehundred.client.problem_reader import read
from fivehundred.client.retry_after import retry_after_s
from fivehundred.client.scope import attempt_header, deadline_header, scope
from fivehundred.client.sockets import is_past, until
from fivehundred.client.switches import switches

whole_key: Final = "fivehundred.whole"  # request extension: the body is read as a whole, not streamed


class Library:
    """The classes of httpx or httpx2, and those that an adapter has made of them."""

    __slots__ = ("_named", "home", "module")

    def __init__(self, module: Any, home: str, *named: type[errors.CallFailed]) -> None:
        self.module, self.home = module, home  # home: the adapter's module, for the classes that are made on the way
        self._named = {next(base for base in kind.__mro__ if base in _plain): kind for kind in named}

    def class_for(self, kind: type[errors.CallFailed], cause: type[Exception]) -> Any:
        return self._named.get(kind) or errors.also(kind, cause, self.home)


_plain: Final[tuple[type[errors.CallFailed], ...]] = (
    errors.Unavailable,
    errors.ServerError,
    errors.RateLimited,
    errors.NotSent,
)
_no_timeout: Final[dict[str, float | None]] = dict.fromkeys(("connect", "read", "write", "pool"))


class Way:
    """What a transport of ours knows. A call of every day goes the short way: its first attempt is made without keeping
    books on it, which are opened when it fails."""

    library: ClassVar[Library]

    def __init__(self, inner: Any, policy: Policy | None, hooks: Sequence[Hook], raises: bool) -> None:
        self.inner, self.raises = inner, raises
        self.policy, self.hooks = policy or Policy(), tuple(hooks)
        self.punctual = make_punctual(inner, self.library.module.ConnectTimeout)
        # a time-out that somebody has set is told to the server
        self._short = self.punctual and self.policy.attempts_max > 1 and self.policy.attempt_s == limits.attempt_s

    def _origin_on_short_way(self, request: Any, began: float, ends: float) -> Origin | None:
        """The origin of a call that can go the short way."""
        if ends - began < limits.attempt_s or not switches.usual:
            return None
        timeout = request.extensions.get("timeout") or _no_timeout
        # the sockets bound all others
        read_s, pool_s = timeout.get("read"), timeout.get("pool")
        if read_s is None or read_s > limits.attempt_s or pool_s is None or pool_s > limits.attempt_s:
            return None
        found = _origin_of(request.url)
        return found if found.breaker.open_until is None else None


class BlockingWay(Way):
    def handle_request(self, request: Any) -> Any:
        began, outer = monotonic(), scope.get()
        origin = None
        if self._short and not outer.retried:
            origin = self._origin_on_short_way(request, began, outer.deadline)
        if origin is None:
            call = BlockingCall(self, request)
            return exchange(call.course(), call, self.raises)
        status: int | None = None
        token = until.set(began + limits.attempt_s)
        unsent = unsent_attempt.set([b"1"] if _is_repeatable(request) else [])
        try:
            response = self.inner.handle_request(request)
            status = response.status_code
            if status < 500 and status != 429:
                if whole_key in request.extensions:
                    until.set(min(outer.deadline, began + self.policy.call_s))
                    read_whole(response, began)
                origin.succeeded(monotonic())
                return response
            call = BlockingCall(self, request, First(response))
        except Exception as error:
            call = BlockingCall(self, request, First(error=error, status=status))
        finally:
            until.reset(token)
            unsent_attempt.reset(unsent)
        return exchange(call.course(began), call, self.raises)


class AsyncWay(Way):
    async def handle_async_request(self, request: Any) -> Any:
        began, outer = monotonic(), scope.get()
        origin = None
        if self._short and not outer.retried:
            origin = self._origin_on_short_way(request, began, outer.deadline)
        if origin is None:
            call = AsyncCall(self, request)
            return await exchange_async(call.course(), call, self.raises)
        status: int | None = None
        token = until.set(began + limits.attempt_s)
        unsent = unsent_attempt.set([b"1"] if _is_repeatable(request) else [])
        try:
            response = await self.inner.handle_async_request(request)
            status = response.status_code
            if status < 500 and status != 429:
                if whole_key in request.extensions:
                    until.set(min(outer.deadline, began + self.policy.call_s))
                    await read_whole_async(response, began)
                origin.succeeded(monotonic())
                return response
            call = AsyncCall(self, request, First(response))
        except Exception as error:
            call = AsyncCall(self, request, First(error=error, status=status))
        finally:
            until.reset(token)
            unsent_attempt.reset(unsent)
        return await exchange_async(call.course(began), call, self.raises)


@dataclass(slots=True)
class First:
    """What came of an attempt that went the short way."""

    response: Any = None
    error: Exception | None = None
    status: int | None = None  # of an answer whose body was being read


class Call:
    """One call, whichever of the two worlds it is in."""

    def __init__(self, way: Way, request: Any, first: First | None = None) -> None:
        self.way, self.library, self.inner, self.request, self.first = way, way.library, way.inner, request, first
        self.extensions: dict[str, Any] = request.extensions
        self.timeout: dict[str, float | None] = self.extensions.get("timeout") or _no_timeout
        self.status: int | None = None  # of an answer whose body is being read
        self.body_whole = True
        self.body = b""

    def course(self, began: float | None = None) -> Course:
        request = self.request
        return Course(
            self.way.policy,
            _origin_of(request.url),
            request.method.upper(),
            request.url,
            keyed=request.method not in idempotent_methods and key_header in request.headers,
            unsendable=self._unsendable(),
            hooks=self.way.hooks,
            sent_at=began,
        )

    def made(self) -> Any:
        """The answer that the short way has got, or its error. Only once."""
        first, self.first = self.first, None
        if first is None:
            return None
        if first.error is not None:
            self.status = first.status
            raise first.error
        return first.response

    def _unsendable(self) -> str:
        if self.extensions.get(sendable_key) or isinstance(self.request.stream, self.library.module.ByteStream):
            return ""
        return "its body is a stream that can be read only once"

    def prepare(self, course: Course) -> float:
        """Headers and time-outs of the next attempt; how long it may take."""
        self.status, self.body, self.body_whole = None, b"", True
        seconds = course.attempt_s
        if course.retries and not self.way.punctual:
            self.request.headers[attempt_header] = str(course.number)
        if seconds != limits.attempt_s and switches.active:
            self.request.headers[deadline_header] = str(int(seconds * 1000))
        for value in self.timeout.values():
            if value is None or value > seconds:
                timeout = {name: _shorter(self.timeout.get(name), seconds) for name in self.timeout}
                self.request.extensions = {**self.extensions, "timeout": timeout}
                break
        return seconds

    def unsent(self, course: Course) -> list[bytes]:
        """What the sockets have to add to the head of the request."""
        return [b"%d" % course.number] if course.retries and self.way.punctual else []

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
        if isinstance(error, errors.CallFailed):
            return outcome_beneath(error)
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
        if isinstance(cause, errors.CallFailed):
            return cause
        module = self.library.module
        cause_class = type(cause) if isinstance(cause, module.TransportError) else module.ReadTimeout
        error: Exception = self.library.class_for(errors.class_for(facts), cause_class)(facts, answer)
        if isinstance(error, module.HTTPError):
            error.request = self.request
        return error


class BlockingCall(Call):
    def send(self, course: Course) -> Any:
        self.prepare(course)
        token = until.set(course.attempt_ends)
        unsent = unsent_attempt.set(self.unsent(course))
        try:
            response = self.made() or self.inner.handle_request(self.request)
            if self.failed_status(response):
                self._read_error(response)
                response.elapsed = timedelta(seconds=monotonic() - course.began)
            elif self.extensions.get(whole_key):
                until.set(course.deadline)
                self._read_whole(response, course)
        finally:
            until.reset(token)
            unsent_attempt.reset(unsent)
        return response

    def _read_whole(self, response: Any, course: Course) -> None:
        if not self.way.punctual:
            stream = response.stream
            try:
                self.keep(response, list(_until_limit(stream, self.library)))
            finally:
                stream.close()
        read_whole(response, course.began)

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
        except (self.library.module.TransportError, TimeoutError):
            self.body_whole = False
        response.stream.close()
        self.keep_error(response, chunks)


class AsyncCall(Call):
    async def send(self, course: Course) -> Any:
        self.prepare(course)
        token = until.set(course.attempt_ends)
        unsent = unsent_attempt.set(self.unsent(course))
        try:
            async with self._timeout(course.attempt_ends):
                response = self.made() or await self.inner.handle_async_request(self.request)
            if self.failed_status(response):
                await self._read_error(response, course.attempt_ends)
                response.elapsed = timedelta(seconds=monotonic() - course.began)
            elif self.extensions.get(whole_key):
                until.set(course.deadline)
                async with self._timeout(course.deadline):
                    await read_whole_async(response, course.began)
        finally:
            until.reset(token)
            unsent_attempt.reset(unsent)
        return response

    def _timeout(self, ends: float) -> Any:
        """A timer, where the sockets below are not ours to shape."""
        return contextlib.nullcontext() if self.way.punctual else at_most(ends - monotonic())

    async def _read_error(self, response: Any, ends: float) -> None:
        chunks: list[bytes] = []
        try:
            async with self._timeout(ends):
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


def read_whole(response: Any, began: float) -> None:
    """The library reads and keeps it; that the time it took is known is the part of its client that is not reached."""
    try:
        response.read()
    except BaseException:
        response.close()
        raise
    response.elapsed = timedelta(seconds=monotonic() - began)


async def read_whole_async(response: Any, began: float) -> None:
    try:
        await response.aread()
    except BaseException:
        await response.aclose()
        raise
    response.elapsed = timedelta(seconds=monotonic() - began)


def _is_repeatable(request: Any) -> bool:
    return request.method in idempotent_methods or key_header in request.headers


def _origin_of(url: Any) -> Origin:
    port = url.port
    return origin(f"{url.scheme}://{url.host}" if port is None else f"{url.scheme}://{url.host}:{port}")


def _shorter(timeout: float | None, seconds: float) -> float:
    return seconds if timeout is None else min(timeout, seconds)


def _until_limit(stream: Any, library: Library) -> Iterator[bytes]:
    """Between two pieces the clock is looked at: the only bound where the transport below is not ours to shape."""
    for chunk in stream:
        yield chunk
        if is_past():
            raise library.module.ReadTimeout("the deadline passed while the body was read")
