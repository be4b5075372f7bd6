"""One small application for each framework, bare or guarded, called without sockets. For guard_happy.py."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

Many = Callable[[str, int], list[int]]  # path, how often -> nanoseconds of each


def guard() -> Any:
    from fivehundred.guard.guard import Guard

    return Guard("http://key@127.0.0.1:9/1", spool=tempfile.mkdtemp(prefix="guard-bench-"))


def wsgi(guarded: bool) -> Any:
    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        body = b'{"ok": true}'
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return guard().wsgi(app) if guarded else app


def flask(guarded: bool) -> Any:
    import flask as library

    app = library.Flask("bench")
    app.add_url_rule("/ok", "ok", lambda: {"ok": True})
    return guard().flask(app) if guarded else app


def bottle(guarded: bool) -> Any:
    import bottle as library

    app = library.Bottle()
    app.route("/ok", "GET", lambda: {"ok": True})
    return guard().bottle(app) if guarded else app


def falcon(guarded: bool) -> Any:
    import falcon as library

    class Ok:
        def on_get(self, request: Any, response: Any) -> None:
            response.media = {"ok": True}

    app = library.App()
    app.add_route("/ok", Ok())
    return guard().falcon(app) if guarded else app


def pyramid(guarded: bool) -> Any:
    from pyramid.config import Configurator

    config = Configurator()
    config.add_route("ok", "/ok")
    config.add_view(lambda request: {"ok": True}, route_name="ok", renderer="json")
    return guard().pyramid(config) if guarded else config.make_wsgi_app()


def django(guarded: bool, rest: bool = False) -> Any:
    """Django's settings hold for a process: the guarded one has the middleware, the bare one has it not."""
    import types

    from django.conf import settings

    dsn = {"dsn": "http://key@127.0.0.1:9/1", "spool": tempfile.mkdtemp(prefix="guard-bench-")}
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="bench_urls",
        SECRET_KEY="k" * 50,
        MIDDLEWARE=["fivehundred.guard.django.Guard"] if guarded else [],
        FIVEHUNDRED=dsn,
        LOGGING_CONFIG=None,
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
    )
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import path

    urls: Any = types.ModuleType("bench_urls")
    sys.modules["bench_urls"] = urls
    application = get_wsgi_application()
    if rest:
        from rest_framework.decorators import api_view
        from rest_framework.renderers import JSONRenderer
        from rest_framework.response import Response

        view = api_view(["GET"])(lambda request: Response({"ok": True}))
        view.cls.renderer_classes = [JSONRenderer]
        urls.urlpatterns = [path("ok", view)]
    else:
        urls.urlpatterns = [path("ok", lambda request: JsonResponse({"ok": True}))]
    return application


def drf(guarded: bool) -> Any:
    return django(guarded, rest=True)


def starlette(guarded: bool) -> Any:
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def ok(request: Any) -> Any:
        return JSONResponse({"ok": True})

    app = Starlette(routes=[Route("/ok", ok)])
    return guard().starlette(app) if guarded else app


def fastapi(guarded: bool) -> Any:
    import fastapi as library

    app = library.FastAPI()

    @app.get("/ok")
    async def ok() -> dict[str, bool]:
        return {"ok": True}

    return guard().fastapi(app) if guarded else app


def litestar(guarded: bool) -> Any:
    from litestar import Litestar, get

    @get("/ok")
    async def ok() -> dict[str, bool]:
        return {"ok": True}

    ok.fn.__annotations__["return"] = dict[str, bool]
    app = Litestar([ok])
    return guard().litestar(app) if guarded else app


def quart(guarded: bool) -> Any:
    import quart as library

    app = library.Quart("bench")

    @app.get("/ok")
    async def ok() -> dict[str, bool]:
        return {"ok": True}

    return guard().quart(app) if guarded else app


of_wsgi = {f.__name__: f for f in (wsgi, flask, bottle, falcon, pyramid, django, drf)}
of_asgi = {f.__name__: f for f in (starlette, fastapi, litestar, quart)}
own_process = {"django", "drf"}


def many(framework: str, guarded: bool) -> Many:
    if framework in of_wsgi:
        return _many_wsgi(of_wsgi[framework](guarded))
    return _many_asgi(of_asgi[framework](guarded))


def _many_wsgi(app: Any) -> Many:
    base = {
        "REQUEST_METHOD": "GET", "SERVER_NAME": "shop.example", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False, "REMOTE_ADDR": "10.0.0.9", "SCRIPT_NAME": "",
        "QUERY_STRING": "", "CONTENT_LENGTH": "", "HTTP_HOST": "shop.example", "HTTP_ACCEPT": "application/json",
        "HTTP_USER_AGENT": "bench",
    }  # fmt: skip

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        assert status.startswith("200"), status
        return None

    def one(path: str) -> int:
        environ = {**base, "PATH_INFO": path, "wsgi.input": io.BytesIO()}
        began = time.perf_counter_ns()
        body = app(environ, start)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()
        return time.perf_counter_ns() - began

    return lambda path, n: [one(path) for _ in range(n)]


def _many_asgi(app: Any) -> Many:
    loop = asyncio.new_event_loop()
    headers = [(b"host", b"shop.example"), (b"accept", b"application/json"), (b"user-agent", b"bench")]

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message

    async def one(path: str) -> int:
        waiting = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": ("10.0.0.9", 5000), "server": ("shop.example", 80), "state": {},
        }  # fmt: skip
        began = time.perf_counter_ns()
        await app(scope, receive, send)
        return time.perf_counter_ns() - began

    async def all_of(path: str, n: int) -> list[int]:
        return [await one(path) for _ in range(n)]

    return lambda path, n: loop.run_until_complete(all_of(path, n))
