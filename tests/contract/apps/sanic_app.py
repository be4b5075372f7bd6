"""The routes of the contract as a Sanic application."""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.response import json as json_response
from sanic.response import text
from tests.contract.apps import failures

guard = failures.guard()
application: Any = Sanic("contract", configure_logging=False)


class Own(Exception):
    pass


@application.on_request
async def before(request: Request) -> None:
    if request.path == "/mw":
        failures.boom()


@application.on_response
async def after(request: Request, response: Any) -> None:
    if request.path == "/mwafter" and response.status == 200:
        failures.boom()


@application.on_response
async def grant(request: Request, response: Any) -> None:
    if request.headers.get("Origin") == failures.allowed_origin:
        response.headers["Access-Control-Allow-Origin"] = failures.allowed_origin
    varies = response.headers.get("Vary")
    response.headers["Vary"] = f"{varies}, Origin" if varies else "Origin"


@application.exception(Own)
async def failing_handler(request: Request, exc: Own) -> HTTPResponse:
    raise RuntimeError("the error handler fails too")


async def ok(request: Request) -> HTTPResponse:
    return text("ok")


async def boom(request: Request) -> HTTPResponse:
    failures.boom(request.args.get("m", ""))
    return text("")


async def divide(request: Request, by: int) -> HTTPResponse:
    return text(str(1 // by))


async def handler(request: Request) -> HTTPResponse:
    raise Own


async def none(request: Request) -> None:
    return None


async def bad_type(request: Request) -> object:
    return object()


async def bad_json(request: Request) -> HTTPResponse:
    return json_response(object())


async def bad_header(request: Request) -> HTTPResponse:
    return text("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


async def nul(request: Request) -> HTTPResponse:
    return text("never", headers={"X-Name": "a\0b"})


async def sets(request: Request) -> None:
    response = await request.respond(headers=failures.sets_headers)
    response.add_cookie("a", "b")
    await _stream(response, 0)


async def _stream(response: Any, many: int, chunk: bytes = b"id,name\n") -> None:
    for part in failures.broken_after(many, chunk):
        await response.send(part)


async def stream0(request: Request) -> None:
    await _stream(await request.respond(content_type="text/csv"), 0)


async def stream1(request: Request) -> None:
    await _stream(await request.respond(content_type="text/csv"), 3)


async def sse(request: Request) -> None:
    await _stream(await request.respond(content_type="text/event-stream"), 1, b"data: 1\n\n")


async def own(request: Request) -> HTTPResponse:
    return text("own words", status=503)


async def own500(request: Request) -> HTTPResponse:
    raise SanicException(failures.own_words, status_code=500)


async def teapot(request: Request) -> HTTPResponse:
    response = text("short and stout", status=418, headers={"X-Own": "1"})
    response.add_cookie("a", "1")
    response.add_cookie("b", "2")
    return response


async def reads(request: Request) -> HTTPResponse:
    return text(str(len(request.body)))


async def waits(request: Request) -> HTTPResponse:
    await asyncio.sleep(0.4)
    return text("waited")


async def background(request: Request) -> None:
    """Sanic has no tasks of a response: a handler that goes on when it has sent all of it is one."""
    response = await request.respond(headers={"Content-Length": "2"})
    await response.send(b"ok", True)
    raise ValueError("background")


async def slow(request: Request) -> None:
    response = await request.respond()
    for _ in range(20):
        await response.send(b"x" * 65536)
        await asyncio.sleep(0.01)


def _failing(path: str) -> Any:
    async def fail(request: Request) -> HTTPResponse:
        failures.by_path[path]()
        return text("")

    return fail


views: dict[str, Any] = {
    "/ok": ok,
    "/mw": ok,
    "/mwafter": ok,
    "/boom": boom,
    "/divide/<by:int>": divide,
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
    "/background": background,
    "/slow": slow,
    **{path: _failing(path) for path in failures.by_path if path != "/boom"},
}
for number, (path, view) in enumerate(views.items()):
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    application.add_route(view, path, methods=methods, name=f"view{number}")


@application.websocket("/ws-after")
async def ws_after(request: Request, socket: Any) -> None:
    failures.boom()


@application.websocket("/ws-exit")
async def ws_exit(request: Request, socket: Any) -> None:
    failures.system_exit()


guard.sanic(application)
