#!/usr/bin/env python3
"""Does the Guard's memory stay flat over many captured errors? Each has a message of its own, as errors have.

Events are captured, scrubbed, encoded, spooled and completed as always, and dropped where the network would be. Memory
is read at each mark after a collection; with ``--trace`` the lines whose memory grew most since the first mark follow.

    python bench/guard_memory.py [-n 100000] [--trace]
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shutil
import sys
import tempfile
import time
import tracemalloc

from fivehundred.guard import ship
from fivehundred.guard.collector import Collector, Outcome
from fivehundred.guard.guard import Guard


class Nowhere(Collector):
    def send(self, envelope: bytes) -> Outcome:
        return Outcome("delivered")


def fail(depth: int, number: int) -> None:
    user, text, rows = {"id": number, "name": "Ann"}, f"value-{number}", [1, 2, 3]
    if depth:
        fail(depth - 1, number)
    raise (KeyError, ValueError, LookupError)[number % 3](f"evt-{number}", len(user), len(text), len(rows))


def shoot(guard: Guard, number: int) -> None:
    try:
        fail(10, number)
    except LookupError as e:
        guard.capture(e)
    except ValueError as e:
        guard.capture(e)


def memory_mb() -> float:
    gc.collect()
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=100_000)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(handlers=[logging.FileHandler(os.devnull)])
    ship.Collector = Nowhere  # type: ignore[attr-defined, misc]
    folder = tempfile.mkdtemp(prefix="guard-memory-")
    guard = Guard("http://key@127.0.0.1:9/1", spool=folder)
    marks = {options.n * part // 100 for part in (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)}
    began, first = time.perf_counter(), 0.0
    before: tracemalloc.Snapshot | None = None
    for number in range(1, options.n + 1):
        shoot(guard, number)
        if number % 50 == 0:
            guard.flush(10)
        if number in marks:
            now = memory_mb()
            first = first or now
            after_s = time.perf_counter() - began
            print(f"{number:>8} errors  {now:6.1f} MB  {now - first:+5.1f}  {after_s:5.0f} s", flush=True)
            if options.trace and before is None:
                tracemalloc.start()
                before = tracemalloc.take_snapshot()
    if before is not None:
        for line in tracemalloc.take_snapshot().compare_to(before, "lineno")[:15]:
            print(line)
    guard.close()
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
