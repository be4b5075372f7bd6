"""The Client for requests: ``Session`` instead of ``requests.Session``, or ``Adapter`` mounted on one.

It translates requests' words to ours and back, and wraps requests' own adapter: what is decided is decided in
``policy.py``. A final 5xx is raised as ``ServerError``, which is a ``requests.HTTPError`` as well.
"""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from fivehundred import limits
from fivehundred.client import errors
from fivehundred.client.connecting import ConnectTookTooLong, in_time
from fivehundred.client.course import Course, outcome_beneath
from fivehundred.client.exchange import exchange
from fivehundred.client.hooks import Hook
from fivehundred.client.keys import key_for, key_header
from fivehundred.client.origin import Origin, origin
from fivehundred.client.policy import Outcome, Policy, idempotent_methods
from fivehundred.client.problem_reader import read
from fivehundred.client.retry_after import retry_after_s
from fivehundred.client.scope import attempt_header, deadline_header, scope, within
from fivehundred.client.sockets import ClampedResponse, clamp, dialled, left_s, until
from fivehundred.client.switches import switches

__all__ = ["Adapter", "NotSent", "Policy", "RateLimited", "ServerError", "Session", "Unavailable"]


class ServerError(errors.ServerError, requests.HTTPError):
    """The server answered 5xx."""


class Unavailable(errors.Unavailable, ServerError):
    """The server answered 502, 503 or 504."""


class RateLimited(errors.RateLimited, requests.HTTPError):
    """The server answered 429."""


class NotSent(errors.NotSent, requests.ConnectionError):
    """The breaker of the origin is open."""


_adapters: Any = requests.adapters
# requests' own name for what it makes of a number each time; made once
_usual_timeout: Final = _adapters.TimeoutSauce(connect=limits.attempt_s, read=limits.attempt_s)


class Session(requests.Session):
    """A ``requests.Session`` that retries what may be retried, and raises ``ServerError`` for a 5xx."""

    def __init__(self, policy: Policy | None = None, hooks: Sequence[Hook] = (), raises: bool = True) -> None:
        super().__init__()
        self.policy = policy or Policy()
        for prefix in ("https://", "http://"):
            self.mount(prefix, Adapter(policy=self.policy, hooks=hooks, raises=raises))

    def request(
        self,
        method: str | bytes,
        url: str | bytes,
        params: Any = None,
        data: Any = None,
        headers: Mapping[str, str | bytes | None] | None = None,
        *args: Any,
        idempotent: bool | str = False,
        **options: Any,
    ) -> requests.Response:
        """``idempotent``: True makes an Idempotency-Key, a text is one; then a POST or PATCH may be sent again."""
        if idempotent:
            headers = {**key_for(idempotent), **(headers or {})}
        return super().request(method, url, params, data, headers, *args, **options)

    def post(
        self, url: str | bytes, data: Any = None, json: Any = None, *, idempotent: bool | str = False, **options: Any
    ) -> requests.Response:
        return self.request("POST", url, data=data, json=json, idempotent=idempotent, **options)

    def patch(
        self, url: str | bytes, data: Any = None, *, idempotent: bool | str = False, **options: Any
    ) -> requests.Response:
        return self.request("PATCH", url, data=data, idempotent=idempotent, **options)

    def resolve_redirects(self, resp: requests.Response, *args: Any, **options: Any) -> Iterator[Any]:
        """The deadline is one for all hops of a redirect."""
        if not resp.is_redirect:
            return iter(())
        ends = time.monotonic() - resp.elapsed.total_seconds() + self.policy.call_s
        return _until(ends, super().resolve_redirects(resp, *args, **options))


def _until(ends: float, hops: Iterator[Any]) -> Iterator[Any]:
    while True:
        token = scope.set(within(ends - time.monotonic()))
        try:
            hop = next(hops, None)
        finally:
            scope.reset(token)
        if hop is None:
            return
        yield hop


