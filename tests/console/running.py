"""A real Console as a child process on a free port, and a small loader that remembers what was acknowledged."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ready_s_max = 30


class RunningConsole:
    """``with RunningConsole(folder) as console:`` - ended in order at the end, unless it was killed."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "fivehundred", "console", "--data", str(folder), "--port", "0", "--json"]
        self.log = folder.parent / f"{folder.name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*command, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        announced = json.loads(line)
        self.url: str = announced["url"]
        self.dsn: str = announced["dsn"]

    def __enter__(self) -> RunningConsole:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(ready_s_max)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def send(self, method: str, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=10) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def json(self, path: str) -> Any:
        return json.loads(self.get(path)[1])

    def digested(self) -> None:
        """Waits until nothing accepted is left to digest."""
        until(lambda: self.json("/readyz")["backlog"]["records"] == 0, self.log)


def until(true: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + ready_s_max
    while not true():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def an_event(event_id: str, **fields: Any) -> bytes:
    """A gzipped envelope as an SDK sends it: one ZeroDivisionError."""
    frame = {"filename": "shop/cart.py", "module": "shop.cart", "function": "total", "lineno": 7, "in_app": True}
    frame |= {"context_line": "    return total / count"}
    failed = {"type": "ZeroDivisionError", "value": "division by zero", "stacktrace": {"frames": [frame]}}
    event = {"event_id": event_id, "platform": "python", "exception": {"values": [failed]}, **fields}
    lines = [{"event_id": event_id}, {"type": "event"}, event]
    return gzip.compress("\n".join(json.dumps(line) for line in lines).encode(), 1)


async def load(dsn: str, seconds: float, connections: int = 8, pause_s: float = 0) -> list[str]:
    """Posts events as fast as they are taken, until time is up or the server is gone: the ids answered with 200."""
    target = urlsplit(dsn)
    acknowledged: list[str] = []
    deadline = time.monotonic() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        try:
            while time.monotonic() < deadline:
                event_id = uuid.uuid4().hex
                body = an_event(event_id)
                writer.write(
                    f"POST /api{target.path}/envelope/?sentry_key={target.username} HTTP/1.1\r\nHost: x\r\n"
                    f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    return
                acknowledged.append(event_id)
                await reader.readexactly(41)
                if pause_s:
                    await asyncio.sleep(pause_s)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(connections)))
    return acknowledged
