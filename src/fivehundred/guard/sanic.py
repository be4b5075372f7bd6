"""The Guard in a Sanic application: ``guard.sanic(app)``.

Sanic's error handler is wrapped, so every handler of the application's own keeps its say. Route handlers are wrapped
when a worker starts: ``sys.exit()`` and GeneratorExit would pass Sanic by and end the worker.
"""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"

from __future__ import annotations

import functools
import logging
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler
from sanic.http import Stage

from fivehundred import limits
from fivehundred.guard import deadline, duplicates
from fivehundred.guard.exchange import cancelled
from fivehundred.guard.outgoing import (
    Stopped,
    check,
    client_gone,
    ends_process,
    error_event,
    granted,
    has_reference,
    referenced,
)
from fivehundred.guard.request import RequestParts
from fivehundred.guard.websocket import close_code
from fivehundred.problem import reference_header

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Any) -> Any:
    """Guards ``app`` in place and gives it back."""
    duplicates.watch(*duplicates.servers)
    logging.getLogger("sanic.root").addFilter(_told_already)
    app.error_handler = Handler(guard, app.error_handler)

    @app.signal("http.lifecycle.exception")
    async def saw(request: Request, exception: BaseException, **_: Any) -> None:
        await _late(guard, request, exception)

    @app.signal("http.lifecycle.response")
    async def leaves(request: Request, response: HTTPResponse, **_: Any) -> None:
        _leaves(guard, request, response)

    watched = _streamed(guard)

    @app.on_response
    async def begins(request: Request, response: Any) -> None:
        if type(response) is HTTPResponse and not response.body:  # the handler will send it piece by piece
            response.__class__ = watched

    @app.before_server_start
    async def wrap(app: Sanic[Any, Any], *_: Any) -> None:
        for middleware in app.response_middleware:
            middleware.func = _noted(middleware.func)
        for route in app.router.routes:
            own = hasattr(route.handler, "is_websocket")
            route.handler = (_socket if own else _contained)(guard, route.handler)

    return app


def _told_already(record: logging.LogRecord) -> bool:
    """Sanic's second record of what failed when bytes were out; the exception's text stands in it as it is."""
    return not str(record.msg).startswith("The error response will not be sent to the client for the following")


class Handler(ErrorHandler):
    """The application's error handler with an answer of ours where it has none of its own."""

    def __init__(self, guard: Guard, inner: ErrorHandler) -> None:
        super().__init__(inner.base)
        self.guard, self.inner = guard, inner
        self.cached_handlers = inner.cached_handlers

    def response(self, request: Request, exception: Exception) -> Any:
        spoken = isinstance(exception, SanicException) and not _from_sanic(exception)
        if client_gone(exception):
            request.ctx.fivehundred_gone = True
        if spoken or client_gone(exception):
            return self.inner.response(request, exception)
        exc = getattr(exception, "fivehundred_stopped", exception)
        found = self.inner.lookup(exception, request.name if request else None)
        if found is None:
            return self._answer(request, exc)
        request.ctx.fivehundred = exc
        return self._own(request, found, exception)

    async def _own(self, request: Request, found: Any, exception: Exception) -> Any:
        try:
            response = found(request, exception)
            return await response if isawaitable(response) else response
        except Exception:
            return self._answer(request, exception)

    def _answer(self, request: Request, exc: BaseException) -> HTTPResponse:
        duplicates.mark(exc)
        answer = self.guard.handle(exc, _parts(request))
        request._response_middleware_started = False  # a response that was not begun has used it up: CORS is kept
        headers = {k: v for k, v in answer.headers if k != "Content-Length"}
        return HTTPResponse(answer.body, answer.status, headers, headers["Content-Type"])

    def default(self, request: Request, exception: Exception) -> HTTPResponse:
        return self.inner.default(request, exception)


def _from_sanic(exc: SanicException) -> bool:
    """Whether Sanic raised this 500 about a failure: its text would go to the client."""
    found = exc.__traceback__
    while found is not None and found.tb_next is not None:
        found = found.tb_next
    module = str(found.tb_frame.f_globals.get("__name__", "")) if found is not None else ""
    return exc.status_code == 500 and module.startswith("sanic.")


def _contained(guard: Guard, handler: Any) -> Any:
    @functools.wraps(handler)
    async def contained(request: Request, *args: Any, **kwargs: Any) -> Any:
        flight = guard.begin(request.method, request.path)
        flight.parts = functools.partial(_parts, request)
        try:
            if guard.deadline:
                deadline.check_headers(request.headers.get)
            response = handler(request, *args, **kwargs)
            return await response if isawaitable(response) else response
        except Exception:
            raise
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                raise
            stopped = Stopped()
            stopped.__dict__["fivehundred_stopped"] = exc
            raise stopped from None
        finally:
            flight.end()

    return contained


