"""Name servers that do not answer, HTTP/2, trio, and callables of every kind: each for real."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import pytest
import requests
import trio
from tests.client.conftest import Caller, Server, hang, problem, reply

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests
from fivehundred.client import CallFailed, DeadlineExceeded, Policy, ServerError, deadline, retrying, time_left
from fivehundred.client.connecting import ConnectTookTooLong, in_time

# ---- a name server that does not answer -----------------------------------------------------------


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own look-up, for one name as long as it takes when no name server answers."""
    usual = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        if host in ("deaf.test", b"deaf.test"):
            time.sleep(1.2)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return usual(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_a_name_that_is_not_found_out_costs_the_deadline_and_no_more(module: Any) -> None:
    with module.Client(policy=Policy(call_s=0.2, attempt_s=0.2)) as client:
        began = time.monotonic()
        with pytest.raises(CallFailed):
            client.get("http://deaf.test/")
        assert time.monotonic() - began < 0.9


@pytest.mark.usefixtures("deaf")
def test_with_requests_such_a_name_costs_no_more_either() -> None:
    session = ours_requests.Session(Policy(call_s=0.2, attempt_s=0.2))
    began = time.monotonic()
    with pytest.raises(CallFailed):
        session.get("http://deaf.test/")
    assert time.monotonic() - began < 0.9


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_an_asynchronous_call_of_such_a_name_ends_in_time(module: Any) -> None:
    async def run() -> float:
        async with module.AsyncClient(policy=Policy(call_s=0.2, attempt_s=0.2)) as client:
            began = time.monotonic()
            with pytest.raises(CallFailed):
                await client.get("http://deaf.test/")
            return time.monotonic() - began

    assert asyncio.run(run()) < 0.9


def test_a_name_is_connected_to_like_an_address(caller: Caller, server: Server) -> None:
    server.plays(reply())
    assert caller.call("GET", server.url.replace("127.0.0.1", "localhost")) == (200, b"ok")


def test_a_connection_that_comes_too_late_is_closed() -> None:
    closed = threading.Event()

    class Late:
        def close(self) -> None:
            closed.set()

    def connect() -> Late:
        time.sleep(0.1)
        return Late()

    with pytest.raises(ConnectTookTooLong, match=r"late\.test"):
        in_time("late.test", 0.02, connect)
    assert closed.wait(5)


# ---- HTTP/2 ---------------------------------------------------------------------------------------


class Two:
    """An application behind a server that speaks HTTP/2 in clear."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, float]] = []  # status, and the seconds before it
        self.seen: list[tuple[str, str]] = []  # version and attempt

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        self.seen.append((scope["http_version"], headers.get(b"fivehundred-attempt", b"").decode()))
        status, wait_s = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        await asyncio.sleep(wait_s)
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-request-id", b"r-1234567")]})
        await send({"type": "http.response.body", "body": b"two"})


@pytest.fixture
def two() -> Iterator[tuple[str, Two]]:
    app, up, stop = Two(), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = hypercorn.config.Config()
        config.graceful_timeout = 0.1
        config.bind = [f"fd://{os.dup(listener.fileno())}"]

        async def serve() -> None:
            loops.append(asyncio.get_running_loop())
            up.set()
            await hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait)

        thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        thread.start()
        up.wait(5)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(5)


http2: dict[str, Any] = {"http1": False, "http2": True}


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_over_http2_a_500_is_tried_again(module: Any, two: tuple[str, Two]) -> None:
    url, app = two
    app.steps = [(500, 0), (200, 0)]
    with module.Client(**http2) as client:
        answer = client.get(url)
    assert (answer.status_code, answer.http_version, answer.content) == (200, "HTTP/2", b"two")
    assert app.seen == [("2", "1"), ("2", "2")]


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_over_http2_a_final_500_has_its_reference(module: Any, two: tuple[str, Two]) -> None:
    url, app = two
    app.steps = [(500, 0)]
    with module.Client(**http2) as client, pytest.raises(ServerError) as raised:
        client.post(url, content=b"order")
    assert (raised.value.reference, len(app.seen)) == ("r-1234567", 1)


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_over_http2_a_call_ends_at_its_deadline_and_the_next_one_works(module: Any, two: tuple[str, Two]) -> None:
    url, app = two
    app.steps = [(200, 2.0), (200, 0)]
    with module.Client(**http2) as client:
        began = time.monotonic()
        with deadline(0.3), pytest.raises(DeadlineExceeded):
            client.get(url)
        assert time.monotonic() - began < 0.9
        assert client.get(url).content == b"two"


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_over_http2_calls_of_one_connection_do_not_harm_each_other(module: Any, two: tuple[str, Two]) -> None:
    url, app = two
    app.steps = [(200, 0.05)]

    async def run() -> list[int]:
        async with module.AsyncClient(**http2) as client:
            return [answer.status_code for answer in await asyncio.gather(*(client.get(url) for _ in range(20)))]

    assert asyncio.run(run()) == [200] * 20
    assert {version for version, _ in app.seen} == {"2"}


# ---- trio -----------------------------------------------------------------------------------------


async def get(module: Any, url: str, **options: Any) -> Any:
    async with module.AsyncClient(**options) as client:
        return await client.get(url)


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_on_trio_a_500_is_tried_again_after_a_wait(module: Any, server: Server) -> None:
    server.plays(problem(500), reply())
    assert trio.run(get, module, server.url).content == b"ok"
    assert len(server.seen) == 2


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_on_trio_a_silent_server_costs_the_deadline(module: Any, server: Server) -> None:
    server.plays(hang(3))
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        trio.run(functools.partial(get, module, server.url, policy=Policy(call_s=0.2, attempt_s=0.2)))
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_on_trio_a_strangers_transport_is_bounded_by_a_timer(module: Any, server: Server) -> None:
    class Strange(module.Transport.library.module.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            await trio.sleep(3)

    policy = Policy(call_s=0.2, attempt_s=0.2)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        trio.run(functools.partial(get, module, server.url, transport=module.AsyncTransport(Strange(), policy)))
    assert time.monotonic() - began < 0.9


# ---- any callable ---------------------------------------------------------------------------------


class Publishing:
    """Fails once, in each of the forms that a callable has."""

    def __init__(self) -> None:
        self.calls = 0

    def blocking(self, answer: str) -> str:
        self.calls += 1
        if self.calls == 1:
            raise ConnectionResetError("gone")
        return answer

    async def asynchronous(self, answer: str) -> str:
        return self.blocking(answer)

    async def __call__(self, answer: str) -> str:
        return self.blocking(answer)


def forms(one: Publishing) -> dict[str, Any]:
    return {
        "method": one.blocking,
        "partial": functools.partial(one.blocking, "sent"),
        "coroutine": one.asynchronous,
        "partial of a coroutine": functools.partial(one.asynchronous, "sent"),
        "object": one,
        "lambda": lambda answer: one.asynchronous(answer),
    }


@pytest.mark.parametrize("form", forms(Publishing()))
def test_a_callable_of_any_form_is_retried(form: str) -> None:
    one = Publishing()
    call: Any = retrying("queue")(forms(one)[form])
    result: Any = call() if "partial" in form else call("sent")
    assert (result if isinstance(result, str) else asyncio.run(wait_for(result))) == "sent"
    assert one.calls == 2


async def wait_for(result: Awaitable[str]) -> str:
    return await result


def test_a_coroutine_is_retried_on_trio_and_its_attempt_ends_in_time() -> None:
    calls: list[int] = []

    @retrying("slow", policy=Policy(attempt_s=0.05, call_s=5))
    async def slow() -> str:
        calls.append(1)
        await trio.sleep(2 if len(calls) == 1 else 0)
        return "done"

    assert trio.run(slow) == "done"
    assert len(calls) == 2


def test_a_blocking_function_is_told_what_time_is_left() -> None:
    left: list[float | None] = []

    @retrying("told", policy=Policy(attempt_s=2, call_s=5))
    def told() -> None:
        left.append(time_left())

    told()
    assert left[0] is not None
    assert 1.9 < left[0] <= 2
    assert time_left() is None


def test_calls_inside_a_blocking_function_end_with_its_attempt(server: Server) -> None:
    server.plays(hang(3), reply())

    @retrying("rates", policy=Policy(attempt_s=0.2, call_s=5))
    def rates() -> bytes:
        with contextlib.closing(ours_requests.Session()) as session:
            return session.get(server.url).content

    began = time.monotonic()
    assert rates() == b"ok"
    assert time.monotonic() - began < 1.5
    assert len(server.seen) == 2


# ---- ours beneath ours ----------------------------------------------------------------------------


@pytest.mark.parametrize("module", [ours_httpx, ours_httpx2])
def test_a_transport_of_ours_around_another_retries_once_and_raises_what_is_beneath(
    module: Any, server: Server
) -> None:
    server.earn()
    server.plays(problem(503))
    transport = module.Transport(module.Transport(), Policy(attempts_max=3))
    with module.Client(transport=transport) as client, pytest.raises(module.Unavailable) as raised:
        client.get(server.url)
    assert raised.value.reference == "ab" * 16
    assert len(server.seen) == 3


def test_an_adapter_of_ours_around_another_does_so_as_well(server: Server) -> None:
    server.earn()
    server.plays(problem(503))
    session = requests.Session()
    session.mount("http://", ours_requests.Adapter(ours_requests.Adapter(), Policy(attempts_max=3)))
    with pytest.raises(ours_requests.Unavailable):
        session.get(server.url)
    assert len(server.seen) == 3
