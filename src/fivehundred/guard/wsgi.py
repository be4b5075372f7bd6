"""The Guard around any WSGI application (PEP 3333).

The start of a response is held back until its first bytes exist, so that whatever fails before them is answered whole.
What fails after them is reported, and the connection is broken so that the client can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fivehundred import limits
from fivehundred.guard import deadline, duplicates
from fivehundred.guard.flight import Flight
from fivehundred.guard.outgoing import (
    Aborted,
    BrokenPromise,
    IllegalHeader,
    are_usual,
    check,
    client_gone,
    ends_process,
    error_event,
    granted,
    has_reference,
    now_usual,
    referenced,
)
from fivehundred.guard.request import RequestParts
from fivehundred.problem import Answer, Headers, reason, reference_header

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

Environ: TypeAlias = "dict[str, Any]"
ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None]"
Write: TypeAlias = "Callable[[bytes], object]"
StartResponse: TypeAlias = "Callable[..., Any]"  # gives a Write, says PEP 3333; some servers give None
WsgiApp: TypeAlias = "Callable[[Environ, StartResponse], Iterable[bytes]]"

key: Final = "fivehundred.exchange"  # in the environ while the application runs


class WsgiGuard:
    """A WSGI application around a WSGI application. Put it outermost; a second one inside does nothing."""

    def __init__(self, guard: Guard, app: WsgiApp) -> None:
        self.guard = guard
        self.enter = guard.flights.enter
        self.app = deadline.wsgi(app) if guard.deadline else app
        duplicates.watch(*duplicates.servers)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if key in environ:
            return self.app(environ, start_response)
        guard = self.guard
        exchange = environ[key] = Exchange(guard, environ, start_response)
        method = environ["REQUEST_METHOD"]
        self.enter(exchange, method, environ.get("PATH_INFO", ""))
        # a body is to come: what the application reads of it is part of the report
        if environ.get("CONTENT_LENGTH") not in _EMPTY or "HTTP_TRANSFER_ENCODING" in environ:
            exchange.input = environ["wsgi.input"] = _Input(environ["wsgi.input"])
        body: Iterable[bytes] | None = None
        try:
            body = self.app(environ, exchange.start)
            return exchange.whole(body)
        except BaseException as exc:
            return exchange.failed(exc, body)
        finally:
            status = exchange.status
            digit = status[0] if status else "5"
            try:
                guard.rates.counts[exchange.route, method, digit] += 1  # as count() does it, without the call
            except KeyError:
                guard.rates.count(exchange.route, method, digit)
            environ.pop(key, None)  # the two refer to each other: without this every request is work for the collector
            if not exchange.watched:
                exchange.end()


_EMPTY: Final = (None, "", "0")
_NOTHING: Final[Environ] = {}  # the environ of a request that is over
_NO_HEADERS: Final[Headers] = []


class Exchange(Flight):
    """One request and its response. Integrations find it in the environ to tell what they know (``saw``).

    It is the request's flight too: one object a request, and no reference between two.
    """

    # what each request has is in a slot; what most never have stays on the class
    __slots__ = (
        "environ",
        "exc",  # what a framework makes a 5xx of
        "guard",
        "headers",  # replaced, never changed in place
        "input",  # the request's body, where there is one
        "out",  # the server's write(): it has the start of the response
        "ready",  # a framework said so: nothing of the body can fail any more, and nothing when it is closed
        "route",
        "server",
        "status",
        "watched",  # the body goes out piece by piece, and the request ends when the server closes it
    )
    headers: Headers
    exc: BaseException | None
    input: _Input | None
    out: Write | None

    tried = False  # the server was called; a second call has to bring exc_info
    events = False  # text/event-stream: goes out at once
    own = False
    propagate = False  # an application under test asked for its exceptions

    def __init__(self, guard: Guard, environ: Environ, server: StartResponse) -> None:
        self.guard = guard
        self.environ = environ
        self.server = server
        self.status = self.route = ""
        self.headers = _NO_HEADERS
        self.exc = self.input = self.out = None
        self.ready = self.watched = False

    def saw(self, exc: BaseException, *, own: bool) -> None:
        """A framework turns ``exc`` into a 5xx: the application's ``own`` answer, or the framework's default page."""
        self.exc, self.own = exc, own
        duplicates.mark(exc)

    def end(self) -> None:
        """Context variables may live on, in a thread or task that the request left behind: they keep nothing alive."""
        slots = self.slots
        if slots is not None:
            self.slots = None
            slots.give_back(self.slot)
        self.environ, self.server = _NOTHING, _no_start
        if self.exc is not None or self.input is not None:
            self.exc = self.input = None

    def request(self) -> RequestParts | None:
        return None if self.environ is _NOTHING else self.asked()

    # ---- the response ----------------------------------------------------------------------------

    def start(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """The ``start_response`` of the application: remembers, and lets through only what must not wait."""
        if self.out:
            return self.server(status, headers, exc_info) or _no_write  # raises exc_info, as PEP 3333 asks
        if self.status and not exc_info:
            raise BrokenPromise("start_response was called twice without exc_info")
        try:
            usual = are_usual(headers)
        except TypeError:  # lists, which PEP 3333 does not allow
            usual = False
        events = False if usual else self._events(headers)
        self.status = status
        self.headers = headers
        environ = self.environ
        if "werkzeug.request" in environ or "bottle.route" in environ:  # gone once the application returned
            self.route = route_of(environ) or self.route
        if events:
            self.events = True
            self.commit()
        return self.write

    def _events(self, headers: Headers) -> bool:
        """Whether these headers, not seen before, are those of an event stream."""
        try:
            joined = check(headers)
        except IllegalHeader:
            self.headers = headers  # for what they grant; no other of them leaves
            raise
        if "text/event-stream" in joined:
            return True
        now_usual(headers)
        return False

    def write(self, data: bytes) -> object:
        """PEP 3333's old way to send bytes: the response begins with the first of them."""
        return self.commit()(data) if data else None

    def commit(self) -> Write:
        """Lets the start of the response go to the server."""
        if self.out:
            return self.out
        if not self.status:
            raise BrokenPromise("the application sent a body before it called start_response")
        if self.status[0] == "5":
            self.returned()
        self.tried = True
        self.out = self.server(self.status, self.headers) or _no_write
        return self.out

    def whole(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The body for the server: as it is when it lies ready, else with its first chunk pulled here."""
        if self.ready and self.exc is None:
            if self.out is None:
                self.commit()
            return body
        if type(body) is list or type(body) is tuple:
            for chunk in body:
                if type(chunk) is not bytes:
                    raise BrokenPromise(f"a WSGI body consists of bytes, this has {type(chunk).__name__}")
            if self.exc is not None and self.replaced():
                return self.failed(self._seen(), body)
            self.commit()
            return body
        if "wsgi.file_wrapper" in self.environ and _is_file(body, self.environ):
            self.commit()
            return body
        iterator = iter(body)
        if self.out:  # events, or write(): the rest may take for ever
            return _Rest(self, b"", iterator, body)
        first = b""
        for first in iterator:
            if type(first) is not bytes:
                raise BrokenPromise(f"a WSGI body consists of bytes, this has {type(first).__name__}")
            if first:
                break
        if self.exc is not None and self.replaced():
            return self.failed(self._seen(), body)
        if self.out is None:
            self.commit()
        if first and ("Content-Length", str(len(first))) in self.headers:
            for second in iterator:  # there is none, and so nothing that has to be watched
                return _Rest(self, first, chain((second,), iterator), body)
            ready = _Ready((first,))
            ready.exchange, ready.body = self, body
            self.watched = True
            return ready
        return _Rest(self, first, iterator, body)

    def replaced(self) -> bool:
        """Whether this response is a framework's default page for an exception, which the answer takes the place of."""
        return self.exc is not None and not self.own and self.status[:1] == "5"

    def returned(self) -> None:
        """A 5xx of the application's own: stays as it is, is reported, and carries the reference."""
        if has_reference(self.headers):
            return
        status = _code(self.status)
        if self.exc is not None:
            found = [(reference_header, self.guard.report(self.exc, self.asked(), status=status))]
        else:
            found = self.guard.returned(status, self.asked()).headers
        self.headers = referenced(self.headers, found)

    def _seen(self) -> BaseException:
        return self.exc or BrokenPromise("a failure without an exception")

    # ---- failures --------------------------------------------------------------------------------

    def failed(self, exc: BaseException, body: Iterable[bytes] | None = None) -> Iterable[bytes]:
        """The answer for an exception, or Aborted when bytes are out; raises what is not the request's own."""
        if ends_process(exc) or self.propagate:
            self.guard.ended(exc, self.asked())
            raise exc
        self.close(body)
        if self.out:
            raise self.broken(exc)[1] from None
        if client_gone(exc):
            return self.answer(Answer(400, [("Content-Length", "0")], b""))  # nobody reads it; servers need one
        kept = self.headers
        answer = self.guard.handle(exc, self.asked())
        answer.headers = granted(answer.headers, kept)
        return self.answer(answer)

    def answer(self, answer: Answer) -> Iterable[bytes]:
        if self.input is not None and "HTTP_EXPECT" not in self.environ:
            self.input.drain(self.environ.get("CONTENT_LENGTH", ""), self.environ.get("wsgi.input_terminated") is True)
        status = f"{answer.status} {reason(answer.status)}"
        if self.tried:
            failed = Aborted()
            self.server(status, answer.headers, (Aborted, failed, None))
        else:
            self.tried = True
            self.server(status, answer.headers)
        self.out = _no_write
        # gunicorn and waitress would send it (RFC 9110 section 9.3.2)
        return [] if self.environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]

    def broken(self, exc: BaseException) -> tuple[str, Aborted]:
        """Reports a failure after the first byte: (reference, what makes the server close the connection)."""
        quiet = client_gone(exc) or issubclass(type(exc), Aborted)  # the second is reported already, further in
        reference = "" if quiet else self.guard.report(exc, self.asked(), status=_code(self.status))
        aborted = Aborted()
        duplicates.mark(aborted)
        return reference, aborted

    def close(self, body: Iterable[bytes] | None) -> None:
        """Closes a body. It may fail too, and then the response is whole already: reported, nothing else."""
        close = getattr(body, "close", None)
        if close is None:
            return
        try:
            close()
        except BaseException as exc:
            if ends_process(exc):
                raise
            self.guard.report(exc, self.asked(), status=None)

    def asked(self) -> RequestParts:
        parts = parts_of(self.environ)
        parts.route = parts.route or self.route
        parts.body = bytes(self.input.kept) if self.input else b""
        return parts


