"""Each further framework behind the Guard where the contract over sockets does not look: its own 4xx and handlers,
the template of the route, one event a failure. Applications are called in this process."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from typing import Any

import bottle
import falcon
import falcon.asgi
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from litestar import Litestar, Response, get
from litestar.exceptions import NotFoundException
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.response import Response as PyramidResponse
from quart import Quart, abort
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, HTTPError, RequestHandler

from fivehundred import Guard

Got = tuple[int, bytes, str]  # status, body, reference
Get = Callable[[str], Got]


class Known(Exception):
    """What the application answers by itself."""


def over_wsgi(app: Callable[..., Iterable[bytes]]) -> Get:
    def get(path: str) -> Got:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
        }
        started: list[Any] = []
        body = b"".join(app(environ, lambda *start: started.append(start)))
        headers = {k.lower(): v for k, v in started[-1][1]}
        return int(started[-1][0][:3]), body, headers.get("error-reference", "")

    return get


def over_asgi(app: Any) -> Get:
    def get(path: str) -> Got:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                return await client.get(path)

        reply = asyncio.run(ask())
        return reply.status_code, reply.content, reply.headers.get("error-reference", "")

    return get


def bottle_app(guard: Guard) -> Get:
    app = bottle.Bottle()
    app.route("/divide/<by:int>", callback=lambda by: str(1 // by))
    app.route("/gone", callback=lambda: bottle.abort(404, "own words"))
    return over_wsgi(guard.bottle(app))


def pyramid_app(guard: Guard) -> Get:
    def divide(request: Any) -> Any:
        return PyramidResponse(str(1 // int(request.matchdict["by"])))

    def gone(request: Any) -> Any:
        raise HTTPNotFound("own words")

    def known(request: Any) -> Any:
        raise Known

    config = Configurator()
    for path, view in (("/divide/{by}", divide), ("/gone", gone), ("/known", known)):
        config.add_route(path, path)
        config.add_view(view, route_name=path)
    config.add_exception_view(lambda exc, request: PyramidResponse("own 503", status=503), context=Known)
    return over_wsgi(guard.pyramid(config))


class Divide:
    def on_get(self, req: Any, resp: Any, by: str) -> None:
        resp.text = str(1 // int(by))


class Gone:
    def on_get(self, req: Any, resp: Any) -> None:
        raise falcon.HTTPNotFound(title="own words")


class Raises:
    def on_get(self, req: Any, resp: Any) -> None:
        raise Known


def falcon_app(guard: Guard) -> Get:
    def own(req: Any, resp: Any, ex: Any, params: Any) -> None:
        resp.status, resp.text = 503, "own 503"

    app = falcon.App()
    app.add_route("/divide/{by}", Divide())
    app.add_route("/gone", Gone())
    app.add_route("/known", Raises())
    app.add_error_handler(Known, own)
    return over_wsgi(guard.falcon(app))


def falcon_asgi_app(guard: Guard) -> Get:
    class AsyncDivide:
        async def on_get(self, req: Any, resp: Any, by: str) -> None:
            resp.text = str(1 // int(by))

    class AsyncGone:
        async def on_get(self, req: Any, resp: Any) -> None:
            raise falcon.HTTPNotFound(title="own words")

    app = falcon.asgi.App()
    app.add_route("/divide/{by}", AsyncDivide())
    app.add_route("/gone", AsyncGone())
    return over_asgi(guard.falcon(app))


@get("/divide/{by:int}")
async def litestar_divide(by: int) -> str:
    return str(1 // by)


@get("/gone")
async def litestar_gone() -> str:
    raise NotFoundException("own words")


@get("/known")
async def litestar_known() -> str:
    raise Known


def litestar_app(guard: Guard) -> Get:
    def own(request: Any, exc: Exception) -> Response[str]:
        return Response("own 503", status_code=503, media_type="text/plain")

    routes = [litestar_divide, litestar_gone, litestar_known]
    return over_asgi(guard.litestar(Litestar(routes, exception_handlers={Known: own}, logging_config=None)))


def quart_app(guard: Guard) -> Get:
    app = Quart("test")

    async def divide(by: int) -> str:
        return str(1 // by)

    async def gone() -> str:
        abort(404, "own words")

    async def known() -> str:
        raise Known

    async def own(exc: Known) -> tuple[str, int]:
        return "own 503", 503

    app.add_url_rule("/divide/<int:by>", "divide", divide)
    app.add_url_rule("/gone", "gone", gone)
    app.add_url_rule("/known", "known", known)
    app.register_error_handler(Known, own)
    return over_asgi(guard.quart(app))


def aiohttp_app(guard: Guard) -> Get:
    async def divide(request: web.Request) -> web.Response:
        return web.Response(text=str(1 // int(request.match_info["by"])))

    async def gone(request: web.Request) -> web.Response:
        raise web.HTTPNotFound(text="own words")

    async def known(request: web.Request) -> web.Response:
        try:
            raise Known
        except Known as exc:
            raise web.HTTPServiceUnavailable(text="own 503") from exc

    def get(path: str) -> Got:
        app = web.Application()
        app.add_routes([web.get("/divide/{by}", divide), web.get("/gone", gone), web.get("/known", known)])

        async def ask() -> Got:
            async with TestClient(TestServer(guard.aiohttp(app))) as client:
                reply = await client.get(path)
                return reply.status, await reply.read(), reply.headers.get("Error-Reference", "")

        return asyncio.run(ask())

    return get


class TornadoDivide(RequestHandler):
    def get(self, by: str) -> None:
        self.finish(str(1 // int(by)))


class TornadoGone(RequestHandler):
    def get(self) -> None:
        raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish("own words")


class TornadoKnown(RequestHandler):
    def get(self) -> None:
        raise Known

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_status(503)
        self.finish("own 503")


def tornado_app(guard: Guard) -> Get:
    app = Application([("/divide/([0-9]+)", TornadoDivide), ("/gone", TornadoGone), ("/known", TornadoKnown)])
    guard.tornado(app)

    def get(path: str) -> Got:
        async def ask() -> Got:
            sock, port = bind_unused_port()
            server = HTTPServer(app)
            server.add_socket(sock)
            reply = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}{path}", raise_error=False)
            server.stop()
            return reply.code, reply.body, reply.headers.get("Error-Reference", "")

        return asyncio.run(ask())

    return get


made: dict[str, tuple[Callable[[Guard], Get], str]] = {
    "bottle": (bottle_app, "/divide/<by:int>"),
    "pyramid": (pyramid_app, "/divide/{by}"),
    "falcon": (falcon_app, "/divide/{by}"),
    "falcon-asgi": (falcon_asgi_app, "/divide/{by}"),
    "litestar": (litestar_app, "/divide/{by}"),
    "quart": (quart_app, "/divide/<int:by>"),
    "aiohttp": (aiohttp_app, "/divide/{by}"),
    "tornado": (tornado_app, "/divide/([0-9]+)"),
}
every = pytest.mark.parametrize("framework", made)
with_handler = pytest.mark.parametrize("framework", [name for name in made if name not in ("bottle", "falcon-asgi")])


def app_of(framework: str) -> tuple[Guard, Get]:
    guard = Guard("", mode="testing")
    return guard, made[framework][0](guard)


@every
def test_a_failure_is_one_event_with_the_template_of_its_route(framework: str) -> None:
    guard, get = app_of(framework)
    status, _, reference = get("/divide/0")
    assert status == 500
    assert [event.event_id for event in guard.events] == [reference]
    assert guard.events[0].exceptions[-1].type == "ZeroDivisionError"
    assert guard.events[0].ours["route"] == made[framework][1]


@every
def test_a_request_that_goes_well_is_left_alone(framework: str) -> None:
    guard, get = app_of(framework)
    assert get("/divide/1")[0::2] == (200, "")
    assert not guard.events


@every
def test_the_frameworks_own_4xx_is_left_alone(framework: str) -> None:
    guard, get = app_of(framework)
    status, body, reference = get("/gone")
    assert (status, reference) == (404, "")
    assert b"own words" in body
    assert get("/nothing-here")[0::2] == (404, "")
    assert not guard.events


@with_handler
def test_an_error_handler_of_the_application_keeps_its_answer_and_is_reported_once(framework: str) -> None:
    guard, get = app_of(framework)
    status, body, reference = get("/known")
    assert (status, body) == (503, b"own 503")
    assert [event.event_id for event in guard.events] == [reference]


def test_bottles_own_page_for_500_is_kept_and_reported() -> None:
    guard = Guard("", mode="testing")
    app = bottle.Bottle()
    app.route("/", callback=lambda: 1 // 0)
    app.error(500)(lambda error: "own page")
    status, body, reference = over_wsgi(guard.bottle(app))("/")
    assert (status, body) == (500, b"own page")
    assert [event.event_id for event in guard.events] == [reference]
