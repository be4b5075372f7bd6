"""The routes of the contract as a Tornado application."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.contract.apps import failures
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

guard = failures.guard()


class Base(RequestHandler):
    """Grants CORS where Tornado's documentation says to."""

    fail: Any = None

    def set_default_headers(self) -> None:
        if self.request.headers.get("Origin") == failures.allowed_origin:
            self.set_header("Access-Control-Allow-Origin", failures.allowed_origin)
        self.set_header("Vary", "Origin")

    async def get(self) -> None:
        if self.fail is not None:
            type(self).fail()
        self.finish("ok")

    post = put = patch = delete = head = get


class Boom(Base):
    async def get(self) -> None:
        failures.boom(self.get_query_argument("m", ""))

    post = put = patch = delete = head = get


class Before(Base):
    def prepare(self) -> None:
        failures.boom()


class After(Base):
    def compute_etag(self) -> str | None:
        failures.boom()
        return None


class Own(Base):
    async def get(self) -> None:
        raise KeyError("own")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        raise RuntimeError("the error handler fails too")


class Nothing(Base):
    async def get(self) -> None:
        return None


class BadType(Base):
    async def get(self) -> None:
        self.write(object())  # type: ignore[arg-type]


class BadJson(Base):
    async def get(self) -> None:
        self.write(json.dumps(object()))


class BadHeader(Base):
    async def get(self) -> None:
        self.set_header("X-Name", "a\r\nSet-Cookie: forged=1")
        self.finish("never")


class Nul(Base):
    async def get(self) -> None:
        self.set_header("X-Name", "a\0b")
        self.finish("never")


class Chunks(Base):
    many = 0
    chunk = b"id,name\n"

    async def get(self) -> None:
        for chunk in failures.broken_after(self.many, self.chunk):
            self.write(chunk)
            await self.flush()


class Sets(Chunks):
    async def get(self) -> None:
        for name, value in failures.sets_headers.items():
            self.set_header(name, value)
        self.set_cookie("a", "b")
        await super().get()


class Broken(Chunks):
    many = 3


class Events(Chunks):
    many, chunk = 1, b"data: 1\n\n"

    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        await super().get()


class Background(Base):
    async def get(self) -> None:
        self.finish("ok")

    def on_finish(self) -> None:
        raise ValueError("background")


class Owns(Base):
    async def get(self) -> None:
        self.set_status(503)
        self.finish("own words")


class Own500(Base):
    async def get(self) -> None:
        self.set_status(500)
        self.finish(failures.own_words)


class Teapot(Base):
    async def get(self) -> None:
        self.set_status(418)
        self.set_header("X-Own", "1")
        self.set_cookie("a", "1")
        self.set_cookie("b", "2")
        self.finish("short and stout")


class Reads(Base):
    async def post(self) -> None:
        self.finish(str(len(self.request.body)))


class Later(Base):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        await self.flush()
        await asyncio.sleep(0.5)
        self.finish(b"data: 1\n\n")


class Waits(Base):
    async def get(self) -> None:
        await asyncio.sleep(0.4)
        self.finish("waited")


class Slow(Base):
    async def get(self) -> None:
        for _ in range(20):
            self.write(b"x" * 65536)
            await self.flush()
            await asyncio.sleep(0.01)


class Divide(Base):
    async def get(self, by: str) -> None:  # type: ignore[override]
        self.finish(str(1 // int(by)))


class WsBefore(WebSocketHandler):
    def prepare(self) -> None:
        failures.boom()


class WsAfter(WebSocketHandler):
    def open(self) -> None:
        failures.boom()


class WsLater(WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        failures.boom()


views: dict[str, type[RequestHandler]] = {
    "/ok": Base,
    "/boom": Boom,
    "/mw": Before,
    "/mwafter": After,
    "/handler": Own,
    "/none": Nothing,
    "/badtype": BadType,
    "/badjson": BadJson,
    "/badheader": BadHeader,
    "/nul": Nul,
    "/sets": Sets,
    "/stream0": Chunks,
    "/stream1": Broken,
    "/sse": Events,
    "/background": Background,
    "/own": Owns,
    "/own500": Own500,
    "/teapot": Teapot,
    "/reads": Reads,
    "/waits": Waits,
    "/events": Later,
    "/slow": Slow,
    "/divide/([0-9]+)": Divide,
    "/ws-before": WsBefore,
    "/ws-after": WsAfter,
    "/ws-later": WsLater,
    **{
        path: type(path.title()[1:], (Base,), {"fail": staticmethod(fail)})
        for path, fail in failures.by_path.items()
        if path != "/boom"
    },
}
application = guard.tornado(Application(list(views.items())))
