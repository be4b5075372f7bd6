"""The Guard in an aiohttp.web application: ``guard.aiohttp(app)``, before it starts.

A middleware, outermost. It also sends the response, where a failing signal, body or stream is still seen; aiohttp finds
it sent. What a handler sends itself with ``StreamResponse.prepare()`` has begun: its failure breaks the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from fivehundred import limits
from fivehundred.guard import deadline, duplicates
from fivehundred.guard.exchange import cancelled
from fivehundred.guard.outgoing import (
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
from fivehundred.problem import Answer, Headers, reference_header

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: web.Application) -> web.Application:
    """Guards ``app`` and its sub-applications in place and gives it back."""
    duplicates.watch(*duplicates.servers)

    @web.middleware
    async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
        flight = guard.begin(request.method, request.path)
        flight.parts = lambda: _parts(request)
        status = 500
        try:
            response = await _answered(guard, request, handler)
            status = response.status
        finally:
            begun = request.get(_begun_key)
            guard.rates.answered(_route(request), request.method, begun.status if begun is not None else status)
            flight.end()
        if isinstance(response, web.HTTPException):
            raise response  # it is sent; aiohttp wants these raised
        return response

    app.middlewares.insert(0, guarded)
    app.on_response_prepare.append(_begins)
    return app


async def _begins(request: web.Request, response: web.StreamResponse) -> None:
    request[_begun_key] = response
    if response.content_type == "text/event-stream":
        _watch_events(request, response)


def _watch_events(request: web.Request, response: web.StreamResponse) -> None:
    """Whether the last chunk ended an event, so that an event may follow it."""
    write, request[_ended_key] = response.write, True

    async def noted(data: bytes | bytearray | memoryview) -> None:
        await write(data)
        if data:
            request[_ended_key] = bytes(data).endswith((b"\n\n", b"\r\n\r\n"))

    response.__dict__["write"] = noted


async def _answered(guard: Guard, request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        try:
            if guard.deadline:
                deadline.check_headers(request.headers.get)
            response = await handler(request)
        except web.HTTPException as exc:
            response = exc
        return await _sent(guard, request, response)
    except BaseException as exc:
        if ends_process(exc) or cancelled(exc):
            guard.ended(exc, _parts(request))
            raise
        duplicates.mark(exc)
        if request.transport is None or client_gone(exc) or issubclass(type(exc), ConnectionResetError):
            raise  # nobody is there
        if _begun(request):
            return await _broken(guard, request, exc)
        return await _whole(request, guard.handle(exc, _parts(request)))


async def _sent(guard: Guard, request: web.Request, response: Any) -> web.StreamResponse:
    """The application's response, on its way to the client."""
    if not isinstance(response, web.StreamResponse):
        raise TypeError(f"a handler of aiohttp returns a response, this one returned {type(response).__name__}")
    if not response.prepared:
        if response.status >= 500:
            _marked(guard, request, response)
        check(response.headers.items())
    await response.prepare(request)
    await response.write_eof()
    return response


def _marked(guard: Guard, request: web.Request, response: web.StreamResponse) -> None:
    """A 5xx of the application's own: reported, and with the reference."""
    headers = list(response.headers.items())
    if has_reference(headers):
        return
    cause = response.__cause__ if isinstance(response, BaseException) else None
    if cause is not None:
        found = [(reference_header, guard.report(cause, _parts(request), status=response.status))]
    else:
        found = guard.returned(response.status, _parts(request)).headers
    for name, value in referenced(headers, found)[len(headers) :]:
        response.headers[name] = value
    response.headers.setdefault("Server", _server)


async def _whole(request: web.Request, answer: Answer) -> web.StreamResponse:
    if (writer := request._payload_writer) is not None:  # it may be set up for a response that was not begun
        request._payload_writer = type(writer)(request.protocol, request._loop)  # type: ignore[call-arg]
    response = web.Response(status=answer.status, headers=_pairs(answer.headers), body=answer.body)
    response.headers["Server"] = _server
    await response.prepare(request)  # signals grant CORS here
    await response.write_eof()
    return response


def _pairs(headers: Headers) -> Headers:
    """Content-Length is aiohttp's own to write."""
    return [(k, v) for k, v in granted(headers, ()) if k != "Content-Length"]


def _begun(request: web.Request) -> bool:
    """Whether bytes of a response are out, or on their way."""
    writer = request._payload_writer
    return getattr(writer, "_headers_written", False) or getattr(writer, "output_size", 0) > 0


async def _broken(guard: Guard, request: web.Request, exc: BaseException) -> web.StreamResponse:
    response: web.StreamResponse | None = request.get(_begun_key)
    if isinstance(response, web.WebSocketResponse):
        return await _closed(guard, request, response, exc)
    reference = guard.report(exc, _parts(request), status=response.status if response is not None else None)
    if response is not None and response._eof_sent:
        return response  # it is whole
    if response is not None and request.get(_ended_key):
        with contextlib.suppress(ConnectionResetError):
            await response.write(error_event(reference))
    if request.transport is not None:
        request.transport.close()  # what is written goes out, the end of the body does not
    gone = ConnectionResetError("the response broke after its first byte; the failure is reported")
    duplicates.mark(gone)
    raise gone from None


async def _closed(
    guard: Guard, request: web.Request, socket: web.WebSocketResponse, exc: BaseException
) -> web.WebSocketResponse:
    reference = guard.report(exc, _parts(request), status=None)
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        async with asyncio.timeout(limits.drain_s_max):  # aiohttp waits for the client's word that it has heard
            await socket.close(code=close_code, message=reference.encode())
    return socket


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _parts(request: web.Request) -> RequestParts:
    return RequestParts(
        method=request.method,
        scheme=request.scheme,
        host=request.host,
        path=request.path,
        query=request.query_string,
        headers=[(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.raw_headers],
        protocol=f"{request.version.major}.{request.version.minor}",
        route=_route(request),
        peer=request.remote or "",
        body=(request._read_bytes or b""),
    )


_begun_key = "fivehundred.response"
_ended_key = "fivehundred.ended"  # of a stream of events
_server = "aiohttp"  # as it is by default, without the versions
