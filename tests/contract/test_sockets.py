"""WebSockets over real sockets: HTTP 500 before one is accepted, close code 1011 with the reference after."""

from __future__ import annotations

import json
import time

import pytest
from tests.contract.conftest import Pair
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

frameworks = (
    "starlette+uvicorn", "fastapi+uvicorn", "litestar+uvicorn", "quart+hypercorn", "falcon-asgi+uvicorn", "aiohttp",
    "sanic", "tornado", "asgi+hypercorn",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _with_sockets(pair: Pair) -> None:
    if pair.name not in frameworks:
        pytest.skip("n/a: no WebSockets here, or they are tried under another server")


def opened(pair: Pair, path: str) -> ClientConnection:
    host, port = pair.address
    return connect(f"ws://{host}:{port}{path}", open_timeout=5, close_timeout=2, proxy=None)


def closed(connection: ClientConnection) -> ConnectionClosed:
    with pytest.raises(ConnectionClosed) as caught:
        connection.recv(timeout=5)
    return caught.value


def record_of(pair: Pair, reference: str) -> dict[str, str]:
    (line,) = pair.records_with(reference)
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_one_that_fails_when_it_is_open_is_closed_with_1011_and_the_reference(pair: Pair) -> None:
    frame = closed(opened(pair, "/ws-after")).rcvd
    assert frame is not None
    assert frame.code == 1011
    assert len(frame.reason) == 32, frame.reason
    record = record_of(pair, frame.reason)
    assert record["level"] == "ERROR"
    assert "failures.py" in record["traceback"]


def test_the_failure_is_logged_once(pair: Pair) -> None:
    before = pair.log().count("failures.py")
    reference = closed(opened(pair, "/ws-after")).rcvd
    assert reference is not None
    pair.records_with(reference.reason)
    time.sleep(0.1)
    assert pair.log().count("failures.py") == before + 1, pair.log()[-3000:]


def test_one_that_fails_before_it_is_open_is_answered_with_an_error_of_the_server(pair: Pair) -> None:
    if pair.name == "sanic":
        pytest.skip("n/a: Sanic opens it before the application is asked")
    with pytest.raises(InvalidStatus) as caught:
        opened(pair, "/ws-before")
    reply = caught.value.response
    # a server without ASGI's extension for such answers makes its own: 403 by the specification
    assert reply.status_code in (500, 403)
    text = f"{reply.headers}{(reply.body or b'').decode()}"
    assert "hunter2" not in text
    if reply.status_code == 500:
        assert reply.headers["Error-Reference"] in text
        assert record_of(pair, reply.headers["Error-Reference"])


def test_the_server_goes_on(pair: Pair) -> None:
    closed(opened(pair, "/ws-after"))
    assert pair.get("/ok").status == 200


def test_sys_exit_in_one_does_not_end_the_server(pair: Pair) -> None:
    if pair.name != "sanic":
        pytest.skip("n/a: the others take the way of any exception")
    frame = closed(opened(pair, "/ws-exit")).rcvd
    assert frame is not None
    assert (frame.code, len(frame.reason)) == (1011, 32)
    assert pair.process.poll() is None


def test_tornados_failure_over_a_message_is_told_as_well(pair: Pair) -> None:
    if pair.name != "tornado":
        pytest.skip("n/a: only Tornado has a method for messages")
    connection = opened(pair, "/ws-later")
    connection.send("hello")
    frame = closed(connection).rcvd
    assert frame is not None
    assert (frame.code, len(frame.reason)) == (1011, 32)
