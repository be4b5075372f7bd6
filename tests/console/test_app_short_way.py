"""The short way from socket to spool, in a real Console: it answers as the long way does and keeps the order."""

from __future__ import annotations

import gzip
import socket
import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.console.running import RunningConsole, an_event


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with RunningConsole(tmp_path_factory.mktemp("short") / "data") as console:
        yield console


def request(console: RunningConsole, event_id: str, *more: str) -> bytes:
    target = urlsplit(console.dsn)
    body = an_event(event_id)
    lines = [f"POST /api{target.path}/envelope/ HTTP/1.1", "Host: x", "Content-Encoding: gzip", *more]
    lines += [f"X-Sentry-Auth: Sentry sentry_key={target.username}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(console: RunningConsole, *pieces: bytes, answers: int) -> list[bytes]:
    target = urlsplit(console.dsn)
    with socket.create_connection((str(target.hostname), target.port or 0), 10) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        connection.settimeout(10)
        got = b""
        while got.count(b"HTTP/1.1 ") < answers or not got.endswith(b"}"):
            more = connection.recv(65_536)
            if not more:
                break
            got += more
    return [b"HTTP/1.1 " + answer for answer in got.split(b"HTTP/1.1 ")[1:]]


def lines_of(answer: bytes) -> set[bytes]:
    return {line for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n") if not line.startswith(b"date")}


def test_both_ways_answer_alike(console: RunningConsole) -> None:
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    (short,) = ask(console, request(console, first), answers=1)
    (long,) = ask(console, request(console, second, "X-Other: 1"), answers=1)
    assert lines_of(short) == lines_of(long)
    assert short.endswith(b'{"id":"%s"}' % first.encode())
    console.digested()
    assert console.get(f"/api/v1/events/{first}")[0] == console.get(f"/api/v1/events/{second}")[0] == 200


def test_pipelined_requests_are_answered_in_order_whichever_way_they_go(console: RunningConsole) -> None:
    ids = [uuid.uuid4().hex for _ in range(4)]
    requests = [request(console, e, *(["X-Other: 1"] if n % 2 else [])) for n, e in enumerate(ids)]
    answers = ask(console, requests[0], b"".join(requests[1:]), answers=4)
    assert [a[-34:-2].decode() for a in answers] == ids


def test_a_request_in_pieces_after_one_in_one_piece_is_taken(console: RunningConsole) -> None:
    ids = [uuid.uuid4().hex for _ in range(2)]
    cut = request(console, ids[1])
    answers = ask(console, request(console, ids[0]), cut[:50], cut[50:200], cut[200:], answers=2)
    assert [a[-34:-2].decode() for a in answers] == ids


def test_a_connection_that_falls_silent_after_an_answer_serves_pages_as_well(console: RunningConsole) -> None:
    event_id = uuid.uuid4().hex
    page = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answers = ask(console, request(console, event_id), page, answers=3)
    assert [a.split(b" ", 2)[1] for a in answers] == [b"200", b"200"]
    assert answers[1].endswith(b"ok\n")


def test_what_is_wrong_is_refused_as_on_the_long_way(console: RunningConsole) -> None:
    target = urlsplit(console.dsn)
    body = gzip.compress(b"[]\n")
    head = f"POST /api{target.path}/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
    key = f"X-Sentry-Auth: Sentry sentry_key={target.username}\r\nContent-Length: {len(body)}\r\n\r\n"
    (answer,) = ask(console, (head + key).encode() + body, answers=1)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"not a JSON object" in answer
