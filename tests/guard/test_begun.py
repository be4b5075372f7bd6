"""A response that a handler of aiohttp begins itself: it breaks, and is told with the status it had."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from fivehundred import Guard
from fivehundred.guard.testing import reported


async def _broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=206)
    await response.prepare(request)
    await response.write(b"id,name\n")
    raise ValueError("the stream broke")


async def _ask(guard: Guard, headers: dict[str, str]) -> bytes:
    app = web.Application()
    app.router.add_get("/export/{name}", _broken)
    guard.aiohttp(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    lines = ["GET /export/users HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    found = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await runner.cleanup()
    return found


@pytest.fixture
def guard() -> Guard:
    return Guard("", mode="testing", deadline=True)


def test_what_had_begun_is_broken_and_told_with_its_status_and_route(guard: Guard) -> None:
    with reported(guard) as events:
        reply = asyncio.run(_ask(guard, {}))
    assert reply.startswith(b"HTTP/1.1 206")
    assert b"0\r\n\r\n" not in reply
    assert [(e.exceptions[-1].type, e.ours["status"], e.transaction) for e in events] == [
        ("ValueError", 206, "GET /export/{name}")
    ]


def test_work_for_a_caller_that_has_gone_is_not_begun(guard: Guard) -> None:
    reply = asyncio.run(_ask(guard, {"Fivehundred-Deadline": "0", "Connection": "close"}))
    assert reply.startswith(b"HTTP/1.1 504")
