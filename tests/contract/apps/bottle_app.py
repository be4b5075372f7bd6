"""The routes of the contract as a Bottle application."""

# mypy: disable-error-code="import-untyped,untyped-decorator"

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from bottle import Bottle, HTTPResponse, abort, request, response
from tests.contract.apps import failures

guard = failures.guard()
application = Bottle()


@application.hook("before_request")
def before() -> None:
    if request.path == "/mw":
        failures.boom()


@application.hook("after_request")
def after() -> None:
    if request.get_header("Origin") == failures.allowed_origin:
        response.set_header("Access-Control-Allow-Origin", failures.allowed_origin)
    response.set_header("Vary", "Origin")
    if request.path == "/mwafter":
        failures.boom()


@application.error(418)
def failing_handler(error: Any) -> str:
    raise RuntimeError("the error handler fails too")


@application.route("/ok")
@application.route("/mw")
@application.route("/mwafter")
def ok() -> str:
    return "ok"


@application.route("/boom", method=["GET", "POST", "PUT", "PATCH", "DELETE"])
def boom() -> str:
    failures.boom(request.query.m)
    return ""


@application.route("/divide/<by>")
def divide(by: str) -> str:
    return str(1 // int(by))


@application.route("/handler")
def handler() -> None:
    abort(418)


@application.route("/none")
def none() -> None:
    return None


@application.route("/badtype")
def bad_type() -> object:
    return object()


@application.route("/badjson")
def bad_json() -> str:
    return json.dumps(object())


@application.route("/badheader")
def bad_header() -> HTTPResponse:
    return HTTPResponse("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


@application.route("/nul")
def nul() -> HTTPResponse:
    return HTTPResponse("never", headers={"X-Name": "a\0b"})


@application.route("/sets")
def sets() -> Iterator[bytes]:
    for name, value in failures.sets_headers.items():
        response.set_header(name, value)
    response.set_cookie("a", "b")
    return failures.broken_after(0)


@application.route("/stream<many:int>")
def stream(many: int) -> Iterator[bytes]:
    return failures.broken_after(many * 3)


@application.route("/sse")
def sse() -> Iterator[bytes]:
    response.content_type = "text/event-stream"
    return failures.broken_after(1, b"data: 1\n\n")


@application.route("/own")
def own() -> HTTPResponse:
    return HTTPResponse("own words", 503)


@application.route("/own500")
def own500() -> None:
    abort(500, failures.own_words)


@application.route("/teapot")
def teapot() -> HTTPResponse:
    made = HTTPResponse("short and stout", 418, {"X-Own": "1", "ETag": '"t"'})
    made.set_cookie("a", "1")
    made.set_cookie("b", "2")
    return made


@application.post("/reads")
def reads() -> str:
    return str(len(request.body.read()))


@application.route("/waits")
def waits() -> str:
    time.sleep(0.4)
    return "waited"


@application.route("/background")
def background() -> failures.Closing:
    response.content_length = 2
    return failures.Closing()


@application.route("/slow")
def slow() -> Iterator[bytes]:
    for _ in range(20):
        yield b"x" * 65536
        time.sleep(0.01)


for path, fail in failures.by_path.items():
    if path != "/boom":
        application.route(path, method=["GET", "POST"], callback=fail)

guard.bottle(application)
