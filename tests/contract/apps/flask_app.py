"""The routes of the contract as a Flask application, with Flask-CORS."""

# Some views return what no view may, on purpose.
# mypy: disable-error-code="type-var,arg-type"

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Flask, Response, abort, jsonify, request
from flask_cors import CORS
from tests.contract.apps import failures

guard = failures.guard()
application = Flask("contract")
CORS(application, origins=[failures.allowed_origin, "https://other.example"])  # several: then it sends Vary: Origin


@application.before_request
def before() -> None:
    if request.path == "/mw":
        failures.boom()


@application.after_request
def after(response: Response) -> Response:
    if request.path == "/mwafter" and response.status_code == 200:
        failures.boom()
    return response


class Own(Exception):
    pass


@application.errorhandler(Own)
def failing_handler(exc: Own) -> Response:
    raise RuntimeError("the error handler fails too")


@application.get("/ok")
def ok() -> str:
    return "ok"


@application.route("/boom", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def boom() -> str:
    failures.boom(request.args.get("m", ""))
    return ""


@application.get("/mw")
@application.get("/mwafter")
def hooked() -> str:
    return "ok"


@application.get("/handler")
def handler() -> str:
    raise Own


@application.get("/none")
def none() -> None:
    return None


@application.get("/badtype")
def bad_type() -> object:
    return object()


@application.get("/badjson")
def bad_json() -> Response:
    return jsonify(object())


@application.get("/badheader")
def bad_header() -> Response:
    return Response("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


@application.get("/nul")
def nul() -> Response:
    return Response("never", headers={"X-Name": "a\0b"})


@application.get("/sets")
def sets() -> Response:
    response = Response(failures.broken_after(0), headers=failures.sets_headers)
    response.set_cookie("a", "b")
    return response


@application.get("/stream<int:many>")
def stream(many: int) -> Response:
    return Response(failures.broken_after(many * 3), mimetype="text/csv")


@application.get("/sse")
def sse() -> Response:
    return Response(failures.broken_after(1, b"data: 1\n\n"), mimetype="text/event-stream")


@application.get("/background")
def background() -> Response:
    response = Response("ok")

    @response.call_on_close
    def fail() -> None:
        raise ValueError("background")

    return response


@application.get("/own")
def own() -> tuple[str, int]:
    return "own words", 503


@application.get("/own500")
def own500() -> None:
    abort(500, failures.own_words)


@application.get("/teapot")
def teapot() -> Response:
    response = Response("short and stout", 418, {"X-Own": "1", "ETag": '"t"'})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@application.post("/reads")
def reads() -> str:
    return str(len(request.get_data()))


@application.get("/events")
def events() -> Response:
    return Response(failures.events_later(), mimetype="text/event-stream")


@application.get("/waits")
def waits() -> str:
    time.sleep(0.4)
    return "waited"


@application.get("/slow")
def slow() -> Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            time.sleep(0.01)

    return Response(chunks())


for path, fail in failures.by_path.items():
    if path != "/boom":
        application.add_url_rule(path, path, fail, methods=["GET", "POST"])

guard.flask(application)
