"""The routes of the contract as a Pyramid application."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPInternalServerError
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW
from tests.contract.apps import failures

guard = failures.guard()


class Own(Exception):
    pass


def failing_handler(exc: Own, request: Request) -> Response:
    raise RuntimeError("the error handler fails too")


def ok(request: Request) -> Response:
    return Response("ok")


def boom(request: Request) -> Response:
    failures.boom(request.params.get("m", "") if request.method == "GET" else "")
    return Response()


def handler(request: Request) -> Response:
    raise Own


def bad_json(request: Request) -> Response:
    return Response(json_body=object())


def _header(value: str) -> Callable[[Request], Response]:
    return lambda request: Response("never", headerlist=[("X-Name", value)])


def sets(request: Request) -> Response:
    response = Response(app_iter=failures.broken_after(0))
    response.headers.update(failures.sets_headers)
    response.set_cookie("a", "b")
    return response


def _stream(many: int, kind: str = "text/csv", chunk: bytes = b"id,name\n") -> Callable[[Request], Response]:
    return lambda request: Response(app_iter=failures.broken_after(many, chunk), content_type=kind)


def slow(request: Request) -> Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            time.sleep(0.01)

    return Response(app_iter=chunks())


def own500(request: Request) -> Response:
    raise HTTPInternalServerError(failures.own_words)


def teapot(request: Request) -> Response:
    response = Response("short and stout", status=418)
    response.headers["X-Own"] = "1"
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def waits(request: Request) -> Response:
    time.sleep(0.4)
    return Response("waited")


def divide(request: Request) -> Response:
    return Response(str(1 // int(request.matchdict["by"])))


def _failing(path: str) -> Callable[[Request], Response]:
    def fail(request: Request) -> Response:
        failures.by_path[path]()
        return Response()

    return fail


views: dict[str, Callable[[Request], Any]] = {
    "/ok": ok,
    "/mw": ok,
    "/mwafter": ok,
    "/boom": boom,
    "/handler": handler,
    "/none": lambda request: None,
    "/badtype": lambda request: object(),
    "/badjson": bad_json,
    "/badheader": _header("a\r\nSet-Cookie: forged=1"),
    "/nul": _header("a\0b"),
    "/sets": sets,
    "/stream0": _stream(0),
    "/stream1": _stream(3),
    "/sse": _stream(1, "text/event-stream", b"data: 1\n\n"),
    "/own": lambda request: Response("own words", status=503),
    "/own500": own500,
    "/teapot": teapot,
    "/reads": lambda request: Response(str(len(request.body))),
    "/waits": waits,
    "/events": lambda request: Response(app_iter=failures.events_later(), content_type="text/event-stream"),
    "/background": lambda request: Response(app_iter=failures.Closing(), content_length=2),
    "/slow": slow,
    "/divide/{by}": divide,
    **{path: _failing(path) for path in failures.by_path if path != "/boom"},
}
config = Configurator()
config.add_tween("tests.contract.apps.pyramid_hooks.hooks", over=EXCVIEW)
config.add_tween("tests.contract.apps.pyramid_hooks.cors", over="tests.contract.apps.pyramid_hooks.hooks")
config.add_exception_view(failing_handler, context=Own)
for path, view in views.items():
    config.add_route(path, path)
    config.add_view(view, route_name=path)
application = guard.pyramid(config)