class Adapter(requests.adapters.BaseAdapter):
    """Wraps another adapter; without one, requests' own with reads that end at the deadline."""

    def __init__(
        self,
        inner: requests.adapters.BaseAdapter | None = None,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        raises: bool = True,
    ) -> None:
        super().__init__()
        self.inner = inner or _PunctualAdapter()
        self.policy = policy or Policy()
        self.hooks = hooks
        self.raises = raises
        # a time-out that somebody has set is told to the server
        ours = isinstance(self.inner, _PunctualAdapter)
        self._usual = ours and self.policy.attempts_max > 1 and self.policy.attempt_s == limits.attempt_s

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        began = time.monotonic()
        origin = self._short(request, timeout, began)
        if origin is None:
            wire = _Wire(self, request, (timeout, verify, cert, proxies), stream)
            return exchange(wire.course(self.policy, self.hooks), wire, self.raises)
        status: int | None = None
        token = until.set(began + limits.attempt_s)
        try:
            response = self.inner.send(request, True, timeout or _usual_timeout, verify, cert, proxies)
            status = response.status_code
            if status < 500 and status != 429:
                if not stream:
                    until.set(min(scope.get().deadline, began + self.policy.call_s))
                    _ = response.content
                origin.succeeded(time.monotonic())
                response.connection = self  # type: ignore[assignment]  # digest authentication sends by it
                return response
            first = _First(response)
        except Exception as error:
            first = _First(error=error, status=status)
        finally:
            until.reset(token)
        wire = _Wire(self, request, (timeout, verify, cert, proxies), stream, first)
        return exchange(wire.course(self.policy, self.hooks, began), wire, self.raises)

    def _short(self, request: requests.PreparedRequest, timeout: Any, began: float) -> Origin | None:
        """The origin of a call of every day: its first attempt is made without keeping books on it, which are opened
        when it fails."""
        outer = scope.get()
        if not self._usual or not switches.usual or outer.retried or outer.deadline - began < limits.attempt_s:
            return None
        if timeout is not None and not (isinstance(timeout, (int, float)) and 0 < timeout <= limits.attempt_s):
            return None
        if request.body is not None and type(request.body) not in (bytes, str):
            return None
        found = _origin_of(request.url or "")
        if found.breaker.open_until is not None:
            return None
        if request.method in idempotent_methods or key_header in request.headers:
            request.headers[attempt_header] = "1"
        return found

    def close(self) -> None:
        self.inner.close()


@dataclass(slots=True)
class _First:
    """What came of an attempt that went the short way."""

    response: requests.Response | None = None
    error: Exception | None = None
    status: int | None = None  # of an answer whose body was being read


