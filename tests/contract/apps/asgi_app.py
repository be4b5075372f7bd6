"""The routes of the contract as a bare ASGI application."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from tests.contract.apps import failures

guard = failures.guard()


async def routes(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    path = scope["path"]
    if scope["type"] == "websocket":
        return await _socket(path, receive, send)
    if path in failures.by_path:
        message = parse_qs(scope["query_string"].decode()).get("m", [""])[0]
        failures.boom(message) if path == "/boom" else failures.by_path[path]()
    if path == "/none":
        return None
    if path == "/handler":
        raise Own
    plain = [(b"content-type", b"text/plain"), *_cors(scope)]
    if path == "/reads" and not await _read(receive):
        return None  # the client went away
    if path in more:
        return await more[path](send, plain)
    return await _whole(send, 200, plain, b"ok")


async def _whole(send: Any, status: int, headers: Any, body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Any, headers: Any, chunks: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def _bad_type(send: Any, plain: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": plain})
    await send("text")


async def _bad_json(send: Any, plain: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": plain})
    await send({"type": "http.response.body", "body": json.dumps(object()).encode()})


async def _bad_header(send: Any, plain: Any) -> None:
    await _whole(send, 200, [*plain, (b"x-name", b"a\r\nset-cookie: forged=1")], b"never")


async def _nul(send: Any, plain: Any) -> None:
    await _whole(send, 200, [*plain, (b"x-name", b"a\0b")], b"never")


async def _sets(send: Any, plain: Any) -> None:
    told = [(name.lower().encode(), value.encode()) for name, value in failures.sets_headers.items()]
    headers = [*plain, *told, (b"set-cookie", b"a=b")]
    await _stream(send, headers, failures.broken_after(0))


async def _stream0(send: Any, plain: Any) -> None:
    await _stream(send, plain, failures.broken_after(0))


async def _stream1(send: Any, plain: Any) -> None:
    await _stream(send, plain, failures.broken_after(3))


async def _sse(send: Any, plain: Any) -> None:
    await _stream(send, [(b"content-type", b"text/event-stream")], failures.broken_after(1, b"data: 1\n\n"))


async def _background(send: Any, plain: Any) -> None:
    await _whole(send, 200, plain, b"ok")
    raise ValueError("background")


async def _own(send: Any, plain: Any) -> None:
    await _whole(send, 503, [(b"content-type", b"text/plain")], b"own words")


async def _slow(send: Any, plain: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": plain})
    for _ in range(20):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b""})


async def _teapot(send: Any, plain: Any) -> None:
    more = [(b"x-own", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await _whole(send, 418, [*plain, *more], b"short and stout")


async def _waits(send: Any, plain: Any) -> None:
    await asyncio.sleep(0.4)
    await _whole(send, 200, plain, b"waited")


async def _events(send: Any, plain: Any) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b"data: 1\n\n"})


async def _read(receive: Any) -> bool:
    while (message := await receive())["type"] == "http.request":
        if not message.get("more_body"):
            return True
    return False


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _socket(path: str, receive: Any, send: Any) -> None:
    await receive()
    if path == "/ws-before":
        failures.boom()
    await send({"type": "websocket.accept"})
    failures.boom()


def _cors(scope: Any) -> list[tuple[bytes, bytes]]:
    origin = failures.allowed_origin.encode()
    if dict(scope["headers"]).get(b"origin") == origin:
        return [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
    return [(b"vary", b"Origin")]


more = {
    "/badtype": _bad_type,
    "/badjson": _bad_json,
    "/badheader": _bad_header,
    "/nul": _nul,
    "/sets": _sets,
    "/stream0": _stream0,
    "/stream1": _stream1,
    "/sse": _sse,
    "/background": _background,
    "/own": _own,
    "/slow": _slow,
    "/teapot": _teapot,
    "/waits": _waits,
    "/events": _events,
}


class Own(Exception):
    pass


async def hooks(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Middleware, as a bare application has it."""
    if scope.get("path") == "/mw":
        failures.boom()

    async def after(message: Any) -> None:
        if scope.get("path") == "/mwafter" and message["type"] == "http.response.start":
            failures.boom()
        await send(message)

    try:
        await routes(scope, receive, after)
    except Own:
        raise RuntimeError("the error handler fails too") from None


application = guard.asgi(hooks)