def _socket(guard: Guard, handler: Any) -> Any:
    """Sanic runs a WebSocket's handler after the handshake, and closes normally when it fails."""
    from websockets.exceptions import ConnectionClosed

    inner = handler.args[0]

    @functools.wraps(inner)
    async def contained(request: Request, socket: Any, *args: Any, **kwargs: Any) -> None:
        flight = guard.begin(request.method, request.path)
        flight.parts = functools.partial(_parts, request)
        try:
            await inner(request, socket, *args, **kwargs)
        except ConnectionClosed:
            raise
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                raise
            await socket.close(close_code, guard.report(exc, _parts(request), status=None))
        finally:
            flight.end()

    made: Any = functools.partial(handler.func, contained, *handler.args[1:], **handler.keywords)
    made.__name__, made.is_websocket = inner.__name__, True
    return made


def _noted(middleware: Any) -> Any:
    """Sanic logs what fails in a response middleware and sends the response as if nothing were missing."""

    @functools.wraps(middleware)
    async def noted(request: Request, response: Any) -> Any:
        try:
            found = middleware(request, response)
            return await found if isawaitable(found) else found
        except Exception as exc:
            duplicates.mark(exc)
            if not hasattr(request.ctx, "fivehundred_out"):  # once: it may fail for our answer too
                request.ctx.fivehundred_out = exc
            raise

    return noted


def _leaves(guard: Guard, request: Request, response: HTTPResponse) -> None:
    """A response of the application on its way out."""
    _checked(guard, request, response)
    if not hasattr(request.ctx, "fivehundred_counted"):
        request.ctx.fivehundred_counted = True
        guard.rates.answered(_route(request), request.method, response.status)


def _checked(guard: Guard, request: Request, response: HTTPResponse) -> None:
    failed = getattr(request.ctx, "fivehundred_out", None)
    if failed is not None and response.status < 500:
        raise failed
    headers = [(name, str(value)) for name, value in response.headers.items()]  # a cookie is an object there
    check(headers)
    if response.status < 500 or hasattr(request.ctx, "fivehundred_gone"):
        return
    if not has_reference(headers):
        exc = getattr(request.ctx, "fivehundred", None)
        if exc is not None:
            found = [(reference_header, guard.report(exc, _parts(request), status=response.status))]
        else:
            found = guard.returned(response.status, _parts(request)).headers
        headers = referenced(headers, found)
    for name, value in granted(headers, ()):
        response.headers[name] = value


def _streamed(guard: Guard) -> type[HTTPResponse]:
    """A response that a handler sends itself: looked at before its first byte, where a failure can be answered yet."""

    class Streamed(HTTPResponse):
        __slots__ = ()

        async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
            request = getattr(self.stream, "request", None)
            if request is not None and getattr(self.stream, "stage", None) is Stage.HANDLER:
                _leaves(guard, request, self)
            await super().send(data, end_stream)
            if data and request is not None:
                last = data.encode() if isinstance(data, str) else bytes(data)
                request.ctx.fivehundred_ended = last.endswith((b"\n\n", b"\r\n\r\n"))

    return Streamed


async def _late(guard: Guard, request: Request, exc: BaseException) -> None:
    """A failure after the response began: reported, and the connection broken, so that the client can tell."""
    stream: Any = request.stream
    if stream is None or getattr(stream, "stage", None) is Stage.HANDLER:
        return
    duplicates.mark(exc)
    response = stream.response
    reference = ""
    if not client_gone(exc):
        reference = guard.report(exc, _parts(request), status=getattr(response, "status", None))
    if getattr(stream, "stage", None) is not Stage.RESPONSE:
        return  # the response is whole
    events = str(getattr(response, "content_type", "")).startswith("text/event-stream")
    if reference and events and getattr(request.ctx, "fivehundred_ended", True):
        await stream.send(error_event(reference), end_stream=False)
    transport = getattr(getattr(stream, "protocol", None), "transport", None)
    if transport is not None:
        transport.close()


def _route(request: Request) -> str:
    return f"/{request.route.path}" if request.route is not None else ""


def _parts(request: Request) -> RequestParts:
    return RequestParts(
        method=request.method,
        scheme=request.scheme,
        host=request.host,
        path=request.path,
        query=request.query_string,
        headers=list(request.headers.items()),
        protocol=request.version,
        route=_route(request),
        peer=request.ip,
        body=bytes(request.body or b"")[: limits.request_body_bytes_max],
    )
