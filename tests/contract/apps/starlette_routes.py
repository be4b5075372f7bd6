"""The endpoints that the Starlette and the FastAPI application of the contract share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.contract.apps import failures

all_methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Own(Exception):
    pass


async def failing_handler(request: Request, exc: Exception) -> Response:
    raise RuntimeError("the error handler fails too")


async def hooks(request: Request, call_next: Any) -> Any:
    """Middleware of the kind that hides what happens behind it: BaseHTTPMiddleware."""
    if request.url.path == "/mw":
        failures.boom()
    response = await call_next(request)
    if request.url.path == "/mwafter":
        failures.boom()
    return response


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def boom(request: Request) -> Response:
    failures.boom(request.query_params.get("m", ""))
    return Response()


async def handler(request: Request) -> Response:
    raise Own


async def none(request: Request) -> None:
    return None


async def bad_type(request: Request) -> Any:
    return PlainTextResponse(object())


async def bad_json(request: Request) -> Response:
    return JSONResponse(object())


async def bad_header(request: Request) -> Response:
    return PlainTextResponse("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


async def nul(request: Request) -> Response:
    return PlainTextResponse("never", headers={"X-Name": "a\0b"})


async def sets(request: Request) -> Response:
    response = StreamingResponse(failures.broken_after(0), headers=failures.sets_headers)
    response.set_cookie("a", "b")
    return response


async def _chunks(many: int, chunk: bytes = b"id,name\n") -> AsyncIterator[bytes]:
    for part in failures.broken_after(many, chunk):
        yield part
        await asyncio.sleep(0)


async def stream0(request: Request) -> Response:
    return StreamingResponse(_chunks(0), media_type="text/csv")


async def stream1(request: Request) -> Response:
    return StreamingResponse(_chunks(3), media_type="text/csv")


async def sse(request: Request) -> Response:
    return StreamingResponse(_chunks(1, b"data: 1\n\n"), media_type="text/event-stream")


async def background(request: Request) -> Response:
    def fail() -> None:
        raise ValueError("background")

    return PlainTextResponse("ok", background=BackgroundTask(fail))


async def own(request: Request) -> Response:
    return PlainTextResponse("own words", status_code=503)


async def own500(request: Request) -> Response:
    raise HTTPException(500, failures.own_words)


async def teapot(request: Request) -> Response:
    response = PlainTextResponse("short and stout", status_code=418, headers={"X-Own": "1", "ETag": '"t"'})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def reads(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def events(request: Request) -> Response:
    async def later() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.5)
        yield b"data: 1\n\n"

    return StreamingResponse(later(), media_type="text/event-stream")


async def waits(request: Request) -> Response:
    await asyncio.sleep(0.4)
    return PlainTextResponse("waited")


async def slow(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            await asyncio.sleep(0.01)

    return StreamingResponse(chunks())


async def ws_before(socket: WebSocket) -> None:
    failures.boom()


async def ws_after(socket: WebSocket) -> None:
    await socket.accept()
    failures.boom()


def _failing(path: str) -> Any:
    async def fail(request: Request) -> Response:
        failures.by_path[path]()
        return Response()

    return fail


routes: list[BaseRoute] = [
    Route("/ok", ok),
    Route("/boom", boom, methods=all_methods),
    Route("/mw", ok),
    Route("/mwafter", ok),
    Route("/handler", handler),
    Route("/none", none),
    Route("/badtype", bad_type),
    Route("/badjson", bad_json),
    Route("/badheader", bad_header),
    Route("/nul", nul),
    Route("/sets", sets),
    Route("/stream0", stream0),
    Route("/stream1", stream1),
    Route("/sse", sse),
    Route("/background", background),
    Route("/own", own),
    Route("/own500", own500),
    Route("/teapot", teapot),
    Route("/reads", reads, methods=["POST"]),
    Route("/waits", waits),
    Route("/events", events),
    Route("/slow", slow),
    WebSocketRoute("/ws-before", ws_before),
    WebSocketRoute("/ws-after", ws_after),
    *(Route(path, _failing(path), methods=["GET", "POST"]) for path in failures.by_path if path != "/boom"),
]
