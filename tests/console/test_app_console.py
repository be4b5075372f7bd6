"""``fivehundred console`` as a whole: a child process, real events, real signals."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.console.running import RunningConsole, an_event, load, until

from fivehundred import limits
from fivehundred.console.config import Layout
from fivehundred.console.metrics import Disk
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.sqlite import SqliteStore


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RunningConsole]:
    with RunningConsole(tmp_path / "data") as console:
        yield console


def post(console: RunningConsole, event_id: str = "", **fields: object) -> str:
    event_id = event_id or uuid.uuid4().hex
    key, _, rest = console.dsn.removeprefix("http://").partition("@")
    host, _, project = rest.partition("/")
    headers = {"Content-Encoding": "gzip", "X-Sentry-Auth": f"Sentry sentry_key={key}"}
    body = an_event(event_id, **fields)
    request = urllib.request.Request(f"http://{host}/api/{project}/envelope/", body, headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert json.loads(reply.read()) == {"id": event_id}
    return event_id


def digest_of(console: RunningConsole) -> psutil.Process:
    until(lambda: b"fivehundred_digest_up 1" in console.get("/metrics")[1], console.log)
    (child,) = psutil.Process(console.process.pid).children()
    return child


def test_an_event_travels_from_the_door_to_a_fault_with_a_cause(console: RunningConsole) -> None:
    event_id = post(console, message="x")
    console.digested()
    (fault,) = console.json("/api/v1/faults")["faults"]
    assert (fault["title"], fault["events"], fault["last_event_id"]) == ("ZeroDivisionError", 1, event_id)
    assert fault["cause"] == "bug"
    status, page = console.get(f"/faults/{fault['id']}")
    assert status == 200
    assert b"ZeroDivisionError" in page


def test_the_same_event_twice_counts_once(console: RunningConsole) -> None:
    event_id = post(console)
    post(console, event_id)
    console.digested()
    assert console.json("/api/v1/faults")["faults"][0]["events"] == 1


def test_nothing_is_lost_or_doubled_when_the_console_is_killed_under_load(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    acknowledged: list[str] = []
    for _ in range(3):
        console = RunningConsole(folder)
        killer = threading.Timer(0.6 + random.random() / 2, os.kill, (console.process.pid, signal.SIGKILL))
        killer.start()
        acknowledged += asyncio.run(load(console.dsn, seconds=20))
        killer.join()
        assert console.stop() == -signal.SIGKILL
    with RunningConsole(folder) as console:
        console.digested()
        (fault,) = console.json("/api/v1/faults")["faults"]
    store = SqliteStore(Layout(folder).database, readonly=True)
    assert len(acknowledged) > 300
    assert [i for i in acknowledged if not is_known(store, i)] == []
    # What was on disk when its sender was cut off before the answer is there too: more, never fewer, and none twice.
    assert len(acknowledged) <= fault["events"] <= len(acknowledged) + 3 * 8


def is_known(store: SqliteStore, event_id: str) -> bool:
    try:
        store.event(event_id)
    except NotFound:
        return False
    return True


def test_a_digest_process_that_dies_is_started_again_and_misses_nothing(console: RunningConsole) -> None:
    post(console)
    console.digested()
    first = digest_of(console)
    first.kill()
    event_id = post(console)
    until(lambda: console.json("/api/v1/faults")["faults"][0]["last_event_id"] == event_id, console.log)
    assert digest_of(console).pid != first.pid
    assert b"fivehundred_digest_restarts_total 1" in console.get("/metrics")[1]


def test_no_digest_process_is_left_when_the_console_is_killed(console: RunningConsole) -> None:
    child = digest_of(console)
    console.process.kill()
    console.process.wait()
    child.wait(20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_answers_what_is_in_flight_and_ends_with_0(console: RunningConsole, number: int) -> None:
    child = digest_of(console)
    sender = socket.create_connection(("127.0.0.1", int(console.url.rpartition(":")[2])))
    body = an_event("d4" * 16)
    key = console.dsn.removeprefix("http://").partition("@")[0]
    head = f"POST /api/1/envelope/?sentry_key={key} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
    sender.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
    time.sleep(0.2)
    console.process.send_signal(number)
    time.sleep(0.2)
    sender.sendall(body[10:])
    assert sender.recv(1000).startswith(b"HTTP/1.1 200")
    assert console.stop() == 0
    child.wait(5)
    sender.close()


def test_the_data_folder_is_for_its_owner_alone(console: RunningConsole, tmp_path: Path) -> None:
    post(console)
    console.digested()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_second_start_keeps_project_and_key(tmp_path: Path) -> None:
    dsns = []
    for _ in range(2):
        with RunningConsole(tmp_path / "data") as console:
            dsns.append(console.dsn.rpartition(":")[0])
    assert dsns[0] == dsns[1]


def refusal(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "fivehundred", "console", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def test_a_second_console_on_the_same_folder_is_refused(console: RunningConsole, tmp_path: Path) -> None:
    code, said = refusal("--data", str(tmp_path / "data"), "--port", "0")
    assert code == 5
    assert f"in use by process {console.process.pid}" in said
    assert "--data DIR" in said


def test_a_taken_port_is_said_with_the_way_out_and_leaves_no_trace(console: RunningConsole, tmp_path: Path) -> None:
    port = console.url.rpartition(":")[2]
    code, said = refusal("--data", str(tmp_path / "other"), "--port", port)
    assert code == 5
    assert f"port {port} of 127.0.0.1 is taken" in said
    assert "--port 0" in said
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "console.example"])
def test_an_address_that_others_reach_is_refused(tmp_path: Path, host: str) -> None:
    code, said = refusal("--data", str(tmp_path / "data"), "--host", host)
    assert code == 5
    assert f"{host} can be reached by others" in said
    assert not (tmp_path / "data").exists()


def test_a_foreign_name_in_host_reads_nothing(console: RunningConsole) -> None:
    """What a page of evil.example sees after it pointed its own name at 127.0.0.1."""
    for path in ("/", "/api/v1/projects", "/metrics"):
        status, body = console.get(path, Host="evil.example:5500")
        assert (status, b"--public-url" in body) == (421, True)
    for name in ("localhost", "127.0.0.1", "localhost:81", "[::1]:5500"):
        assert console.get("/api/v1/projects", Host=name)[0] == 200


def test_the_public_name_is_answered_and_used_in_the_dsn(tmp_path: Path) -> None:
    with RunningConsole(tmp_path / "data", "--public-url", "https://errors.example.org/500/") as console:
        assert console.url == "https://errors.example.org/500"
        assert console.dsn.startswith("https://")
        assert console.dsn.endswith("@errors.example.org/500/1")


def test_health_says_alive_and_ready(console: RunningConsole) -> None:
    assert console.get("/healthz") == (200, b"ok\n")
    until(lambda: console.get("/readyz")[0] == 200, console.log)
    assert console.json("/readyz") == {
        "status": "ready",
        "problems": [],
        "backlog": {"records": 0, "bytes": 0, "oldest_at": None},
    }


def test_readiness_tries_a_write_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Disk(tmp_path).problem() == ""
    assert list(tmp_path.iterdir()) == []
    assert "cannot be written: No such file" in Disk(tmp_path / "unmounted").problem()
    monkeypatch.setattr(limits, "disk_free_bytes_min", 1 << 60)
    assert "are free" in Disk(tmp_path).problem()


def test_metrics_are_in_the_format_of_prometheus(console: RunningConsole) -> None:
    post(console)
    console.digested()
    text = console.get("/metrics")[1].decode()
    assert 'fivehundred_accepted_total{door="envelope"} 1\n' in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0
