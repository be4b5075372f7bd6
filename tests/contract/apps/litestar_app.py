"""The routes of the contract as a Litestar application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, Response, WebSocket, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException
from litestar.middleware.base import AbstractMiddleware
from litestar.response import Stream
from tests.contract.apps import failures

guard = failures.guard()


class Own(Exception):
    pass


def failing_handler(request: Any, exc: Exception) -> Response[str]:
    raise RuntimeError("the error handler fails too")


class Hooks(AbstractMiddleware):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/mw":
            failures.boom()

        async def after(message: Any) -> None:
            if scope["path"] == "/mwafter" and message.get("status") == 200:
                failures.boom()
            await send(message)

        await self.app(scope, receive, after)


async def ok(request: Request[Any, Any, Any]) -> Any:
    return "ok"


async def boom(request: Request[Any, Any, Any]) -> Any:
    failures.boom(request.query_params.get("m", ""))


async def handler(request: Request[Any, Any, Any]) -> Any:
    raise Own


async def none(request: Request[Any, Any, Any]) -> Any:
    return Response(None, status_code=204)


async def bad_type(request: Request[Any, Any, Any]) -> Any:
    return object()


async def bad_json(request: Request[Any, Any, Any]) -> Any:
    return {"value": object()}


async def bad_header(request: Request[Any, Any, Any]) -> Any:
    return Response("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


async def nul(request: Request[Any, Any, Any]) -> Any:
    return Response("never", headers={"X-Name": "a\0b"})


async def _chunks(many: int, chunk: bytes = b"id,name\n") -> AsyncIterator[bytes]:
    for part in failures.broken_after(many, chunk):
        yield part
        await asyncio.sleep(0)


async def sets(request: Request[Any, Any, Any]) -> Any:
    response = Stream(_chunks(0), headers=failures.sets_headers)
    response.set_cookie("a", "b")
    return response


async def stream0(request: Request[Any, Any, Any]) -> Any:
    return Stream(_chunks(0), media_type="text/csv")


async def stream1(request: Request[Any, Any, Any]) -> Any:
    return Stream(_chunks(3), media_type="text/csv")


async def sse(request: Request[Any, Any, Any]) -> Any:
    return Stream(_chunks(1, b"data: 1\n\n"), media_type="text/event-stream")


async def background(request: Request[Any, Any, Any]) -> Any:
    def fail() -> None:
        raise ValueError("background")

    return Response("ok", media_type="text/plain", background=BackgroundTask(fail))


async def own(request: Request[Any, Any, Any]) -> Any:
    return Response("own words", status_code=503, media_type="text/plain")


async def own500(request: Request[Any, Any, Any]) -> Any:
    raise HTTPException(failures.own_words, status_code=500)


async def teapot(request: Request[Any, Any, Any]) -> Any:
    response = Response("short and stout", status_code=418, headers={"X-Own": "1"}, media_type="text/plain")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def reads(request: Request[Any, Any, Any]) -> Any:
    return str(len(await request.body()))


async def events(request: Request[Any, Any, Any]) -> Any:
    async def later() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.5)
        yield b"data: 1\n\n"

    return Stream(later(), media_type="text/event-stream")


async def waits(request: Request[Any, Any, Any]) -> Any:
    await asyncio.sleep(0.4)
    return "waited"


async def slow(request: Request[Any, Any, Any]) -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            await asyncio.sleep(0.01)

    return Stream(chunks())


def _failing(path: str) -> Any:
    async def fail(request: Request[Any, Any, Any]) -> Any:
        failures.by_path[path]()

    return fail


@route("/divide/{by:int}", http_method=["GET"])
async def divide(by: int) -> str:
    return str(1 // by)


@websocket("/ws-before")
async def ws_before(socket: WebSocket[Any, Any, Any]) -> None:
    failures.boom()


@websocket("/ws-after")
async def ws_after(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    failures.boom()


views = {
    "/ok": ok,
    "/mw": ok,
    "/mwafter": ok,
    "/boom": boom,
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
    "/background": background,
    "/own": own,
    "/own500": own500,
    "/teapot": teapot,
    "/reads": reads,
    "/waits": waits,
    "/events": events,
    "/slow": slow,
    **{path: _failing(path) for path in failures.by_path if path != "/boom"},
}
methods: Any = ["GET", "HEAD", "POST", "PUT", "PATCH"]


def _routes(path: str, view: Any) -> list[Any]:
    view.__annotations__ = {"request": Request, "return": Any}
    kind = "text/event-stream" if path in ("/sse", "/events") else "text/plain"
    found = [route(path, http_method=methods, status_code=200, media_type=kind)(view)]
    if path == "/boom":

        async def delete(request: Any) -> Any:
            return await view(request)

        delete.__annotations__ = view.__annotations__
        found.append(route(path, http_method=["DELETE"], status_code=200)(delete))
    return found


application = guard.litestar(
    Litestar(
        [*(one for path, view in views.items() for one in _routes(path, view)), divide, ws_before, ws_after],
        middleware=[Hooks],
        cors_config=CORSConfig(allow_origins=[failures.allowed_origin]),
        exception_handlers={Own: failing_handler},
        openapi_config=None,
        logging_config=None,
    )
)
