"""One HTTP request of ASGI and its response, message by message.

The start of a response is held back until its first bytes exist, so that whatever fails before them is answered whole,
and a framework's own page for an exception can be replaced. What fails after them is reported and raised into the
server, which breaks the connection so that the client can tell.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fivehundred import limits
from fivehundred.guard import cors, duplicates
from fivehundred.guard.flight import Flight
from fivehundred.guard.outgoing import (
    Aborted,
    BrokenPromise,
    IllegalHeader,
    Stopped,
    are_usual,
    check_raw,
    client_gone,
    ends_process,
    error_event,
    exposed,
    granted,
    handled_now,
    has_reference,
    now_usual,
    referenced,
    set_traceback,
    traceback_of,
)
from fivehundred.guard.request import RequestParts
from fivehundred.problem import Answer, Headers, reference_header

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

Scope: TypeAlias = "MutableMapping[str, Any]"
Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
AsgiApp: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"

key: Final = "fivehundred.exchange"  # in the scope while the application runs

_page_bytes_max: Final = 200  # a framework's default page, compressed or not
_NOTHING: Final[Scope] = {}  # the scope of a request that is over
_DIGITS: Final = {200: "2", 201: "2", 204: "2", 304: "3", 404: "4", 500: "5"}


class Exchange(Flight):
    """One request and its response. What runs inside finds it in the scope to tell what it knows (``inner``).

    It is the request's flight too: one object a request, and no reference between two.
    """

    # what each request has is in a slot; what most never have stays on the class
    __slots__ = (
        "done",  # the last byte is out
        "guard",
        "inner",  # an exception that failed behind a middleware that hides it (see inside.py)
        "origin",  # what a held 5xx is about
        "plain",  # the response has begun, and nothing about it is special so far: ``send`` looks no further
        "scope",
        "sent",  # the start is out
        "server_receive",
        "server_send",
        "start",  # of the response; empty until the application starts one; replaced, never changed
    )
    start: Message
    origin: BaseException | None
    inner: BaseException | None

    events = False  # text/event-stream: goes out at once
    ended = True  # the last chunk ended an event, so an event may follow
    held: list[bytes] | None = None  # the body of a 5xx while it is not clear whose it is
    trace: TracebackType | None = None  # of ``origin``: frameworks take it off once they have answered
    torn = False  # ``inner`` failed after the inner response had begun
    body = b""  # the beginning of the request's
    read = False  # the whole request body was received
    gone = False  # the client is
    default: bool | None = None  # whether a framework answers ``origin`` with its default page; None: nobody told
    route = ""  # what an integration knows of it

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard = guard
        self.scope = scope
        self.server_receive = receive
        self.server_send = send
        self.start = _NOTHING
        self.origin = self.inner = None
        self.sent = self.done = self.plain = False

    def saw(self, exc: BaseException, *, own: bool) -> None:
        """A framework turns ``exc`` into a 5xx: the application's ``own`` answer, or the framework's default page."""
        self.origin, self.trace, self.default = exc, traceback_of(exc), not own
        duplicates.mark(exc)

    def over(self) -> None:
        """The request is over: counted, and ended. Of what failed before it had a status, 5. Written out for speed."""
        scope = self.scope
        route = scope.get("route")
        if route is None:
            path = self.route
        else:
            special = "fastapi" in scope or scope.get("root_path")
            path = route_of(scope) if special else getattr(route, "path", "")
        start = self.start
        try:
            self.guard.rates.counts[path, scope["method"], _DIGITS[start["status"]] if start else "5"] += 1
        except (KeyError, TypeError):
            self._count()
        slots = self.slots  # from here on as end() does it
        if slots is not None:
            self.slots = None
            slots.give_back(self.slot)
        self.scope = _NOTHING
        self.server_receive = self.server_send = _nobody
        if self.origin is not None or self.inner is not None:
            self.origin = self.trace = self.inner = None

    def _count(self) -> None:
        """What was not counted before, a rare status, a route without a path that is text."""
        scope = self.scope
        digit = str(self.start["status"])[:1] if self.start else "5"
        self.guard.rates.count(self.route or route_of(scope), scope["method"], digit)

    def end(self) -> None:
        """Context variables may live on, in a task that the request left behind: they keep nothing of it alive."""
        slots = self.slots
        if slots is not None:
            self.slots = None
            slots.give_back(self.slot)
        self.scope = _NOTHING
        self.server_receive = self.server_send = _nobody
        if self.origin is not None or self.inner is not None:
            self.origin = self.trace = self.inner = None

    def request(self) -> RequestParts | None:
        return None if self.scope is _NOTHING else self.asked()

    async def receive(self) -> Message:
        message = await self.server_receive()
        if message["type"] == "http.request":
            self.read = not message.get("more_body", False)
            chunk = message.get("body", b"")
            if chunk and len(self.body) < limits.request_body_bytes_max:
                self.body += chunk[: limits.request_body_bytes_max - len(self.body)]
        elif message["type"] == "http.disconnect":
            self.gone = not self.done
        return message

    async def send(self, message: Message) -> None:
        """The ``send`` of the application. The way of a response that goes well is written out here, for its speed."""
        kind = message["type"]
        if kind == "http.response.body" and self.plain:
            more = message.get("more_body", False)
            try:
                if not self.sent:
                    if more and not message.get("body", b""):
                        return  # nothing to send yet, and so nothing that could not be answered yet
                    self.sent = True
                    await self.server_send(self.start)
                self.done = not more
                await self.server_send(message)
            except OSError:  # what a server raises when nobody is there any more (ASGI, since 2.4)
                self.gone = True
                raise
        elif kind == "http.response.start":
            try:
                usual = are_usual(message["headers"])
            except (KeyError, TypeError):  # none at all, or lists, which ASGI allows
                usual = False
            if usual and message["status"] < 500 and not self.start and self.inner is None:
                self.start = message
                self.plain = True
            else:
                await self._begin(message)
        elif kind == "http.response.body":
            await self._special(message)
        else:
            await self._other(message)

    # ---- what is not the usual way ---------------------------------------------------------------

    async def _begin(self, message: Message) -> None:
        """A start with headers that were not seen before, of a 5xx, of events, after another, after a failure."""
        try:
            events = check_raw(message.get("headers", ())).find(b"text/event-stream") >= 0
        except IllegalHeader:
            self.start, self.plain = {**message, "status": 500}, False  # for what it grants; nothing else of it leaves
            raise
        if self.sent:
            raise BrokenPromise("the application started a second response")
        self.start, self.held, self.plain = message, None, False
        if message["status"] >= 500:
            self._fails()
            self.plain = self.held is None and not self.torn
        elif events:
            self.events = True
            await self._commit()
        else:
            self.plain = not self.torn
            now_usual(message.get("headers", ()))

    async def _special(self, message: Message) -> None:
        """A body message of a response that is held, of events, that broke further in, or that was never started."""
        if not self.start:
            raise BrokenPromise("the application sent a body before it started a response")
        more = message.get("more_body", False)
        if self.held is not None:
            self.held.append(message.get("body", b""))
            self.done = not more
            if more and sum(map(len, self.held)) > limits.held_body_bytes_max:
                await self._own(cors_lost=False)  # too much to hold back; what is left goes on as it comes
        elif not self.torn:  # events, or the rest of what was too much to hold back
            self.done = not more
            await self._out(message)
            self.ended = message.get("body", b"").endswith((b"\n\n", b"\r\n\r\n"))
        elif self.sent and more:
            await self._out(message)
        # else it broke: a middleware would begin it as a 200, or end it as if it were whole

    def _fails(self) -> None:
        """A 5xx that the application sends. With an exception in flight it waits until that arrives or does not."""
        headers = text(self.start.get("headers", ()))
        if has_reference(headers):
            return
        if self.default is not None:  # told by saw()
            self.held = []
            return
        exc = handled_now() or self.inner
        if exc is not None:
            self.held, self.origin, self.trace = [], exc, traceback_of(exc)
        else:
            found = self.guard.returned(self.start["status"], self.asked()).headers
            self.start = {**self.start, "headers": raw(referenced(headers, found))}

    async def _other(self, message: Message) -> None:
        """Extensions: files by path or descriptor are a whole body, the rest is passed on."""
        if message["type"] in ("http.response.pathsend", "http.response.zerocopysend"):
            await self._commit()
            self.done = not message.get("more_body", False)
        await self._out(message)

    async def _commit(self) -> None:
        if not self.sent:
            self.sent = True
            await self._out(self.start)

    async def _out(self, message: Message) -> None:
        try:
            await self.server_send(message)
        except OSError:  # what a server raises when nobody is there any more (ASGI, since 2.4)
            self.gone = True
            raise

    async def _own(self, *, cors_lost: bool) -> None:
        """The held 5xx is the application's own: it goes out as it is, reported and with the reference."""
        headers, body = text(self.start.get("headers", ())), b"".join(self.held or ())
        self.held = None
        if self.origin is not None:
            set_traceback(self.origin, traceback_of(self.origin) or self.trace)
            reference = self.guard.report(self.origin, self.asked(), status=self.start["status"])
            headers = referenced(headers, [(reference_header, reference)])
        await self._deliver(self.start["status"], headers, body, more=not self.done, cors_lost=cors_lost)

    async def _deliver(self, status: int, headers: Headers, body: bytes, *, more: bool, cors_lost: bool) -> None:
        """Sends a response, through the application's CORS middleware where that has not seen it."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": status, "headers": raw(headers)})
            await send({"type": "http.response.body", "body": body, "more_body": more})

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": raw(exposed(text(message["headers"])))}
            await self.server_send(message)

        self.sent, self.done = True, not more
        through = cors.around(app, self.scope) if cors_lost else app
        try:
            await through(self.scope, self.server_receive, send)
        except OSError:
            self.gone = True

    # ---- the end ---------------------------------------------------------------------------------

    async def finish(self) -> None:
        """The application returned and the response is not complete, or is held."""
        if self.gone:
            return
        if self.held is None and self.done:
            return  # a response that was special and is whole
        if self.held is not None and self.done:
            if self.default and self.origin is not None:
                set_traceback(self.origin, traceback_of(self.origin) or self.trace)
                await self._answer(self.guard.handle(self.origin, self.asked()))
            else:
                await self._own(cors_lost=False)
        elif self.inner is not None:
            raise self.inner
        else:
            raise BrokenPromise("the application returned without completing its response")

    async def failed(self, exc: BaseException) -> None:
        """Answers an exception; after the first byte raises, so that the server breaks the connection."""
        if ends_process(exc) or cancelled(exc):
            self.guard.ended(exc, self.asked())
            raise exc
        if issubclass(type(exc), Stopped):
            exc = self.inner or exc
        if client_gone(exc) or (self.gone and _follows_from_gone(exc)):
            return
        if self.done and self.held is None:  # a background task: the response is whole
            self.guard.report(exc, self.asked(), status=None)
        elif self.sent:
            await self._break(exc)
        elif self.done and not self._is_default_page():
            await self._own(cors_lost=True)
        else:
            await self._answer(self.guard.handle(exc, self.asked()))

    def _is_default_page(self) -> bool:
        """Whether what is held is the framework's page for any exception, or its debugger, and nobody's own answer."""
        if getattr(self.scope.get("app"), "debug", False):
            return True
        return self._plain_body() in (b"Internal Server Error", b"")

    def _plain_body(self) -> bytes:
        """What is held, as it was before compressing middleware: only of what is short, as a default page is."""
        body = b"".join(self.held or ())
        packed = any(k == b"content-encoding" and v == b"gzip" for k, v in self.start.get("headers", ()))
        if not packed or len(body) > _page_bytes_max:
            return body
        try:
            return zlib.decompressobj(31).decompress(body, _page_bytes_max)
        except zlib.error:
            return body

    async def _break(self, exc: BaseException) -> None:
        if issubclass(type(exc), Aborted):  # reported already, further in
            raise exc
        reference = self.guard.report(exc, self.asked(), status=self.start["status"])
        if self.events and self.ended:
            await self._out({"type": "http.response.body", "body": error_event(reference), "more_body": True})
        aborted = exc if issubclass(type(exc), Exception) else Aborted()
        duplicates.mark(aborted)
        raise aborted from None

    async def _answer(self, answer: Answer) -> None:
        await self._drain()
        lost = cors.known(self.scope)  # else what the application itself had granted is all there is to know
        kept = () if lost else text(self.start.get("headers", ()))
        body = b"" if self.scope["method"] == "HEAD" else answer.body
        await self._deliver(answer.status, granted(answer.headers, kept), body, more=False, cors_lost=lost)

    async def _drain(self) -> None:
        """Reads an unread request body away, within bounds: some servers reset the connection over it."""
        if self.read or not _has_body(self.scope):
            return
        left = limits.drain_bytes_max
        try:
            async with asyncio.timeout(limits.drain_s_max):
                while left > 0 and not self.read:
                    message = await self.server_receive()
                    self.read = not message.get("more_body", False)
                    left -= len(message.get("body", b""))
        except (TimeoutError, RuntimeError, OSError):
            return  # a slow client, a server of another event loop, or nobody: the answer goes out regardless

    def asked(self) -> RequestParts:
        scope = self.scope
        headers = text(scope.get("headers", ()))
        server = scope.get("server") or ("", None)
        return RequestParts(
            method=scope.get("method", "GET"),
            scheme=scope.get("scheme", "http"),
            host=next((v for k, v in headers if k == "host"), str(server[0])),
            path=scope.get("path", ""),
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
            protocol=scope.get("http_version", ""),
            route=self.route or route_of(scope),
            peer=str((scope.get("client") or ("",))[0]),
            body=self.body,
        )


async def _nobody(*message: Message) -> Any:
    raise BrokenPromise("the request is over")


def cancelled(exc: BaseException) -> bool:
    """Whether somebody really cancelled this request, or is closing its coroutine; an application can only raise it."""
    if not issubclass(type(exc), asyncio.CancelledError | GeneratorExit):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs here: the coroutine is being thrown away
        return True
    return task is None or (issubclass(type(exc), asyncio.CancelledError) and task.cancelling() > 0)


def _follows_from_gone(exc: BaseException) -> bool:
    """Whether this is what a request fails with because its client went away."""
    if issubclass(type(exc), OSError | asyncio.CancelledError):
        return True
    return issubclass(type(exc), RuntimeError) and exc.args == ("No response returned.",)  # Starlette's middleware


def _has_body(scope: Scope) -> bool:
    sizes = [v for k, v in scope.get("headers", ()) if k in (b"content-length", b"transfer-encoding")]
    return any(v != b"0" for v in sizes) and all(k != b"expect" for k, _ in scope.get("headers", ()))


def route_of(scope: Scope) -> str:
    """The template that matched, with the prefix of its mount. Starlette and FastAPI leave the route in the scope."""
    route = scope.get("route")
    if route is None:
        return ""
    told = scope.get("fastapi")
    if told is not None and (whole := told.get("effective_route_context")) is not None:
        route = whole  # of a router that was included: its own route lacks the prefix
    path = getattr(route, "path", "")
    if not isinstance(path, str) or not path:
        return ""
    root = scope.get("root_path")
    if not root:
        return path
    if hasattr(route, "routes"):  # a mount: its own path is the end of the root already
        path = ""
    return str(root)[len(str(scope.get("app_root_path", root))) :] + path


def text(headers: Any) -> Headers:
    return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in headers]


def raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]
