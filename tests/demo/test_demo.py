"""The main job, as a newcomer runs it: every process real, every cause provoked, every verdict read back."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fivehundred.demo.database import Database, DatabaseError, create


def demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fivehundred", "demo", "--port", "0", *arguments]


@pytest.fixture(scope="module")
def once() -> subprocess.CompletedProcess[str]:
    return subprocess.run(demo("--once"), capture_output=True, text=True, timeout=120, check=False)


def test_every_button_brings_a_fault_with_its_own_cause(once: subprocess.CompletedProcess[str]) -> None:
    assert once.returncode == 0, once.stdout + once.stderr
    found = set(re.findall(r"^  (\w+) +(\w+) (/\S+) -> (\d+)$", once.stdout, re.MULTILINE))
    assert {
        ("bug", "GET", "/cause-error", "500"),
        ("misconfiguration", "POST", "/checkout", "500"),
        ("overload", "GET", "/report", "503"),
        ("database", "POST", "/add-user", "503"),
        ("security", "GET", "/search", "500"),
    } <= found


def test_a_verdict_is_a_sentence_that_says_what_to_do(once: subprocess.CompletedProcess[str]) -> None:
    sentences = [line for line in once.stdout.splitlines() if " because " in line]
    assert len(sentences) >= 5
    assert all("Do: " in sentence for sentence in sentences)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder below which the unprivileged user of PostgreSQL may go; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_ctrl_c_ends_every_process_and_deletes_what_was_stored(open_folder: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(open_folder)}
    running = subprocess.Popen(demo(), stdout=subprocess.PIPE, text=True, env=environment)
    assert running.stdout is not None
    line = next(line for line in running.stdout if "Ctrl-C ends everything" in line)
    assert line
    started = children_of(running.pid)
    running.send_signal(signal.SIGINT)
    running.stdout.read()
    assert running.wait(30) == 0
    assert len(started) >= 3
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert list(open_folder.iterdir()) == []


def test_a_demo_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    running = subprocess.Popen(demo("--data", str(tmp_path)), stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    said = "".join(iter_until(running.stdout, "Ctrl-C ends everything"))
    port = int(re.findall(r"PostgreSQL on 127.0.0.1:(\d+)", said)[0])
    started = children_of(running.pid)
    running.kill()
    running.wait()
    deadline = time.monotonic() + 15
    while (any(Path(f"/proc/{pid}").exists() for pid in started) or listens(port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not listens(port)


def iter_until(lines: Iterable[str], text: str) -> Iterator[str]:
    for line in lines:
        yield line
        if text in line:
            return


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    direct = [int(child) for child in text.split()]
    return direct + [grandchild for child in direct for grandchild in children_of(child)]


def test_the_database_really_stops_and_starts_again() -> None:
    database: Database = create(None)
    try:
        database.start()
        assert database.running()
        database.stop()
        assert not database.running()
        database.start()
        assert database.running()
    finally:
        database.remove()
    assert not Path(database.folder).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_a_folder_that_the_database_cannot_enter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DatabaseError, match="TMPDIR"):
        create(None)
    assert list(tmp_path.iterdir()) == []
