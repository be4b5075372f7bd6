#!/usr/bin/env python3
"""What the Guard adds to a request that goes well: a guarded and a bare application in one process, turn by turn.

Processes of their own, as the comparison tool has them, differ by more than is measured here. Django's settings hold
for a process, so its two are processes that take turns. Microseconds of a request: the median of each round of 150,
then what guarded has above bare, by the smallest and by the median round. Another process that takes the core for a
moment spoils single requests, which a median does not see.

    python bench/guard_happy.py [FRAMEWORK ...]
"""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys

import guard_happy_apps as apps

rounds = int(os.environ.get("ROUNDS", "60"))


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3].split(","))
    for framework in sys.argv[1:] or [*apps.of_wsgi, *apps.of_asgi]:
        if framework in apps.own_process:
            apart(framework)
        else:
            subprocess.run([sys.executable, __file__, "--worker", framework, "bare,guarded"], check=False, timeout=300)


def worker(framework: str, which: list[str]) -> None:
    """With one of the two it measures a round for each line that it is told, else all rounds, and tells them."""
    logging.basicConfig(handlers=[logging.FileHandler(os.devnull)])
    many = {name: apps.many(framework, name == "guarded") for name in which}
    for name in which:
        many[name]("/ok", 500)
    if len(which) == 1:
        for _ in sys.stdin:
            print(statistics.median(many[which[0]]("/ok", 150)) / 1e3, flush=True)
    else:
        found: dict[str, list[float]] = {name: [] for name in which}
        for _ in range(rounds):
            for name in which:
                found[name].append(statistics.median(many[name]("/ok", 150)) / 1e3)
        tell(framework, found["bare"], found["guarded"])
    sys.stdout.flush()
    os._exit(0)


def apart(framework: str) -> None:
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [
        subprocess.Popen([sys.executable, __file__, "--worker", framework, name], **pipe)  # type: ignore[call-overload]
        for name in ("bare", "guarded")
    ]
    found: list[list[float]] = [[], []]
    for _ in range(rounds):
        for process, times in zip(both, found, strict=True):
            process.stdin.write("\n")
            process.stdin.flush()
            times.append(float(process.stdout.readline()))
    for process in both:
        process.stdin.close()
        process.wait(10)
    tell(framework, *found)


def tell(framework: str, bare: list[float], guarded: list[float]) -> None:
    added = statistics.median(more - less for more, less in zip(guarded, bare, strict=True))
    smallest = min(guarded) - min(bare)
    print(f"{framework:<10} bare {min(bare):7.1f}  added {smallest:5.1f}  (median {added:5.1f})", flush=True)


if __name__ == "__main__":
    main()