def parts_of(environ: Environ) -> RequestParts:
    """The request of an environ."""
    return RequestParts(
        method=environ.get("REQUEST_METHOD", ""),
        scheme=environ.get("wsgi.url_scheme", "http"),
        host=environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
        path=_decoded(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
        query=environ.get("QUERY_STRING", ""),
        headers=_headers(environ),
        protocol=environ.get("SERVER_PROTOCOL", "").rpartition("/")[2],
        route=route_of(environ),
        peer=environ.get("REMOTE_ADDR", ""),
    )


def route_of(environ: Environ) -> str:
    """The template that matched. Werkzeug, and so Flask, leaves its request in the environ while it works on it."""
    rule = getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", "")
    rule = rule or getattr(environ.get("bottle.route"), "rule", "")
    return rule if isinstance(rule, str) else ""


class _Ready(chain[bytes]):
    """A body that was one chunk: the server goes through it without a call.

    No list, as Granian takes one for what has nothing to close; a tuple would need a dict for what it knows besides.
    """

    __slots__ = ("body", "exchange")
    exchange: Exchange
    body: Iterable[bytes]

    def close(self) -> None:
        try:
            self.exchange.close(self.body)
        finally:
            self.exchange.end()


class _Rest(Iterator[bytes]):
    """The body after its first chunk: hands chunks on, and reports what fails between them."""

    __slots__ = ("body", "ended", "exchange", "first", "iterator")

    def __init__(self, exchange: Exchange, first: bytes, iterator: Iterator[bytes], body: Iterable[bytes]) -> None:
        self.exchange = exchange
        self.first = first
        self.iterator = iterator
        exchange.watched = True
        self.body = body
        self.ended = True  # the last chunk ended an event, so an event may follow

    def __next__(self) -> bytes:
        first = self.first
        if first:
            self.first = b""
            return first
        try:
            chunk = next(self.iterator)
        except StopIteration:
            raise
        except BaseException as exc:
            return self._broke(exc)
        if self.exchange.events:
            self.ended = chunk.endswith((b"\n\n", b"\r\n\r\n")) or (self.ended and not chunk)
        return chunk

    def _broke(self, exc: BaseException) -> bytes:
        if ends_process(exc):
            self.exchange.guard.ended(exc, self.exchange.asked())
            raise exc
        reference, aborted = self.exchange.broken(exc)
        if not (self.exchange.events and self.ended and reference):
            raise aborted from None
        self.iterator = _raising(aborted)
        return error_event(reference)

    def close(self) -> None:
        try:
            self.exchange.close(self.body)
        finally:
            self.exchange.end()

    def __del__(self) -> None:
        """A server that drops a body without close() must not use up the places of requests in flight."""
        self.exchange.end()


def _raising(exc: BaseException) -> Iterator[bytes]:
    def fail() -> bytes:
        raise exc

    return iter(fail, b"")


class _Input:
    """``wsgi.input`` that keeps the beginning of what is read, and knows how much was."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.kept = bytearray()
        self.count = 0
        self.known = True  # false once it was read in a way that is not counted here

    def read(self, *size: int) -> bytes:
        return self._saw(self.source.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._saw(self.source.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        return [self._saw(line) for line in self.source.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._saw, self.source)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.source, name)
        if name == "readinto":  # only where the source has it: Werkzeug asks, and prefers it
            return self._readinto
        self.known = False
        return found

    def _readinto(self, buffer: Any) -> Any:
        size = self.source.readinto(buffer)
        if size:
            self._saw(bytes(memoryview(buffer)[:size]))
        return size

    def _saw(self, data: bytes) -> bytes:
        self.count += len(data)
        room = limits.request_body_bytes_max - len(self.kept)
        if room > 0:
            self.kept += data[:room]
        return data

    def drain(self, content_length: str, ends: bool) -> None:
        """Reads the rest away, within a bound: unread bytes make the kernel reset the connection, answer and all."""
        left = int(content_length) - self.count if content_length.isdecimal() else 0
        if not content_length and ends:  # chunks, of which the server itself tells the end
            left = limits.drain_bytes_max
        if not self.known or left > limits.drain_bytes_max:
            return
        try:
            while left > 0 and (data := self.source.read(min(left, 65536))):
                left -= len(data)
        except Exception:  # the client is gone, or lied about its length: there is nothing to save
            return


def _no_start(*args: object) -> Any:
    raise BrokenPromise("the request is over")


def _no_write(data: bytes) -> object:
    raise BrokenPromise("this response has no write()")


def _is_file(body: object, environ: Environ) -> bool:
    """Whether the server will send this body by itself (sendfile); it has to get the very object then."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _code(status: str) -> int:
    return int(status[:3]) if status[:3].isdecimal() else 500


def _decoded(path: str) -> str:
    """PEP 3333 hands bytes over as latin-1 text; paths are UTF-8."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _headers(environ: Environ) -> Headers:
    found = [(k[5:].replace("_", "-").title(), v) for k, v in environ.items() if k.startswith("HTTP_")]
    plain = (("Content-Type", "CONTENT_TYPE"), ("Content-Length", "CONTENT_LENGTH"))
    return [*found, *((name, environ[k]) for name, k in plain if environ.get(k))]
