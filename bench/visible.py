"""How long until accepted events are visible: a real Console, envelopes over HTTP, and its digest process watched.

    python bench/visible.py CORPUS [--events 6000] [--connections 32]

CORPUS is a folder with ``events-gzip.bin`` as for ``digest.py``. Says how many events a second were accepted; how many
were counted by the store, from the first request until the last one was; what processor time the digest took for an
event, which other work on the machine changes least; and the most memory that it held.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.digest import _records
from tests.console.running import RunningConsole

from fivehundred.console.config import Layout
from fivehundred.console.store.sqlite import SqliteStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    bodies = [body for _, body in _records(arguments.corpus / "events-gzip.bin", arguments.events)]
    with tempfile.TemporaryDirectory(prefix="visible-") as folder:
        data = Path(folder) / "data"
        with RunningConsole(data) as console:
            digest = _digest_of(console.process.pid)
            began, cpu = time.perf_counter(), _cpu_s(digest)
            asyncio.run(_send(console.dsn, bodies, arguments.connections))
            accepted = time.perf_counter() - began
            store = SqliteStore(Layout(data).database, readonly=True)
            while (seen := store.database.number("SELECT count(*) FROM seen") or 0) < len(bodies):
                time.sleep(0.05)
                if time.perf_counter() - began > 600:
                    raise SystemExit(f"only {seen} of {len(bodies)} events were counted in ten minutes")
            visible, cpu = time.perf_counter() - began, _cpu_s(digest) - cpu
            kept = store.database.number("SELECT count(*) FROM event") or 0
            memory = _memory_mib(digest)
            store.close()
    events = len(bodies)
    print(f"{events} events accepted in {accepted:.2f} s: {events / accepted:.0f}/s")
    print(f"all visible after {visible:.2f} s: {events / visible:.0f}/s; {kept} payloads kept")
    print(f"the digest process: {cpu / events * 1e6:.0f} us of processor time an event, {memory:.0f} MiB at most")


async def _send(dsn: str, bodies: list[bytes], connections: int) -> None:
    """Each connection has one request in flight."""
    parts = urlsplit(dsn)
    head = (
        f"POST /api{parts.path}/envelope/?sentry_key={parts.username} HTTP/1.1\r\nHost: {parts.hostname}\r\n"
        "Content-Type: application/x-sentry-envelope\r\nContent-Encoding: gzip\r\nContent-Length: "
    ).encode()
    waiting = iter(bodies)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for body in waiting:
            writer.write(b"%s%d\r\n\r\n%s" % (head, len(body), body))
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {answer[:200]!r}")
            length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    await asyncio.gather(*[one() for _ in range(connections)])


def _digest_of(console: int) -> int:
    """The Console's one process beside it."""
    for _ in range(100):
        children = Path(f"/proc/{console}/task/{console}/children").read_text().split()
        found = [int(pid) for pid in children if b"tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
        if found:
            return found[-1]
        time.sleep(0.1)
    raise SystemExit("the Console has no digest process")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
