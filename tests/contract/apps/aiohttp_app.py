"""The routes of the contract as an aiohttp.web application."""

# mypy: disable-error-code="arg-type"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from tests.contract.apps import failures

guard = failures.guard()
application = web.Application()


@web.middleware
async def hooks(request: web.Request, handler: Any) -> Any:
    if request.path == "/mw":
        failures.boom()
    response = await handler(request)
    if request.path == "/mwafter":
        failures.boom()
    return response


@web.middleware
async def failing_handler(request: web.Request, handler: Any) -> Any:
    try:
        return await handler(request)
    except Own:
        raise RuntimeError("the error handler fails too") from None


async def grant(request: web.Request, response: web.StreamResponse) -> None:
    """As aiohttp-cors does it: when a response is prepared."""
    if request.headers.get("Origin") == failures.allowed_origin:
        response.headers["Access-Control-Allow-Origin"] = failures.allowed_origin
        response.headers["Access-Control-Expose-Headers"] = "Error-Reference, Retry-After"
    response.headers.add("Vary", "Origin")


class Own(Exception):
    pass


async def ok(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def boom(request: web.Request) -> web.Response:
    failures.boom(request.query.get("m", ""))
    return web.Response()


async def divide(request: web.Request) -> web.Response:
    return web.Response(text=str(1 // int(request.match_info["by"])))


async def handler(request: web.Request) -> web.Response:
    raise Own


async def none(request: web.Request) -> None:
    return None


async def bad_type(request: web.Request) -> object:
    return object()


async def bad_json(request: web.Request) -> web.Response:
    return web.json_response(object())


async def bad_header(request: web.Request) -> web.Response:
    return web.Response(text="never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


async def nul(request: web.Request) -> web.Response:
    return web.Response(text="never", headers={"X-Name": "a\0b"})


async def _chunks(many: int, chunk: bytes = b"id,name\n") -> AsyncIterator[bytes]:
    for part in failures.broken_after(many, chunk):
        yield part
        await asyncio.sleep(0)


async def sets(request: web.Request) -> web.Response:
    response = web.Response(body=_chunks(0), headers=failures.sets_headers)
    response.set_cookie("a", "b")
    return response


async def stream0(request: web.Request) -> web.Response:
    return web.Response(body=_chunks(0), content_type="text/csv")


async def stream1(request: web.Request) -> web.Response:
    return web.Response(body=_chunks(3), content_type="text/csv")


async def sse(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    async for chunk in _chunks(1, b"data: 1\n\n"):
        await response.write(chunk)
    return response


async def own(request: web.Request) -> web.Response:
    return web.Response(text="own words", status=503)


async def own500(request: web.Request) -> web.Response:
    raise web.HTTPInternalServerError(text=failures.own_words)


async def teapot(request: web.Request) -> web.Response:
    response = web.Response(text="short and stout", status=418, headers={"X-Own": "1"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def reads(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def waits(request: web.Request) -> web.Response:
    await asyncio.sleep(0.4)
    return web.Response(text="waited")


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(0.5)
    await response.write(b"data: 1\n\n")
    return response


async def background(request: web.Request) -> web.Response:
    """aiohttp has no tasks of a response: a handler that goes on when it has sent all of it is one."""
    response = web.Response(text="ok")
    await response.prepare(request)
    await response.write_eof()
    raise ValueError("background")


async def slow(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(20):
        await response.write(b"x" * 65536)
        await asyncio.sleep(0.01)
    return response


async def ws_before(request: web.Request) -> web.WebSocketResponse:
    failures.boom()
    return web.WebSocketResponse()


async def ws_after(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    failures.boom()
    return socket


async def begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=206)
    await response.prepare(request)
    failures.boom(request.query.get("m", ""))
    return response


def _failing(path: str) -> Any:
    async def fail(request: web.Request) -> web.Response:
        failures.by_path[path]()
        return web.Response()

    return fail


views: dict[str, Any] = {
    "/ok": ok,
    "/mw": ok,
    "/mwafter": ok,
    "/boom": boom,
    "/divide/{by}": divide,
    "/handler": handler,
    "/none": none,
    "/badtype": bad_type,
    "/badjson": bad_json,
    "/badheader": bad_header,
    "/nul": nul,
    "/sets": sets,
    "/stream0": stream0,
    "/stream1": stream1,
    "/sse": sse,
    "/own": own,
    "/own500": own500,
    "/teapot": teapot,
    "/reads": reads,
    "/waits": waits,
    "/events": events,
    "/background": background,
    "/slow": slow,
    "/begun": begun,
    "/ws-before": ws_before,
    "/ws-after": ws_after,
    **{path: _failing(path) for path in failures.by_path if path != "/boom"},
}
for path, view in views.items():
    application.router.add_route("*", path, view)
application.middlewares.extend([hooks, failing_handler])
application.on_response_prepare.append(grant)
guard.aiohttp(application)
