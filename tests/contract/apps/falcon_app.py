"""The routes of the contract as a Falcon application, for WSGI and for ASGI: every responder is made for both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import falcon
import falcon.asgi
from tests.contract.apps import failures

guard = failures.guard()


class Own(Exception):
    pass


class Hooks:
    def process_request(self, req: Any, resp: Any) -> None:
        if req.path == "/mw":
            failures.boom()

    def process_response(self, req: Any, resp: Any, resource: Any, ok: bool) -> None:
        if req.path == "/mwafter" and ok:
            failures.boom()

    async def process_request_async(self, req: Any, resp: Any) -> None:
        self.process_request(req, resp)

    async def process_response_async(self, req: Any, resp: Any, resource: Any, ok: bool) -> None:
        self.process_response(req, resp, resource, ok)


def ok(req: Any, resp: Any) -> None:
    resp.text = "ok"


def boom(req: Any, resp: Any) -> None:
    failures.boom(req.get_param("m") or "")


def handler(req: Any, resp: Any) -> None:
    raise Own


def none(req: Any, resp: Any) -> None:
    return None


def bad_type(req: Any, resp: Any) -> None:
    resp.text = 5


def bad_json(req: Any, resp: Any) -> None:
    resp.media = object()


def _header(value: str) -> Callable[[Any, Any], None]:
    def respond(req: Any, resp: Any) -> None:
        resp.set_header("X-Name", value)
        resp.text = "never"

    return respond


def sets(req: Any, resp: Any) -> None:
    resp.set_headers(failures.sets_headers)
    resp.set_cookie("a", "b")
    resp.stream = _chunks(req, failures.broken_after(0))


def _stream(many: int, kind: str = "text/csv", chunk: bytes = b"id,name\n") -> Callable[[Any, Any], None]:
    def respond(req: Any, resp: Any) -> None:
        resp.content_type = kind
        resp.stream = _chunks(req, failures.broken_after(many, chunk))

    return respond


def own(req: Any, resp: Any) -> None:
    resp.status, resp.text = falcon.HTTP_503, "own words"


def own500(req: Any, resp: Any) -> None:
    raise falcon.HTTPInternalServerError(title=failures.own_words)


def teapot(req: Any, resp: Any) -> None:
    resp.status, resp.text = falcon.HTTP_418, "short and stout"
    resp.set_header("X-Own", "1")
    resp.set_cookie("a", "1")
    resp.set_cookie("b", "2")


def background(req: Any, resp: Any) -> None:
    if hasattr(req, "scope"):
        resp.text = "ok"
        resp.schedule_sync(_fail)
    else:
        resp.content_length = 2
        resp.stream = failures.Closing()


def events(req: Any, resp: Any) -> None:
    resp.content_type = "text/event-stream"

    async def later() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.5)
        yield b"data: 1\n\n"

    resp.stream = later() if hasattr(req, "scope") else failures.events_later()


def _fail() -> None:
    raise ValueError("background")


def slow(req: Any, resp: Any) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            time.sleep(0.01)

    resp.stream = _chunks(req, chunks())


def _chunks(req: Any, chunks: Iterator[bytes]) -> Any:
    async def awaited() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0)

    return awaited() if hasattr(req, "scope") else chunks


def _failing(path: str) -> Callable[[Any, Any], None]:
    return lambda req, resp: failures.by_path[path]()


def divide(req: Any, resp: Any, by: str) -> None:
    resp.text = str(1 // int(by))


responders: dict[str, Callable[..., None]] = {
    "/ok": ok,
    "/mw": ok,
    "/mwafter": ok,
    "/boom": boom,
    "/handler": handler,
    "/none": none,
    "/badtype": bad_type,
    "/badjson": bad_json,
    "/badheader": _header("a\r\nSet-Cookie: forged=1"),
    "/nul": _header("a\0b"),
    "/sets": sets,
    "/stream0": _stream(0),
    "/stream1": _stream(3),
    "/sse": _stream(1, "text/event-stream", b"data: 1\n\n"),
    "/own": own,
    "/own500": own500,
    "/teapot": teapot,
    "/background": background,
    "/events": events,
    "/slow": slow,
    "/divide/{by}": divide,
    **{path: _failing(path) for path in failures.by_path if path != "/boom"},
}


class Resource:
    def __init__(self, respond: Callable[..., None]) -> None:
        self.respond = respond

    def on_get(self, req: Any, resp: Any, **params: Any) -> None:
        self.respond(req, resp, **params)

    on_post = on_put = on_patch = on_delete = on_head = on_get


class AsgiResource:
    def __init__(self, respond: Callable[..., None]) -> None:
        self.respond = respond

    async def on_get(self, req: Any, resp: Any, **params: Any) -> None:
        self.respond(req, resp, **params)

    on_post = on_put = on_patch = on_delete = on_head = on_get


class Socket:
    def __init__(self, accepts: bool) -> None:
        self.accepts = accepts

    async def on_websocket(self, req: Any, ws: Any) -> None:
        if self.accepts:
            await ws.accept()
        failures.boom()


class Reads:
    def on_post(self, req: Any, resp: Any) -> None:
        resp.text = str(len(req.bounded_stream.read()))


class AsgiReads:
    async def on_post(self, req: Any, resp: Any) -> None:
        resp.text = str(len(await req.stream.read()))


class Waits:
    def on_get(self, req: Any, resp: Any) -> None:
        time.sleep(0.4)
        resp.text = "waited"


class AsgiWaits:
    async def on_get(self, req: Any, resp: Any) -> None:
        await asyncio.sleep(0.4)
        resp.text = "waited"


def failing_handler(req: Any, resp: Any, ex: Exception, params: Any) -> None:
    raise RuntimeError("the error handler fails too")


async def failing_handler_async(req: Any, resp: Any, ex: Exception, params: Any) -> None:
    raise RuntimeError("the error handler fails too")


def _made(app: Any, resource: Any, failing: Any) -> Any:
    for path, respond in responders.items():
        app.add_route(path, resource(respond))
    app.add_error_handler(Own, failing)
    return guard.falcon(app)


_cors: Any = falcon.CORSMiddleware(allow_origins=[failures.allowed_origin])
_wsgi: Any = falcon.App(middleware=[_cors, Hooks()])
_wsgi.add_route("/reads", Reads())
_wsgi.add_route("/waits", Waits())
application = _made(_wsgi, Resource, failing_handler)
_asgi: Any = falcon.asgi.App(middleware=[_cors, Hooks()])
_asgi.add_route("/ws-before", Socket(accepts=False))
_asgi.add_route("/ws-after", Socket(accepts=True))
_asgi.add_route("/reads", AsgiReads())
_asgi.add_route("/waits", AsgiWaits())
asgi_application = _made(_asgi, AsgiResource, failing_handler_async)