class _Wire:
    """One call over requests."""

    def __init__(
        self,
        adapter: Adapter,
        request: requests.PreparedRequest,
        options: tuple[Any, Any, Any, Any],
        stream: bool,
        first: _First | None = None,
    ) -> None:
        self.adapter, self.request, self.stream, self.first = adapter, request, stream, first
        self.timeout, *self.options = options
        self.body = _Body(request.body)
        self.status: int | None = None  # of an answer whose body is being read

    def course(self, policy: Policy, hooks: Sequence[Hook], began: float | None = None) -> Course:
        url, method = self.request.url or "", (self.request.method or "GET").upper()
        return Course(
            policy,
            _origin_of(url),
            method,
            url,
            keyed=method not in idempotent_methods and key_header in self.request.headers,
            unsendable=self.body.unsendable,
            hooks=hooks,
            sent_at=began,
        )

    def send(self, course: Course) -> requests.Response:
        self.status = None
        token = until.set(course.attempt_ends)
        try:
            made = self._made()
            response = self._sent(course) if made is None else made  # an error answer is falsy
            response.connection = self.adapter  # type: ignore[assignment]  # as on the short way
            self.status = status = response.status_code
            if status >= 500 or status == 429:
                _read_error(response)
            elif not self.stream:
                until.set(course.deadline)
                _ = response.content  # requests keeps it; read here, so that a body that is cut can be asked for again
        finally:
            until.reset(token)
        return response

    def _made(self) -> requests.Response | None:
        """The answer that the short way has got, or its error. Only once."""
        first, self.first = self.first, None
        if first is not None and first.error is not None:
            self.status = first.status
            raise first.error
        return None if first is None else first.response

    def _sent(self, course: Course) -> requests.Response:
        seconds = course.attempt_s
        if course.number > 1:
            self.body.rewind()
        if course.retries:
            self.request.headers[attempt_header] = str(course.number)
        if seconds != limits.attempt_s and switches.active:
            self.request.headers[deadline_header] = str(int(seconds * 1000))
        return self.adapter.inner.send(self.request, True, _at_most(self.timeout, seconds), *self.options)

    def bad(self, answer: requests.Response) -> Outcome | None:
        status = answer.status_code
        if status < 500 and status != 429:
            return None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        body = answer.content
        told = read(headers, body, not isinstance(answer.raw, _Cut))
        wait = retry_after_s(headers.get("retry-after", ""), time.time())
        return Outcome(status, told=told, retry_after=wait, body=body)

    def broken(self, error: Exception) -> Outcome | None:
        if isinstance(error, errors.CallFailed):
            return outcome_beneath(error)
        failure = _failure(error) if isinstance(error, requests.RequestException) else ""
        return Outcome(self.status, failure) if failure else None

    def error(self, facts: errors.Facts, answer: requests.Response | None, cause: Exception | None) -> Exception:
        if isinstance(cause, errors.CallFailed):
            return cause
        kind = errors.class_for(facts)
        cause_class = type(cause) if isinstance(cause, requests.RequestException) else requests.ReadTimeout
        error = (_classes.get(kind) or errors.also(kind, cause_class, __name__))(facts, answer)
        if isinstance(error, requests.RequestException):
            error.request = self.request
        return error


_classes: Final[dict[type[errors.CallFailed], type[errors.CallFailed]]] = {
    errors.ServerError: ServerError,
    errors.Unavailable: Unavailable,
    errors.RateLimited: RateLimited,
    errors.NotSent: NotSent,
}


def _origin_of(url: str) -> Origin:
    end = url.find("/", 8)
    return origin(_origin_name(url if end < 0 else url[:end]))


