"""Real servers and processes for the Guard's tests, started with a script and ended with the test."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fivehundred.event import Event
from fivehundred.guard.capture import About, capture
from fivehundred.guard.encode import encoded
from fivehundred.guard.request import RequestParts
from fivehundred.guard.testing import Sink


class Served:
    """A process that listens on a port of its own choice, or just runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def get(self, path: str, timeout_s: float = 10) -> int:
        """The status of an answer; 0 when the server broke the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def wait_until_up(self, timeout_s: float = 20) -> None:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(self.log.read_text())
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"nothing listens: {self.log.read_text()}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


Starter = Callable[..., Served]


@pytest.fixture
def collector() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def start(tmp_path: Path, collector: Sink) -> Iterator[Starter]:
    """``start(source, *command)``: the source becomes ``app.py``; ``{port}`` in the command a free port."""
    running: list[Served] = []

    def run(source: str, *command: str, env: dict[str, str] | None = None) -> Served:
        (tmp_path / "app.py").write_text(source)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        log = tmp_path / f"log-{port}"
        words = [word.format(port=port) for word in command]
        environment = {
            **os.environ,
            "FIVEHUNDRED_DSN": collector.dsn,
            "FIVEHUNDRED_SPOOL": str(tmp_path / "spool"),
            "PYTHONPATH": str(tmp_path),
            **(env or {}),
        }
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *words], env=environment, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT
            )
        served = Served(process, port, log)
        running.append(served)
        return served

    yield run
    for served in running:
        served.stop()


# ---- an exception, captured --------------------------------------------------------------------------


def caught(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as e:
        return e
    raise AssertionError("nothing was raised")


def event_of(act: Callable[[], object], parts: RequestParts | None = None) -> Event:
    event = capture(caught(act), parts, About())
    json.loads(encoded(event))
    return event


def locals_of(act: Callable[[], object]) -> dict[str, Any]:
    return dict(event_of(act).exceptions[-1].frames[-1].vars)


def divide() -> float:
    numerator, denominator = 1, 0
    return numerator / denominator


# ---- a value whose methods must not run ---------------------------------------------------------------

ran: list[str] = []


def trap(name: str) -> Any:
    def method(self: object, *args: object, **kwargs: object) -> Any:
        ran.append(name)
        raise RuntimeError(f"{name} ran")

    return method


dunders = (
    "__repr__", "__str__", "__getattribute__", "__hash__", "__eq__", "__bool__", "__len__", "__iter__", "__format__",
    "__getitem__", "__contains__", "__int__", "__float__", "__index__", "__bytes__", "__dir__", "__reduce__",
    "__instancecheck__", "__del_marker__",
)  # fmt: skip


def hostile(*bases: type) -> type:
    members: dict[str, Any] = {name: trap(name) for name in dunders}
    members["__class__"] = property(trap("__class__"))
    members["__dict__"] = property(trap("__dict__"))
    return type("Hostile", bases, members)
