#!/usr/bin/env python3
"""How far past its deadline a call of the Client lasts, whatever the server does: the worst of several tries, for each
adapter and each way to be slow. Everything is real but the name server: sockets, TLS, proxies, HTTP/2, threads.

    bench/client_deadline.py [--tries 3] [--deadline 1.0] [--only httpx] [--json FILE]

A ratio of 1.00 is a call that ended exactly at its deadline; the aim is at most 1.10. A machine that is busy with
something else shows up here as well: the last column is the wait that a plain sleep of the same length overslept.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypercorn.asyncio
import hypercorn.config

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests
from fivehundred.client import CallFailed, Policy
from fivehundred.client.origin import forget_all, origin
from fivehundred.client.plain import Sending, fetch

Handler = Callable[[socket.socket], None]
tls = ssl.create_default_context()  # reading the certificates is no part of a call
ok_head = b"HTTP/1.1 200 X\r\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds")
    parser.add_argument("--only", default="", help="adapters whose name begins with this")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    args = parser.parse_args()
    adapters = {name: call for name, call in callers().items() if name.startswith(args.only)}
    found: dict[str, dict[str, float]] = {}
    logging.disable()
    print(f"{'ratio to the deadline':28}" + "".join(f"{name:>14}" for name in adapters) + f"{'a sleep':>10}")
    for name, slow in ways().items():
        found[name] = {}
        with slow() as way:
            for adapter, call in adapters.items():
                if adapter not in way.not_for:
                    ratio(call, replace(way, threads=1), 0.05)  # what is loaded and read once
                    found[name][adapter] = max(ratio(call, way, args.deadline) for _ in range(args.tries))
        began = time.monotonic()
        time.sleep(args.deadline)
        slept = (time.monotonic() - began) / args.deadline
        row = "".join(f"{found[name][each]:14.3f}" if each in found[name] else f"{'-':>14}" for each in adapters)
        print(f"{name:28}{row}{slept:10.3f}", flush=True)
    print(f"the worst: {max(value for row in found.values() for value in row.values()):.3f}")
    if args.json:
        Path(args.json).write_text(json.dumps(found))
    return 0


# ---- the calls ------------------------------------------------------------------------------------


@dataclass
class Way:
    """One way to be slow."""

    url: str
    body: bytes | None = None
    proxy: str = ""
    http2: bool = False
    threads: int = 1
    not_for: tuple[str, ...] = ()


Call = Callable[[Way, Policy], None]


def callers() -> dict[str, Call]:
    return {
        "requests": by_requests,
        "httpx": lambda way, policy: by_httpx(ours_httpx, way, policy),
        "httpx2": lambda way, policy: by_httpx(ours_httpx2, way, policy),
        "httpx async": lambda way, policy: asyncio.run(by_async(ours_httpx, way, policy)),
        "httpx2 async": lambda way, policy: asyncio.run(by_async(ours_httpx2, way, policy)),
        "plain": by_plain,
    }


def ratio(call: Call, way: Way, deadline_s: float) -> float:
    """The longest of the threads' calls. Many successes have gone before, so that there are retries to spend."""
    forget_all()
    for _ in range(60):
        origin(way.url.rpartition("/")[0]).succeeded(time.monotonic())
    policy = Policy(call_s=deadline_s, attempt_s=0.4 * deadline_s)
    took: list[float] = []

    def one() -> None:
        began = time.monotonic()
        with contextlib.suppress(CallFailed):
            call(way, policy)
        took.append((time.monotonic() - began) / deadline_s)

    threads = [threading.Thread(target=one) for _ in range(way.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(took)


def by_requests(way: Way, policy: Policy) -> None:
    with ours_requests.Session(policy) as session:
        session.trust_env = False
        proxies = {"http": way.proxy, "https": way.proxy} if way.proxy else {}
        session.request("PUT" if way.body else "GET", way.url, data=way.body, proxies=proxies, verify=False)


def options(way: Way, policy: Policy) -> dict[str, Any]:
    versions = {"http1": False, "http2": True} if way.http2 else {}
    more = {"proxy": way.proxy or None, "verify": tls, "follow_redirects": True, "trust_env": False}
    return {"policy": policy, "timeout": None, **more, **versions}


def by_httpx(module: Any, way: Way, policy: Policy) -> None:
    with module.Client(**options(way, policy)) as client:
        client.request("PUT" if way.body else "GET", way.url, content=way.body)


async def by_async(module: Any, way: Way, policy: Policy) -> None:
    async with module.AsyncClient(**options(way, policy)) as client:
        await client.request("PUT" if way.body else "GET", way.url, content=way.body)


def by_plain(way: Way, policy: Policy) -> None:
    fetch(Sending("PUT" if way.body else "GET", way.url, {}, way.body), policy)


# ---- the ways -------------------------------------------------------------------------------------


def ways() -> dict[str, Callable[[], contextlib.AbstractContextManager[Way]]]:
    no_proxy = ("plain",)
    return {
        "silent": lambda: serving(lambda connection: time.sleep(20)),
        "silent, 100 threads": lambda: serving(lambda connection: time.sleep(20), threads=100),
        "head drips": lambda: serving(lambda connection: drip(connection, ok_head + b"X-Slow: ", b"y")),
        "body drips": lambda: serving(
            lambda connection: drip(connection, ok_head + b"Content-Length: 999\r\n\r\n", b"x")
        ),
        "body of a 500 drips": lambda: serving(
            lambda connection: drip(connection, b"HTTP/1.1 500 X\r\nContent-Length: 999\r\n\r\n", b"x")
        ),
        "chunk size drips": lambda: serving(
            lambda connection: drip(connection, ok_head + b"Transfer-Encoding: chunked\r\n\r\n5;", b"z")
        ),
        "chunks without end": lambda: serving(endless),
        "an upload that nobody reads": lambda: serving(
            lambda connection: time.sleep(20), reads=False, body=bytes(1 << 26)
        ),
        "no place to connect": full_backlog,
        "no TLS handshake": lambda: serving(lambda connection: time.sleep(20), scheme="https"),
        "no answer of a name server": slow_name,
        "slow redirects without end": lambda: serving(redirect, not_for=no_proxy),
        "503, Retry-After 0.3": lambda: serving(unavailable),
        "a silent proxy": lambda: proxied("http://example.test/x", not_for=no_proxy),
        "a silent tunnel": lambda: proxied("https://example.test/x", not_for=no_proxy),
        "HTTP/2, silent": http2,
    }


@contextlib.contextmanager
def serving(handler: Handler, scheme: str = "http", reads: bool = True, **more: Any) -> Iterator[Way]:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        if not reads:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        threading.Thread(target=accept, args=(listener, handler, reads), daemon=True).start()
        yield Way(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/x", **more)
        listener.shutdown(socket.SHUT_RDWR)


def accept(listener: socket.socket, handler: Handler, reads: bool) -> None:
    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if reads:
                connection.recv(65536)
            handler(connection)

    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


def drip(connection: socket.socket, head: bytes, byte: bytes) -> None:
    connection.sendall(head)
    for _ in range(400):
        time.sleep(0.05)
        connection.sendall(byte)


def endless(connection: socket.socket) -> None:
    connection.sendall(ok_head + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(2000):
        connection.sendall(b"2000\r\n" + bytes(0x2000) + b"\r\n")
        time.sleep(0.01)


def redirect(connection: socket.socket) -> None:
    time.sleep(0.3)
    connection.sendall(b"HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def unavailable(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 503 X\r\nRetry-After: 0.3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextlib.contextmanager
def full_backlog() -> Iterator[Way]:
    """The system keeps as many connections as were asked for and drops what else would come."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        address = listener.getsockname()
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        time.sleep(0.2)
        yield Way(f"http://127.0.0.1:{address[1]}/x")


@contextlib.contextmanager
def slow_name() -> Iterator[Way]:
    """The one thing that is not real: no name server on this machine can be made to be silent."""
    usual = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **named: Any) -> Any:
        if host in ("silent.test", b"silent.test"):
            time.sleep(1.5)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return usual(host, *args, **named)

    socket.getaddrinfo = getaddrinfo
    try:
        yield Way("http://silent.test/x", not_for=("httpx async", "httpx2 async"))  # asyncio.run waits for its threads
    finally:
        socket.getaddrinfo = usual


@contextlib.contextmanager
def proxied(url: str, not_for: tuple[str, ...]) -> Iterator[Way]:
    with serving(lambda connection: time.sleep(20)) as proxy:
        yield Way(url, proxy=proxy.url.rpartition("/")[0], not_for=not_for)


@contextlib.contextmanager
def http2() -> Iterator[Way]:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(20)

    async def serve(stop: asyncio.Event, config: hypercorn.config.Config) -> None:
        loops.append(asyncio.get_running_loop())
        await hypercorn.asyncio.serve(silent, config, shutdown_trigger=stop.wait)

    loops: list[asyncio.AbstractEventLoop] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = hypercorn.config.Config()
        config.graceful_timeout, config.loglevel = 0.1, "ERROR"
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        stop = asyncio.Event()
        thread = threading.Thread(target=asyncio.run, args=(serve(stop, config),), daemon=True)
        thread.start()
        time.sleep(0.5)
        yield Way(f"http://127.0.0.1:{listener.getsockname()[1]}/x", http2=True, not_for=("requests", "plain"))
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(5)


if __name__ == "__main__":
    sys.exit(main())