@functools.lru_cache(limits.origins_max)
def _origin_name(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def _at_most(timeout: Any, seconds: float) -> Any:
    """requests knows None, a number, a pair, and urllib3's own object, which is left as it is."""
    if timeout is None:
        return seconds
    if isinstance(timeout, (int, float)):
        return min(timeout, seconds)
    if isinstance(timeout, tuple):
        return tuple(seconds if part is None else min(part, seconds) for part in timeout)
    return timeout


# ---- bodies ---------------------------------------------------------------------------------------


class _Body:
    """A request's body, and whether it can be sent again. One that cannot must never go out a second time: empty."""

    def __init__(self, body: Any) -> None:
        self._file: Any = None
        self._start = 0
        self.unsendable = ""
        if body is None or isinstance(body, (str, bytes, bytearray)):
            return
        try:
            self._start = body.tell()
            body.seek(self._start)
            self._file = body
        except (AttributeError, OSError, ValueError):  # a generator, a pipe, a file that is closed
            self.unsendable = "its body is a stream that can be read only once"

    def rewind(self) -> None:
        if self._file is not None:
            self._file.seek(self._start)


class _Cut(io.BytesIO):
    """The body of an error answer, of which not all came."""


def _read_error(response: requests.Response) -> None:
    """Reads what comes of an error's body, within bounds, and keeps it though the rest be missing."""
    raw = response.raw
    chunks, size, whole = [], 0, False
    decoded = {"decode_content": True} if hasattr(raw, "stream") else {}
    take = getattr(raw, "read1", raw.read)  # one read of the socket at a time: what came before a cut is not lost
    try:
        while size <= limits.error_body_bytes_max:
            chunk = take(64 * limits.KIB, **decoded)
            if not chunk:
                whole = True
                break
            chunks.append(chunk)
            size += len(chunk)
    except Exception as error:
        # urllib3's and http.client's errors are no concern of a caller who is about to be told of the 5xx itself
        response.reason = response.reason or type(error).__name__
    if not whole:
        response.close()
    replay = (io.BytesIO if whole else _Cut)(b"".join(chunks)[: limits.error_body_bytes_max])
    # requests looks here for cookies
    replay_with_cookies: Any = replay
    original = getattr(raw, "_original_response", None)
    if original is not None:
        replay_with_cookies._original_response = original
    response.raw = replay_with_cookies


# ---- failures -------------------------------------------------------------------------------------


def _failure(error: requests.RequestException) -> str:
    """ "" for what is no matter of the network: a bad address, a certificate, an encoding that cannot be read."""
    if isinstance(error, requests.exceptions.SSLError):
        return ""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return "connect"
    if isinstance(error, requests.Timeout):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "timeout" if "timed out" in str(error).lower() else "cut"
    if isinstance(error, requests.ConnectionError):
        names = _names(error)
        if names & {"NewConnectionError", "ConnectTimeoutError"}:
            return "connect"
        return "timeout" if names & {"ReadTimeoutError", "TimeoutError"} else "reset"
    return ""


def _names(error: BaseException) -> set[str]:
    """Class names of urllib3's error inside: its module is not ours to import."""
    found: set[str] = set()
    queue: list[object] = [*error.args, getattr(error, "__context__", None)]
    for _ in range(20):
        if not queue:
            break
        item = queue.pop()
        if isinstance(item, BaseException):
            found |= {kind.__name__ for kind in type(item).__mro__}
            queue += [*item.args, getattr(item, "reason", None)]
    return found


# ---- punctual sockets -----------------------------------------------------------------------------


class _PunctualAdapter(requests.adapters.HTTPAdapter):
    """requests' adapter with connections whose reads end at the deadline; through urllib3's documented hooks.

    A bare session's sockets know no time-out, and these do: two system calls more in each call. What requests works
    out anew from the same address each time is remembered here, which saves more than that costs.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool | str], tuple[Any, Any]] = {}
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[Any, Any]:
        """requests reads both of what it gets, and changes neither."""
        if cert is not None:
            return self._pool_key(request, verify, cert)
        url = request.url or ""
        end = url.find("/", 8)
        key = url if end < 0 else url[:end], verify
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= limits.origins_max:
                self._known.clear()
            known = self._known[key] = self._pool_key(request, verify, cert)
        return known

    def _pool_key(self, *args: Any) -> tuple[Any, Any]:
        parent: Any = super()
        found: tuple[Any, Any] = parent.build_connection_pool_key_attributes(*args)
        return found

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        return super().request_url(request, proxies) if proxies else request.path_url

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._known = {}
        super().__setstate__(state)  # type: ignore[misc]

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _make_punctual(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            _make_punctual(manager)
        return manager


def _make_punctual(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _punctual_pool(pool) for scheme, pool in pools.items()}


@functools.cache
def _punctual_pool(pool: Any) -> Any:
    connection = type("Connection", (_Punctual, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class _Punctual:
    """For a connection of http.client: once it is connected, what it reads ends in time."""

    sock: Any
    host: str
    timeout: Any
    response_class: Any

    def _new_conn(self) -> Any:
        """The way of urllib3's own subclasses (SOCKS) to connect otherwise."""
        new: Any = super()._new_conn  # type: ignore[misc]  # of the class beside this one
        seconds = left_s(self.timeout if isinstance(self.timeout, (int, float)) else None)
        try:
            return dialled(in_time(self.host, seconds, new))
        except ConnectTookTooLong as error:
            raise _adapters.ConnectTimeoutError(self, str(error)) from None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # of the class beside this one
        if not clamp(self.sock):  # TLS in TLS, or somebody else's TLS
            self.response_class = ClampedResponse
