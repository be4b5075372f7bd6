"""A call ends at its deadline and a tenth of it at most, wherever the server or the way to it is slow.

``bench/client_deadline.py`` measures the same, and prints how near to the deadline each adapter ends.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.client.conftest import Caller, Server, ends_in_time, hang, problem, reply

from fivehundred.client import CallFailed, Policy

short_s = 0.2
short = Policy(call_s=short_s, attempt_s=short_s)


@contextlib.contextmanager
def listening(backlog: int = 128) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield listener


def url(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"


def test_where_there_is_no_place_to_connect(caller: Caller) -> None:
    with listening(backlog=0) as listener, contextlib.ExitStack() as stack:
        for _ in range(4):  # these are all that the system keeps for it; what else comes gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        time.sleep(0.05)
        ends_in_time(lambda: caller.call("GET", url(listener), policy=short), short_s)


def test_where_nobody_answers_the_tls_handshake(caller: Caller) -> None:
    with listening() as listener:
        ends_in_time(lambda: caller.call("GET", url(listener, "https"), policy=short), short_s)


def test_where_nobody_reads_the_upload(caller: Caller) -> None:
    with listening() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = bytes(8 << 20)
        ends_in_time(lambda: caller.call("PUT", url(listener), body=body, policy=short), short_s)


def test_where_chunks_never_end(caller: Caller, server: Server) -> None:
    def endless(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"1000\r\n" + bytes(0x1000) + b"\r\n")
            time.sleep(0.005)
        return False

    server.plays(endless)
    ends_in_time(lambda: caller.call("GET", server.url, policy=short), short_s)


def test_where_each_attempt_is_asked_to_wait(caller: Caller, server: Server) -> None:
    server.plays(problem(503, "true", Retry_After="0.1"))

    def call() -> object:
        server.earn()
        return caller.call("GET", server.url, policy=short)

    ends_in_time(call, short_s)


def test_where_redirects_are_slow(library: Caller, server: Server) -> None:
    def slow_hop(connection: socket.socket) -> bool:
        time.sleep(0.1)
        return reply(302, b"", Location="/again")(connection)

    server.plays(slow_hop)
    follow = {} if library.name == "requests" else {"follow_redirects": True}
    ends_in_time(lambda: library.call("GET", server.url, policy=short, **follow), short_s)


def test_where_attempts_time_out_one_after_the_other(caller: Caller, server: Server) -> None:
    server.plays(hang(5))

    def call() -> object:
        server.earn()
        return caller.call("GET", server.url, policy=Policy(call_s=short_s, attempt_s=0.1))

    ends_in_time(call, short_s)


def test_where_a_proxy_says_nothing(library: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as listener:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url(listener))
        for scheme in ("http", "https"):
            ends_in_time(lambda: library.call("GET", f"{scheme}://example.test/", policy=short), short_s)  # noqa: B023


def test_a_hundred_threads_at_once_all_come_back(caller: Caller, server: Server) -> None:
    """How near to the deadline a hundred are depends on the machine; that none is kept does not."""
    server.plays(hang(8))

    def call(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(CallFailed):
            caller.call("GET", server.url, policy=short)
        return time.monotonic() - began

    with ThreadPoolExecutor(100) as pool:
        took = sorted(pool.map(call, range(100)))
    assert took[-1] < 5
