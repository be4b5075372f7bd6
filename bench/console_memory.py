"""The memory of a Console's two processes over a long load: idle, while events come in, and until all are digested.

nice -n 15 python bench/console_memory.py --n 200000

Events of 200 kinds, 20 kB each before gzip, from 8 connections. Prints the resident memory of each process at every
tenth of the load and of the digesting, and ends with 1 when a bound is passed or the second half needs more than the
first by a tenth. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.console.running import RunningConsole

idle_mb_max, load_mb_max, growth_max = 150.0, 300.0, 1.1
kinds, connections = 200, 8


@dataclass
class Watched:
    """One process: its highest resident memory in each part of the run, MB."""

    name: str
    pid: int
    peaks: dict[str, float] = field(default_factory=dict)
    now: float = 0.0

    def look(self, part: str) -> None:
        status = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace")
        self.now = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
        self.peaks[part] = max(self.peaks.get(part, 0.0), self.now)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200_000)
    count = parser.parse_args().n
    with tempfile.TemporaryDirectory(prefix="memory-") as folder, RunningConsole(Path(folder) / "data") as console:
        time.sleep(5)
        processes = [Watched("accept", console.process.pid), Watched("digest", child_of(console.process.pid))]
        for process in processes:
            process.look("idle")
        print(f"idle: {told(processes)}", flush=True)
        sent = Sent()
        loading = threading.Thread(target=lambda: asyncio.run(load(console.dsn, count, sent)))
        begun = time.monotonic()
        loading.start()
        watch(console, processes, sent, count, begun)
        loading.join()
    return verdict(processes, sent)


@dataclass
class Sent:
    asked: int = 0
    accepted: int = 0


def watch(console: RunningConsole, processes: list[Watched], sent: Sent, count: int, begun: float) -> None:
    """Until everything that was accepted is digested."""
    tenths = 0
    while True:
        time.sleep(0.5)
        waiting = console.json("/readyz")["backlog"]["records"]
        digested = sent.accepted - waiting
        part = "first half" if digested < count / 2 else "second half"
        for process in processes:
            process.look(part)
        if digested >= (tenths + 1) * count // 10 or (sent.asked >= count and waiting == 0):
            tenths = digested * 10 // count
            told_at = f"{time.monotonic() - begun:6.0f} s, {sent.accepted:,} accepted, {digested:,} digested"
            print(f"{told_at}: {told(processes)}", flush=True)
        if sent.asked >= count and waiting == 0:
            return


def verdict(processes: list[Watched], sent: Sent) -> int:
    ill = []
    for process in processes:
        idle, first, second = (process.peaks.get(part, 0.0) for part in ("idle", "first half", "second half"))
        print(
            f"{process.name}: idle {idle:.0f} MB, highest {first:.0f} MB in the first half, {second:.0f} in the second"
        )
        if idle > idle_mb_max or max(first, second) > load_mb_max or second > first * growth_max:
            ill.append(process.name)
    print(f"{sent.accepted:,} of {sent.asked:,} accepted; {'too much: ' + ', '.join(ill) if ill else 'within bounds'}")
    return 1 if ill else 0


def told(processes: list[Watched]) -> str:
    return ", ".join(f"{process.name} {process.now:.0f} MB" for process in processes)


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()[0])


# ---- the load ------------------------------------------------------------------------------------


async def load(dsn: str, count: int, sent: Sent) -> None:
    rest = [packed(kind) for kind in range(kinds)]
    await asyncio.gather(*(one(dsn, count, sent, rest) for _ in range(connections)))


async def one(dsn: str, count: int, sent: Sent, rest: list[bytes]) -> None:
    target = urlsplit(dsn)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    head = (
        f"POST /api{target.path}/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
        f"X-Sentry-Auth: Sentry sentry_version=7, sentry_client=memory/1, sentry_key={target.username}\r\n"
    ).encode()
    while sent.asked < count:
        sent.asked += 1
        header = gzip.compress(b'{"event_id":"%s"}\n' % uuid.uuid4().hex.encode(), 1)  # members may follow each other
        body = header + rest[sent.asked % kinds]
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
        if answer.startswith(b"HTTP/1.1 200"):
            sent.accepted += 1
        else:
            await asyncio.sleep(0.5)
    writer.close()


def packed(kind: int) -> bytes:
    """Everything of one kind's envelope but its first line: 40 frames with source and variables."""
    source = [f"    value_{n} = compute(kind_{kind}, step={n})" for n in range(5)]
    frames = [
        {"filename": f"shop/part_{kind % 20}/step_{n}.py", "module": f"shop.part_{kind % 20}.step_{n}", "lineno": n + 1}
        | {"function": f"handle_{kind}_{n}", "in_app": n % 3 == 0, "context_line": source[0], "pre_context": source}
        | {"vars": {f"local_{v}": f"value {v * kind} of frame {n}" for v in range(5)}}
        for n in range(40)
    ]
    failed = {"type": f"Kind{kind}Error", "value": f"step {kind} failed", "stacktrace": {"frames": frames}}
    event = {"platform": "python", "level": "error", "transaction": f"/shop/{kind % 30}", "release": "shop@1.0"}
    event |= {"exception": {"values": [failed]}, "user": {"id": str(kind)}, "tags": {"kind": str(kind % 50)}}
    payload = json.dumps(event).encode()
    return gzip.compress(b'{"type":"event","length":%d}\n%s\n' % (len(payload), payload), 6)


if __name__ == "__main__":
    sys.exit(main())
