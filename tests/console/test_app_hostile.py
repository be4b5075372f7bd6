"""What a running Console does with a body that costs as much as it may, and with a folder that it may not write."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.console.running import RunningConsole, an_event

from fivehundred import limits
from fivehundred.console.store.sqlite import SqliteStore


@pytest.fixture
def console(tmp_path: Path) -> RunningConsole:
    return RunningConsole(tmp_path / "data")


def field(number: int, data: bytes) -> bytes:
    size, head = len(data), bytearray()
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *head, size]) + data


def pair(name: str, value: str) -> bytes:
    return field(1, name.encode()) + field(2, field(1, value.encode()))


def failed_span(n: int) -> bytes:
    """A span with an exception of its own, so that no two are one fault; some 1,300 bytes."""
    frames = "".join(f'  File "/srv/a{n}.py", line {line}, in f{line}\n    g{line}(x)\n' for line in range(18))
    stack = f"Traceback (most recent call last):\n{frames}E{n}Error: {n}\n"
    told = [("exception.type", f"E{n}Error"), ("exception.message", str(n)), ("exception.stacktrace", stack)]
    happened = field(2, b"exception") + b"".join(field(3, pair(*one)) for one in told)
    return field(1, n.to_bytes(16, "big")) + field(2, n.to_bytes(8, "big")) + field(5, b"GET /") + field(11, happened)


@pytest.mark.slow
def test_the_costliest_export_is_bounded_and_the_next_event_has_its_turn(console: RunningConsole) -> None:
    spans = b"".join(field(2, failed_span(n + 1)) for n in range(limits.otlp_inflated_bytes_max // 1_150))
    body = field(1, field(2, spans))
    assert limits.otlp_inflated_bytes_max * 3 // 4 < len(body) <= limits.otlp_inflated_bytes_max
    key = console.dsn.split("://")[1].partition("@")[0]
    sender = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "gzip",
        "X-Sentry-Auth": f"Sentry sentry_key={key}",
    }
    with console:
        status, answer = console.send("POST", "/v1/traces", gzip.compress(body, 1), **sender)
        assert status == 200, answer
        honest = "ab" * 16
        envelope = {"Content-Encoding": "gzip", "X-Sentry-Auth": f"Sentry sentry_key={key}"}
        assert console.send("POST", "/api/1/envelope/", an_event(honest), **envelope)[0] == 200
        deadline = time.monotonic() + 120
        while console.get(f"/api/v1/events/{honest}")[0] != 200:
            assert time.monotonic() < deadline, console.log.read_text()
            time.sleep(0.2)
        counted = {t["outcome"]: t["quantity"] for t in console.json("/api/v1/stats")["tallies"]}
        assert counted["kept"] >= 1


@pytest.mark.parametrize("command", ["console", "export", "backup", "erase"])
def test_a_folder_that_may_not_be_written_is_named_in_one_sentence(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "data"
    store = SqliteStore(folder)
    store.create_project("shop", now=1.0)
    store.close()
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    rest = {"console": ["--port", "0"], "export": ["-"], "backup": [str(tmp_path / "b")], "erase": ["--user", "ada.l"]}
    line = [*as_owner(), sys.executable, "-m", "fivehundred", command, *rest[command], "--data", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    folder.chmod(0o700)
    assert done.returncode == (5 if command == "console" else 1)
    assert str(folder) in done.stderr
    assert "ermission denied" in done.stderr
    assert "Traceback" not in done.stderr


def as_owner() -> list[str]:
    """Root may write everywhere; without these two rights it is an owner like any other."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root, and setpriv is not installed")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
