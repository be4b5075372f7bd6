"""The routes of the contract as a Quart application."""

# Some views return what no view may, on purpose.
# mypy: disable-error-code="type-var,arg-type"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, abort, jsonify, request, websocket
from tests.contract.apps import failures

guard = failures.guard()
application = Quart("contract")


@application.before_request
async def before() -> None:
    if request.path == "/mw":
        failures.boom()


@application.after_request
async def after(response: Response) -> Response:
    if request.path == "/mwafter" and response.status_code == 200:
        failures.boom()
    if request.headers.get("Origin") == failures.allowed_origin:
        response.headers["Access-Control-Allow-Origin"] = failures.allowed_origin
    response.vary.add("Origin")
    return response


class Own(Exception):
    pass


@application.errorhandler(Own)
async def failing_handler(exc: Own) -> Response:
    raise RuntimeError("the error handler fails too")


@application.get("/ok")
@application.get("/mw")
@application.get("/mwafter")
async def ok() -> str:
    return "ok"


@application.route("/boom", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def boom() -> str:
    failures.boom(request.args.get("m", ""))
    return ""


@application.get("/divide/<int:by>")
async def divide(by: int) -> str:
    return str(1 // by)


@application.get("/handler")
async def handler() -> str:
    raise Own


@application.get("/none")
async def none() -> None:
    return None


@application.get("/badtype")
async def bad_type() -> object:
    return object()


@application.get("/badjson")
async def bad_json() -> Response:
    return jsonify(object())


@application.get("/badheader")
async def bad_header() -> Response:
    return Response("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


@application.get("/nul")
async def nul() -> Response:
    return Response("never", headers={"X-Name": "a\0b"})


async def _chunks(many: int, chunk: bytes = b"id,name\n") -> AsyncIterator[bytes]:
    for part in failures.broken_after(many, chunk):
        yield part
        await asyncio.sleep(0)


@application.get("/sets")
async def sets() -> Response:
    response = Response(_chunks(0), headers=failures.sets_headers)
    response.set_cookie("a", "b")
    return response


@application.get("/stream<int:many>")
async def stream(many: int) -> Response:
    return Response(_chunks(many * 3), mimetype="text/csv")


@application.get("/sse")
async def sse() -> Response:
    return Response(_chunks(1, b"data: 1\n\n"), mimetype="text/event-stream")


@application.get("/own")
async def own() -> tuple[str, int]:
    return "own words", 503


@application.get("/own500")
async def own500() -> None:
    abort(500, failures.own_words)


@application.get("/teapot")
async def teapot() -> Response:
    response = Response("short and stout", 418, {"X-Own": "1", "ETag": '"t"'})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@application.post("/reads")
async def reads() -> str:
    return str(len(await request.get_data()))


@application.get("/events")
async def events() -> Response:
    async def later() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.5)
        yield b"data: 1\n\n"

    return Response(later(), mimetype="text/event-stream")


@application.get("/waits")
async def waits() -> str:
    await asyncio.sleep(0.4)
    return "waited"


@application.get("/background")
async def background() -> str:
    async def fail() -> None:
        raise ValueError("background")

    application.add_background_task(fail)
    return "ok"


@application.get("/slow")
async def slow() -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            await asyncio.sleep(0.01)

    return Response(chunks())


@application.websocket("/ws-before")
async def ws_before() -> None:
    failures.boom()


@application.websocket("/ws-after")
async def ws_after() -> None:
    await websocket.accept()
    failures.boom()


def _failing(path: str) -> Any:
    async def fail() -> str:
        failures.by_path[path]()
        return ""

    return fail


for path in failures.by_path:
    if path != "/boom":
        application.add_url_rule(path, path, _failing(path), methods=["GET", "POST"])

guard.quart(application)
