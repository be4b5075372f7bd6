#!/usr/bin/env python3
"""What the Client adds to a good call: bare library and ours take turns against one server, in one run.

Both sides ask the same local server over kept-alive connections in small alternating rounds, so that a busy machine
slows both alike. Printed are the medians of all calls and, as the overhead, the median of the rounds' differences.

    bench/client_overhead.py [--rounds 60] [--calls 50] [--cpu] [--only httpx] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import requests

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests

clock = time.thread_time if "--cpu" in sys.argv else time.perf_counter
Rounds = Callable[[int], list[float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=50, help="in one round of one side")
    parser.add_argument("--cpu", action="store_true", help="CPU time of the calling thread, not elapsed time")
    parser.add_argument("--only", default="", help="libraries whose name begins with this")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    args = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/rates?base=EUR"
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    try:
        chosen = {name: sides for name, sides in pairs(url).items() if name.startswith(args.only)}
        found = {name: measure(*sides, args.rounds, args.calls) for name, sides in chosen.items()}
    finally:
        server.terminate()
        server.join()
    print(f"{'library':14} {'bare us':>9} {'ours us':>9} {'overhead us':>12} {'undisturbed us':>15}")
    for name, (bare, ours, more, least) in found.items():
        print(f"{name:14} {bare:9.1f} {ours:9.1f} {more:12.1f} {least:15.1f}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(found, file)
    return 0


def measure(bare: Rounds, ours: Rounds, rounds: int, calls: int) -> tuple[float, float, float, float]:
    bare(calls), ours(calls)  # connections, caches
    all_bare: list[float] = []
    all_ours: list[float] = []
    differences: list[float] = []
    for number in range(rounds):
        first, second = (bare, ours) if number % 2 else (ours, bare)
        one, two = first(calls), second(calls)
        times_bare, times_ours = (one, two) if number % 2 else (two, one)
        all_bare += times_bare
        all_ours += times_ours
        differences.append(statistics.median(times_ours) - statistics.median(times_bare))
    least = statistics.quantiles(all_ours, n=10)[0] - statistics.quantiles(all_bare, n=10)[0]
    bare_s, ours_s, more_s = (statistics.median(values) for values in (all_bare, all_ours, differences))
    return 1e6 * bare_s, 1e6 * ours_s, 1e6 * more_s, 1e6 * least


def pairs(url: str) -> dict[str, tuple[Rounds, Rounds]]:
    found = {
        "requests": (blocking(requests.Session(), url), blocking(ours_requests.Session(), url)),
        "httpx": (blocking(httpx.Client(), url), blocking(ours_httpx.Client(), url)),
        "httpx2": (blocking(httpx2.Client(), url), blocking(ours_httpx2.Client(), url)),
    }
    runner = asyncio.Runner()
    for name, theirs, our in (
        ("httpx async", httpx.AsyncClient, ours_httpx.AsyncClient),
        ("httpx2 async", httpx2.AsyncClient, ours_httpx2.AsyncClient),
    ):
        found[name] = asynchronous(runner, theirs(), url), asynchronous(runner, our(), url)
    return found


def blocking(session: Any, url: str) -> Rounds:
    def run(calls: int) -> list[float]:
        times = []
        for _ in range(calls):
            began = clock()
            session.get(url)
            times.append(clock() - began)
        return times

    return run


def asynchronous(runner: asyncio.Runner, client: Any, url: str) -> Rounds:
    async def run(calls: int) -> list[float]:
        times = []
        for _ in range(calls):
            began = clock()
            await client.get(url)
            times.append(clock() - began)
        return times

    return lambda calls: runner.run(run(calls))


class Answering(asyncio.Protocol):
    """Answers each request head with the same bytes: the server's own time must be small beside the client's."""

    answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{"EUR":1,"USD":2}\n'

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer * data.count(b"\r\n\r\n"))


def serve(listener: socket.socket) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, sock=listener)
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
