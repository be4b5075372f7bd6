"""The adapters where the contract over sockets does not look: own answers, two guards, sockets, signals, tests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from flask import Flask, request
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from fivehundred import Guard


def quiet_guard() -> Guard:
    return Guard("", mode="testing")


def call(app: Callable[..., Iterable[bytes]]) -> tuple[str, dict[str, str], bytes]:
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
    started: list[Any] = []
    body = app(environ, lambda *start: started.append(start))
    return started[-1][0], dict(started[-1][1]), b"".join(body)


def failing(environ: Any, start: Any) -> Iterable[bytes]:
    raise ValueError("once")


def test_a_second_guard_inside_does_nothing() -> None:
    guard = quiet_guard()
    status, headers, _ = call(guard.wsgi(guard.wsgi(failing)))
    assert status == "500 Internal Server Error"
    assert [event.event_id for event in guard.events] == [headers["Error-Reference"]]


def test_an_exit_that_a_signal_asked_for_ends_the_process() -> None:
    def leave(*_: object) -> None:
        raise SystemExit(0)

    def app(environ: Any, start: Any) -> Iterable[bytes]:
        signal.raise_signal(signal.SIGTERM)
        return []

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit):
            call(quiet_guard().wsgi(app))
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_interrupt_is_not_answered() -> None:
    def app(environ: Any, start: Any) -> Iterable[bytes]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(quiet_guard().wsgi(app))


def flask_app(guard: Guard) -> Flask:
    app = Flask("own")
    app.add_url_rule("/divide/<int:by>", view_func=lambda by: str(1 // by), endpoint="divide")
    return guard.flask(app)  # type: ignore[no-any-return]


def test_flasks_own_handler_keeps_its_answer_and_gets_the_reference() -> None:
    guard = quiet_guard()
    app = flask_app(guard)
    app.register_error_handler(500, lambda _: ("own words", 500))
    reply = app.test_client().get("/divide/0")
    assert reply.text == "own words"
    assert reply.headers["Error-Reference"] == guard.events[-1].event_id
    assert guard.events[-1].exceptions[-1].type == "ZeroDivisionError"


def test_a_flask_handler_for_any_exception_is_reported_when_it_answers_5xx() -> None:
    guard = quiet_guard()
    app = flask_app(guard)
    app.register_error_handler(Exception, lambda _: ({"own": True}, 503))
    assert app.test_client().get("/divide/0").json == {"own": True}
    assert guard.events[-1].ours["route"] == "/divide/<int:by>"


def test_a_flask_application_under_test_gets_its_exceptions() -> None:
    app = flask_app(quiet_guard())
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/divide/0")


def fastapi_app(guard: Guard) -> FastAPI:
    app = FastAPI()

    @app.get("/divide/{by}")
    async def divide(by: int) -> int:
        return 1 // by

    @app.get("/busy")
    async def busy() -> None:
        raise HTTPException(503, "own words")

    @app.websocket("/before")
    async def before(socket: WebSocket) -> None:
        raise ValueError("before")

    @app.websocket("/after")
    async def after(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("after")

    return guard.fastapi(app)  # type: ignore[no-any-return]


def test_starlettes_own_handler_keeps_its_answer_and_gets_the_reference() -> None:
    guard = quiet_guard()
    app = fastapi_app(guard)

    async def own(request: Request, exc: Exception) -> JSONResponse:
        return JSONResponse({"own": True}, 500)

    app.add_exception_handler(Exception, own)
    reply = TestClient(app).get("/divide/0")
    assert reply.json() == {"own": True}
    assert reply.headers["Error-Reference"] == guard.events[-1].event_id
    assert guard.events[-1].ours["route"] == "/divide/{by}"


def test_an_http_exception_of_the_application_stays_and_is_reported_with_its_traceback() -> None:
    guard = quiet_guard()
    reply = TestClient(fastapi_app(guard)).get("/busy")
    assert (reply.status_code, reply.json()) == (503, {"detail": "own words"})
    assert reply.headers["Error-Reference"] == guard.events[-1].event_id
    assert guard.events[-1].exceptions[-1].frames[-1].function.endswith("busy")


def test_starlettes_debugger_is_replaced() -> None:
    app = fastapi_app(quiet_guard())
    app.debug = True
    reply = TestClient(app).get("/divide/0", headers={"Accept": "text/html"})
    assert "Traceback" not in reply.text
    assert reply.headers["Error-Reference"] in reply.text


def test_a_socket_that_fails_after_it_was_accepted_is_closed_with_the_reference() -> None:
    guard = quiet_guard()
    client = TestClient(fastapi_app(guard))
    with client.websocket_connect("/after") as socket, pytest.raises(WebSocketDisconnect) as caught:
        socket.receive_text()
    assert (caught.value.code, caught.value.reason) == (1011, guard.events[-1].event_id)


def test_a_socket_that_fails_before_it_is_accepted_is_answered_500() -> None:
    guard = quiet_guard()
    with pytest.raises(Exception) as caught, TestClient(fastapi_app(guard)).websocket_connect("/before"):
        pass
    assert getattr(caught.value, "status_code", 0) == 500
    assert len(guard.events) == 1


def test_a_body_that_flask_reads_into_its_own_buffer_is_reported() -> None:
    guard = quiet_guard()
    app = guard.flask(Flask("bodies"))

    def add_user() -> str:
        return str(request.get_json()["name"])

    app.add_url_rule("/add-user", view_func=add_user, methods=["POST"])
    app.test_client().post("/add-user", json={"username": "Alice"})
    found = guard.events[-1].request
    assert found is not None
    assert found.data == {"username": "Alice"}


def test_what_flask_logs_about_a_failure_is_no_breadcrumb_of_it_and_what_the_application_logs_is() -> None:
    guard = quiet_guard()
    app = guard.flask(Flask("crumbs"))

    def pay() -> str:
        try:
            raise ValueError("no money")
        except ValueError:
            app.logger.exception("could not charge")
            raise

    app.add_url_rule("/pay", view_func=pay)
    app.test_client().get("/pay")
    crumbs = guard.events[-1].breadcrumbs
    # Flask logs through the application's own logger; others of this process may have spoken meanwhile
    assert [crumb.message for crumb in crumbs if crumb.category == "crumbs"] == ["could not charge"]
