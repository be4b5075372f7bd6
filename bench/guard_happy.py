#!/usr/bin/env python3
"""What the Guard adds to a request that goes well: a guarded and a bare application in one process, turn by turn.

Processes of their own, as the comparison tool has them, differ by more than is measured here. Django's settings hold
for a process, so it is measured in two. Microseconds; the median of each round, then the smallest and the median round.

    PYTHONPATH=TOOLS:bench python bench/guard_happy.py
"""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
from typing import Any


def main() -> None:
    for framework in ("wsgi", "starlette", "fastapi", "flask"):
        run(framework, "both")
    for which in ("bare", "guarded", "bare", "guarded"):
        run("django", which)


def run(framework: str, which: str) -> None:
    subprocess.run([sys.executable, __file__, framework, which], check=False, timeout=120)


def worker(framework: str, which: str) -> None:
    logging.basicConfig(handlers=[logging.FileHandler(os.devnull)])
    names = ["bare", "guarded"] if which == "both" else [which]
    many = {name: application(framework, name) for name in names}
    for name in names:
        many[name]("/ok", 500)
    rounds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(60):
        for name in names:
            rounds[name].append(statistics.median(taken for taken, _ in many[name]("/ok", 200)) / 1e3)
    if which == "both":
        pairs = zip(rounds["guarded"], rounds["bare"], strict=True)
        added = statistics.median(guarded - bare for guarded, bare in pairs)
        print(f"{framework:<10} bare {min(rounds['bare']):6.1f}  added {added:5.2f}", end="")
        print(f"  (of the smallest {min(rounds['guarded']) - min(rounds['bare']):5.2f})", flush=True)
    else:
        print(f"{framework:<10} {which:<8} {min(rounds[which]):6.1f}", flush=True)
    os._exit(0)


def application(framework: str, which: str) -> Any:
    import sdk_plugins as tools  # type: ignore[import-not-found]

    _, make = tools.load("bare" if which == "bare" else "fivehundred=guard_plugin:fivehundred")
    context = tools.Ctx(framework, "null")
    _, many = tools.build(context, tools.make_plug(make, context), {"/ok": lambda: {"ok": True}})
    return many


if __name__ == "__main__":
    worker(*sys.argv[1:]) if len(sys.argv) > 2 else main()
