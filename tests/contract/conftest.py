"""One running server per pair of framework and server, for all points of the contract; and the table of results."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.contract import told
from tests.contract.contract_points import Spec, levels, pairs
from tests.contract.wire import Connection, Reply, request


@dataclass
class Pair:
    """A framework under a server, its address, what it logged, and every reply it has given."""

    name: str
    address: tuple[str, int]
    log_path: Path
    process: subprocess.Popen[bytes]
    replies: list[Reply] = field(default_factory=list)

    def get(self, path: str, headers: dict[str, str] | None = None, **more: object) -> Reply:
        return self.ask("GET", path, headers, **more)  # type: ignore[arg-type]

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", version: str = "1.1"
    ) -> Reply:
        connection = self.connect()
        connection.send(request(method, path, headers, body, version))
        reply = connection.reply(method)
        connection.close()
        return reply

    def connect(self) -> Connection:
        """A connection whose replies are looked through, as all are, for what none may say."""
        return Connection(self.address, note=self._note)

    def _note(self, reply: Reply) -> None:
        self.replies.append(reply)
        told.check(reply)

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")

    def records_with(self, text: str, wait_s: float = 2.0) -> list[str]:
        """Lines of the log that hold ``text``, once there is one."""
        end = time.monotonic() + wait_s
        while True:
            found = [line for line in self.log().splitlines() if text in line]
            if found or time.monotonic() > end:
                time.sleep(0.05)  # a duplicate would come right behind
                return [line for line in self.log().splitlines() if text in line]
            time.sleep(0.02)

    def failures_since(self, before: int, wait_s: float = 2.0) -> list[dict[str, Any]]:
        """The records of failures that were written behind that place in the log, access logs aside."""
        end = time.monotonic() + wait_s
        while not (found := self._failures(before)) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.05)  # a duplicate would come right behind
        return self._failures(before) if found else found

    def _failures(self, before: int) -> list[dict[str, Any]]:
        lines = [line for line in self.log()[before:].split("\n") if line.startswith("{") and line.endswith("}")]
        records: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [r for r in records if r["level"] in ("ERROR", "CRITICAL") and "access" not in r["logger"]]

    def alike(self, reply: Reply, other: Reply) -> bool:
        """Whether two answers are the same but for their reference, and for what was granted before a bare
        application failed."""
        found = [
            (r.shape[0], [h for h in r.shape[1] if h[0] != "vary" or not self.is_bare], r.shape[2])
            for r in (reply, other)
        ]
        assert found[0] == found[1]
        return True

    @property
    def is_bare(self) -> bool:
        return self.name.startswith(("wsgi", "asgi"))

    def token(self) -> str:
        return "t" + secrets.token_hex(6)


def complete(reply: Reply, status: int = 500) -> bool:
    assert (reply.status, reply.whole) == (status, True), reply.raw[:2000]
    assert reply.type
    return True


_run = [p for p in pairs if p.quick or "CONTRACT_RESULTS" in os.environ]


@pytest.fixture(scope="module", params=_run, ids=[p.name for p in _run])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    spec = request.param
    with running(spec, tmp_path_factory.mktemp(spec.name.replace("+", "-"))) as found:
        yield found


@contextmanager
def running(spec: Spec, folder: Path, **environment: str) -> Iterator[Pair]:
    """A pair that serves. What is in the environment says how its Guard is made (see apps/failures.py)."""
    log_path = folder / "log"
    with _bound(spec.server) as listening, log_path.open("wb") as log:
        listening.set_inheritable(True)
        serve = str(Path(__file__).parent / "serve.py")
        process = subprocess.Popen(
            [sys.executable, serve, spec.module, spec.attribute, spec.server, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdout=log,
            stderr=log,
            env={**_clean_environment(), "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", **environment},
        )
        found = Pair(spec.name, listening.getsockname(), log_path, process)
        try:
            _wait(found)
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("FIVEHUNDRED_", "SENTRY_"))}


def _bound(server: str) -> socket.socket:
    if server != "granian":
        return socket.create_server(("127.0.0.1", 0), backlog=200)
    reserved = socket.socket()  # Granian opens its own socket: this one keeps the port and does not listen
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def _wait(found: Pair, wait_s: float = 15.0) -> None:
    until = time.monotonic() + wait_s
    while found.process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(found.address, 1).close()
            break
        except OSError:
            time.sleep(0.05)
    try:
        assert found.get("/ok").status == 200
    except (OSError, AssertionError) as exc:
        found.process.poll()
        raise AssertionError(f"{found.name} does not serve: {found.log()[-3000:]}") from exc


# ---- the table -----------------------------------------------------------------------------------


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes each point's outcome for scripts/contract, which asks for it by a file name in the environment."""
    target = os.environ.get("CONTRACT_RESULTS")
    point = dict(report.user_properties).get("point")
    if target and point and (report.when == "call" or report.outcome == "failed" or report.skipped):
        reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
        line = {"point": point, "pair": dict(report.user_properties)["pair"], "outcome": report.outcome}
        with open(target, "a") as out:
            out.write(json.dumps({**line, "reason": str(reason)}) + "\n")


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("point")
    callspec = getattr(request.node, "callspec", None)
    if marker and callspec and "pair" in callspec.params:
        number, pair = marker.args[0], callspec.params["pair"].name
        request.node.user_properties += [("point", number), ("pair", pair)]
        assert number in levels
        reason = not_applicable(number, pair)
        if reason:
            pytest.skip(reason)


def not_applicable(point: int, pair: str) -> str:
    from tests.contract.contract_points import exceptions

    return next((why for (p, prefix), why in exceptions.items() if p == point and pair.startswith(prefix)), "")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "point(number): a point of the 500 contract")
