"""Senders as they are on the network: in pieces, slow, silent, broken, many. A real server on a free port."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn

from fivehundred import limits
from fivehundred.console.ingest.keys import KeyBook, Known
from fivehundred.console.ingest.route import Ingest
from fivehundred.console.protocol import BoundedProtocol
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter

key = "a1" * 16
body = b'{"event_id":"%s"}\n{"type":"event"}\n{"message":"x"}\n' % (b"c3" * 16)
head = b"POST /api/1/envelope/?sentry_key=%s HTTP/1.1\r\nHost: x\r\n" % key.encode()
whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[int]:
    async def keys() -> list[Known]:
        return [Known("1", key)]

    spool = SegmentWriter(folder)
    ingest = Ingest(spool, KeyBook(keys), frozenset(("envelope", "store")))
    config = uvicorn.Config(ingest, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
    config.timeout_graceful_shutdown = 1
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.startup([listener])
    task = asyncio.create_task(server.main_loop())
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        await server.shutdown([listener])
        await spool.close()


def run(folder: Path, check: Callable[[int], Awaitable[None]]) -> None:
    async def go() -> None:
        async with serving(folder) as port:
            await asyncio.wait_for(check(port), 30)

    asyncio.run(go())


async def ask(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Sends the pieces, then reads until the server has answered once or closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause_s)
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as e:
        return e.partial
    finally:
        writer.close()


def kept(folder: Path) -> list[bytes]:
    return [r.body for _, r in SegmentReader(folder).read("", records_max=10_000, bytes_max=1 << 30)]


def test_a_request_byte_by_byte_is_one_event(tmp_path: Path) -> None:
    async def check(port: int) -> None:
        answer = await ask(port, *(whole[i : i + 1] for i in range(len(whole))))
        assert answer.startswith(b"HTTP/1.1 200")

    run(tmp_path, check)
    assert kept(tmp_path) == [body]


def test_a_chunked_body_without_a_length_is_kept(tmp_path: Path) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\n%s\r\n" % body[:5]
    rest = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - 5, body[5:])

    async def check(port: int) -> None:
        assert (await ask(port, head + chunked, rest)).startswith(b"HTTP/1.1 200")

    run(tmp_path, check)
    assert kept(tmp_path) == [body]


def test_requests_in_a_row_on_one_connection_are_all_kept(tmp_path: Path) -> None:
    async def check(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole * 5)
        for _ in range(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readexactly(41)
        writer.close()

    run(tmp_path, check)
    assert kept(tmp_path) == [body] * 5


def test_a_body_that_stops_is_answered_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "body_seconds_max", 0.2)

    async def check(port: int) -> None:
        started = time.monotonic()
        assert (await ask(port, whole[:-5])).startswith(b"HTTP/1.1 408")
        assert (await ask(port, head + b"Content-Length: 100\r\n\r\n")).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < 10

    run(tmp_path, check)
    assert kept(tmp_path) == []


def test_a_head_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "header_seconds_max", 0.2)

    async def check(port: int) -> None:
        assert await ask(port, head) == b""
        assert await ask(port, b"") == b""  # a connection that says nothing

    run(tmp_path, check)


def test_a_head_without_bound_is_refused(tmp_path: Path) -> None:
    line = b"X-Padding: " + b"x" * 1_000 + b"\r\n"

    async def check(port: int) -> None:
        answer = await ask(port, head, *([line] * 33), pause_s=0.001)
        assert answer.startswith(b"HTTP/1.1 431")

    run(tmp_path, check)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"hello\r\n\r\n", b"\r\n\r\n\x00"]
)
def test_what_is_not_http_gets_400_or_nothing(tmp_path: Path, garbage: bytes) -> None:
    async def check(port: int) -> None:
        answer = await ask(port, garbage, b"\r\n\r\n")
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        assert (await ask(port, whole)).startswith(b"HTTP/1.1 200")

    run(tmp_path, check)


def test_a_sender_that_hangs_up_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    async def check(port: int) -> None:
        for length in (len(head), len(whole) - 20, len(whole) - 1):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(whole[:length])
            await writer.drain()
            writer.transport.abort()
        assert (await ask(port, whole)).startswith(b"HTTP/1.1 200")

    run(tmp_path, check)
    assert kept(tmp_path) == [body]


def test_a_sender_that_was_refused_early_can_finish_and_read_why(tmp_path: Path) -> None:
    size = limits.body_bytes_max + 1
    too_large = head + b"Content-Length: %d\r\n\r\n" % size

    async def check(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(too_large)
        for _ in range(0, size, 1 << 20):
            writer.write(bytes(min(1 << 20, size)))
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")
        writer.close()

    run(tmp_path, check)


def test_many_slow_senders_do_not_hold_up_a_healthy_one(tmp_path: Path) -> None:
    async def check(port: int) -> None:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in slow:
            writer.write(whole[:-5])
        started = time.monotonic()
        for _ in range(20):
            assert (await ask(port, whole)).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - started < 5
        for _, writer in slow:
            writer.write(whole[-5:])
        for reader, writer in slow:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()

    run(tmp_path, check)
    assert len(kept(tmp_path)) == 70
