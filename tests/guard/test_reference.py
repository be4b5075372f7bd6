"""The reference page of the Guard names what there is; what helps tests does what it says."""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from fivehundred import Guard
from fivehundred.guard import testing
from fivehundred.guard.testing import Sink, reported, set_active

page = (Path(__file__).parents[2] / "docs/reference/guard.md").read_text()


@pytest.mark.parametrize("name", list(inspect.signature(Guard).parameters))
def test_every_option_has_its_row(name: str) -> None:
    assert f"| `{name}` |" in page


@pytest.mark.parametrize("name", [n for n, m in vars(Guard).items() if inspect.isfunction(m) and n[0] != "_"])
def test_every_method_has_its_row(name: str) -> None:
    assert re.search(rf"`{name}\(", page)


@pytest.mark.parametrize("name", ["reported", "set_active", "Sink"])
def test_every_help_for_tests_has_its_row(name: str) -> None:
    assert hasattr(testing, name)
    assert re.search(rf"\| `{name}\(", page)


def failing(environ: Any, start: Any) -> list[bytes]:
    raise LookupError("on purpose")


def test_a_silenced_guard_answers_and_tells_nobody(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard("", mode="testing")
    app = guard.wsgi(failing)
    seen: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http"}
    set_active(guard, False)
    with reported(guard) as events:
        list(app(dict(environ), lambda s, h, e=None: seen.append((s, dict(h)))))
    assert (events, caplog.records) == ([], [])
    assert seen[0][0].startswith("500 ")
    assert len(seen[0][1]["Error-Reference"]) == 32
    set_active(guard, True)
    with reported(guard) as events:
        list(app(dict(environ), lambda s, h, e=None: seen.append((s, dict(h)))))
    assert len(events) == 1


def test_a_sink_refuses_what_is_larger_than_it_is_told_to_take(tmp_path: Path) -> None:
    with Sink() as sink:
        sink.bytes_max = 1
        guard = Guard(sink.dsn, spool=tmp_path)
        guard.capture(LookupError())
        guard.flush(5)
        guard.close()
        assert sink.requests > 0
        assert not sink.events


def test_a_handled_error_inside_of_a_request_carries_the_request() -> None:
    guard = Guard("", mode="testing")

    def app(environ: Any, start: Any) -> list[bytes]:
        guard.capture(LookupError("handled"))
        start("200 OK", [])
        return [b"ok"]

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/cart", "QUERY_STRING": "q=1", "SERVER_PROTOCOL": "HTTP/1.1"}
    with reported(guard) as events:
        list(guard.wsgi(app)({**environ, "wsgi.url_scheme": "http"}, lambda s, h, e=None: None))
    assert [e.request.url.partition("://")[2].partition("/")[2] for e in events if e.request] == ["cart"]


def test_a_websocket_is_in_flight_until_it_ends() -> None:
    guard = Guard("", mode="testing")
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        seen.append(guard.flights.now)

    async def nothing(message: Any = None) -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/chat", "headers": []}
    asyncio.run(guard.asgi(app)(scope, nothing, nothing))
    assert (seen, guard.flights.now) == ([1], 0)


def test_a_stream_that_nobody_closes_gives_its_place_back() -> None:
    """WSGI servers must call close(); one that does not, and drops the body, must not use up the places."""
    guard = Guard("", mode="testing")

    def app(environ: Any, start: Any) -> Any:
        start("200 OK", [])
        return (b"x" for _ in range(3))

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http"}
    body = iter(guard.wsgi(app)(environ, lambda s, h, e=None: None))
    assert next(body) == b"x"
    assert guard.flights.now == 1
    del body
    gc.collect()
    assert guard.flights.now == 0
