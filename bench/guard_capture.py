#!/usr/bin/env python3
"""What a failure costs the event loop, and what a heavy stack costs: the Guard beside sentry-sdk, in one process each.

fastapi   ZeroDivisionError out of a FastAPI route, without sockets: time from the call of the app to its return
heavy     15 frames with a 1 MB text, a 10,000-element list and an object with a 1 ms repr in each
hang      a local whose repr sleeps 5 s

PYTHONPATH=TOOLS:bench python bench/guard_capture.py [--sdk NAME=module:function]
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from typing import Any


class Slow:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __repr__(self) -> str:
        time.sleep(self.seconds)
        return "Slow()"


def heavy(depth: int, seconds: float) -> None:
    text, numbers, slow = "x" * 1_000_000, list(range(10_000)), Slow(seconds)
    if depth:
        heavy(depth - 1, seconds)
    raise ValueError("evt-heavy", len(text), len(numbers), type(slow).__name__)


def times(act: Any, rounds: int) -> str:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        act()
        taken.append((time.perf_counter() - started) * 1e3)
    return f"median {statistics.median(taken):8.2f} ms, first {taken[0]:8.2f}, max {max(taken):8.2f}"


def worker(sdk: str, what: str) -> None:
    import sdk_plugins as tools  # type: ignore[import-not-found]

    logging.basicConfig(handlers=[logging.NullHandler()])
    name, make = tools.load(sdk)
    context = tools.Ctx("fastapi" if what == "fastapi" else "none", "null")
    plug = tools.make_plug(make, context)
    if what == "fastapi":
        one, _ = tools.build(context, plug, {"/boom": lambda: 1 / 0, "/ok": lambda: {"ok": 1}})
        one("/ok")
        result = times(lambda: one("/boom"), 40)
    else:
        seconds = 5.0 if what == "hang" else 0.001

        def shoot() -> None:
            try:
                heavy(0 if what == "hang" else 14, seconds)
            except ValueError as e:
                started = time.perf_counter()
                plug.capture(e)
                taken.append((time.perf_counter() - started) * 1e3)

        taken: list[float] = []
        for _ in range(2 if what == "hang" else 10):
            shoot()
        result = f"median {statistics.median(taken):8.2f} ms, max {max(taken):8.2f}"
    plug.flush(10)
    size = context.bytes / max(context.count, 1) / 1024
    print(f"{what:<8} {name:<12} {result}   {size:8.1f} KB sent per event", flush=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdk", action="append", default=[])
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.sdk[0], options.worker)
    for what in ("fastapi", "heavy", "hang"):
        for sdk in options.sdk or ["bare", "sentry", "fivehundred=guard_plugin:fivehundred"]:
            subprocess.run([sys.executable, __file__, "--worker", what, "--sdk", sdk], check=False, timeout=90)


if __name__ == "__main__":
    main()
