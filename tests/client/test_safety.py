"""Many threads, forks in the middle, calls that are cancelled: nothing is lost, stuck, mixed up or counted twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.client.conftest import Seen, Server, Step, drip, hang, problem, reply

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests
from fivehundred import limits
from fivehundred.client import NotSent, ServerError
from fivehundred.client.origin import Origin, origin
from fivehundred.client.scope import scope, time_left
from fivehundred.client.sockets import until

modules: list[Any] = [ours_httpx, ours_httpx2]
adapters: list[Any] = [ours_requests, *modules]
name_of = lambda module: str(module.__name__.rpartition(".")[2])  # noqa: E731


def client(module: Any) -> Any:
    return module.Session() if module is ours_requests else module.Client(timeout=None)


def echo(server: Server, failing: int) -> None:
    """Each path is answered with itself; of the first attempts, every so many is answered 500."""
    lock, counted = threading.Lock(), iter(range(1, 10_000))

    def answer(request: Seen) -> Step:
        if request.headers.get("fivehundred-attempt") == "1":
            with lock:
                number = next(counted)
            if number % failing == 0:
                return problem(500)
        return reply(200, request.path.encode())

    server.answers = answer


# ---- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", adapters, ids=name_of)
def test_fifty_threads_share_a_client_and_each_gets_its_own_answer(module: Any, server: Server) -> None:
    server.earn(500)
    echo(server, failing=20)
    paths = [f"/{number}" for number in range(300)]
    with client(module) as session, ThreadPoolExecutor(50) as pool:
        assert list(pool.map(lambda path: session.get(server.url + path).text, paths)) == paths
    assert len(server.seen) == 300 + 15  # of 300 attempts one in twenty failed, and was made again
    assert origin(server.url).successes(time.monotonic()) >= 300


def test_no_thread_spends_what_another_has_spent() -> None:
    one = Origin("x")
    for _ in range(102):
        one.succeeded(1.0)
    with ThreadPoolExecutor(50) as pool:
        taken = list(pool.map(lambda _: one.take(1.0, 1.0), range(200)))
    assert sum(taken) == 20


def test_of_many_threads_one_probes_an_open_breaker() -> None:
    one = Origin("x")
    for _ in range(10):
        one.failed(1.0, 0, overload=True)
    with ThreadPoolExecutor(50) as pool:
        tickets = list(pool.map(lambda _: one.admit(1.0 + limits.breaker_open_s), range(200)))
    assert len([ticket for ticket in tickets if ticket is not None]) == 1


# ---- forks ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def busy(server: Server) -> Iterator[None]:
    """Threads that call all the time, so that locks are held when the process forks."""
    stop = threading.Event()

    def work() -> None:
        with ours_requests.Session() as session:
            while not stop.is_set():
                session.get(server.url + "/parent")
                origin(server.url).take(time.monotonic(), 0.001)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("module", adapters, ids=name_of)
def test_a_child_that_is_forked_amid_calls_makes_its_own(module: Any, server: Server) -> None:
    echo(server, failing=10_000)
    with busy(server):
        for _ in range(5):
            child = os.fork()
            if child == 0:
                with client(module) as session:
                    answers = [session.get(f"{server.url}/child").text for _ in range(3)]
                os._exit(0 if answers == ["/child"] * 3 and origin(server.url).successes(time.monotonic()) == 3 else 1)
            assert ended(child) == 0


def ended(child: int) -> int:
    """A child that hangs is killed, and has not ended well."""
    for _ in range(1000):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# ---- calls that are given up ----------------------------------------------------------------------

moments: dict[str, Step] = {
    "before the head": hang(5),
    "within the body": drip(200, b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n", b"x" * 100, 0.05),
    "while it waits to try again": problem(503, Retry_After="5"),
}


@pytest.mark.parametrize("moment", moments)
@pytest.mark.parametrize("module", modules, ids=name_of)
def test_a_cancelled_call_leaves_connection_budget_and_context_as_they_were(
    module: Any, server: Server, moment: str
) -> None:
    server.earn(10)
    server.plays(moments[moment], reply())
    one_connection = module.Transport.library.module.Limits(max_connections=1)

    async def run() -> None:
        async with module.AsyncClient(limits=one_connection) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await session.get(server.url)
            assert (scope.get().retried, time_left(), until.get()) == (False, None, float("inf"))
            assert (await session.get(server.url)).content == b"ok"

    before = origin(server.url)._budget.tokens
    asyncio.run(run())
    origin(server.url).successes(time.monotonic())
    assert origin(server.url)._budget.tokens >= before


def test_a_cancelled_probe_makes_room_for_another(server: Server) -> None:
    one = origin(server.url)
    for _ in range(10):
        one.failed(time.monotonic() - limits.breaker_open_s, 0, overload=True)
    server.plays(hang(5), reply())

    async def run() -> bytes:
        async with ours_httpx.AsyncClient() as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await session.get(server.url)
            return (await session.get(server.url)).content

    assert asyncio.run(run()) == b"ok"


def test_an_interrupt_while_a_call_waits_gives_back_what_was_paid(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    server.plays(problem(500))
    monkeypatch.setattr("fivehundred.client.exchange.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ours_requests.Session().get(server.url)
    monkeypatch.undo()
    assert origin(server.url).take(time.monotonic(), limits.budget_start)


def test_hundreds_of_tasks_at_once_all_come_back(server: Server) -> None:
    echo(server, failing=10_000)

    async def run() -> list[str]:
        async with ours_httpx2.AsyncClient(timeout=None) as session:
            answers = await asyncio.gather(*(session.get(f"{server.url}/{number}") for number in range(200)))
            return [answer.text for answer in answers]

    assert asyncio.run(run()) == [f"/{number}" for number in range(200)]


@pytest.mark.parametrize("module", adapters, ids=name_of)
def test_threads_that_fail_together_each_get_an_error_of_their_own(module: Any, server: Server) -> None:
    server.answers = lambda request: problem(500, "false", X_Path=request.path)

    def fail(path: str) -> str:
        with pytest.raises((ServerError, NotSent)) as raised:
            session.get(server.url + path)
        return str(raised.value.response.headers["x-path"])

    paths = [f"/{number}" for number in range(60)]
    with client(module) as session, ThreadPoolExecutor(30) as pool:
        assert list(pool.map(fail, paths)) == paths
