#!/usr/bin/env python3
"""A process that dies right after its last answered error: what reaches the collector once the next process starts?

50 errors, then SIGKILL, SIGTERM without a handler, or os._exit; then another process with the same DSN and spool
starts, as a supervisor does, and lives for two seconds. Needs ``sdk_sink`` of the comparison tools on PYTHONPATH.

    PYTHONPATH=TOOLS python bench/guard_kill.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

dying = """
import os, signal, sys
from fivehundred import Guard
guard = Guard(sys.argv[1], spool=sys.argv[2])
for number in range(50):
    try:
        raise ValueError(f"evt-{number}")
    except ValueError as e:
        guard.capture(e)
print("answered", flush=True)
{end}
"""
ends = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "os._exit": "os._exit(0)",
}
following = "import sys, time; from fivehundred import Guard; Guard(sys.argv[1], spool=sys.argv[2]); time.sleep(2)"


def main() -> None:
    from sdk_sink import Sink  # type: ignore[import-not-found]

    for name, end in ends.items():
        with Sink() as sink, tempfile.TemporaryDirectory() as spool:
            dsn = sink.url.replace("http://", "http://key@") + "/1"
            quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            subprocess.run([sys.executable, "-c", dying.replace("{end}", end), dsn, spool], **quiet)  # type: ignore[call-overload]
            time.sleep(0.5)
            before = sink.stats()["events"]
            subprocess.run([sys.executable, "-c", following, dsn, spool], **quiet)  # type: ignore[call-overload]
            print(f"{name:<10} raised 50, arrived before the next process {before}, after {sink.stats()['events']}")


if __name__ == "__main__":
    main()
