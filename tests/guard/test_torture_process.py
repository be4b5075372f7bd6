"""Places and moments that hurt: a disk without room, clocks that jump, the end of the interpreter, fork."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fivehundred import Guard
from fivehundred.guard.testing import Sink

failing = """
import os, sys, threading, time
from fivehundred import Guard
guard = Guard(sys.argv[1], spool=sys.argv[2])
def fail(text):
    try:
        raise LookupError(text)
    except LookupError as exc:
        return guard.capture(exc)
"""


def run(sink: Sink, spool: Path | str, code: str, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", failing + code, sink.dsn, str(spool)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def messages(sink: Sink) -> set[str]:
    return {event.exceptions[-1].value for event in sink.events}


def test_a_daemon_thread_that_fails_while_the_interpreter_ends_hangs_nothing(tmp_path: Path, collector: Sink) -> None:
    code = """
def loop():
    while True:
        fail("daemon")
threading.Thread(target=loop, daemon=True).start()
time.sleep(0.2)
"""
    began = time.monotonic()
    done = run(collector, tmp_path, code)
    assert (done.returncode, time.monotonic() - began < 30) == (0, True), done.stderr[-2000:]
    assert "daemon" in str(messages(collector))


def test_a_failure_in_an_exit_handler_is_told(tmp_path: Path, collector: Sink) -> None:
    done = run(collector, tmp_path, "import atexit\natexit.register(fail, 'at the end')\n")
    assert (done.returncode, done.stderr.count("Error in atexit")) == (0, 0), done.stderr
    run(collector, tmp_path, "guard.flush(10)")
    assert collector.wait(1)
    assert messages(collector) == {"at the end"}


def test_a_child_that_leaves_by_os_exit_leaves_its_events_to_the_next_process(tmp_path: Path, collector: Sink) -> None:
    code = """
fail("parent")
if os.fork() == 0:
    fail("child")
    os._exit(0)
os.wait()
guard.flush(10)
"""
    assert run(collector, tmp_path, code).returncode == 0
    run(collector, tmp_path, "fail('next'); guard.flush(10)")
    assert collector.wait(3, 20)
    assert sorted(messages(collector)) == ["child", "next", "parent"]


def test_a_clock_that_jumps_back_and_forth_keeps_every_event(
    tmp_path: Path, collector: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard(collector.dsn, spool=tmp_path)
    really = time.time
    for number, hours in enumerate((0, -48, 48, -1, 24 * 365, 0)):
        monkeypatch.setattr(time, "time", lambda off=hours: really() + off * 3600)
        try:
            raise LookupError(f"at {number}")
        except LookupError as exc:
            guard.capture(exc)
    monkeypatch.setattr(time, "time", really)
    assert guard.flush(10)
    guard.close()
    assert sorted(messages(collector)) == [f"at {number}" for number in range(6)]


needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder that is a file system of its own with 64 KiB, in a mount that ends with the test."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("n/a: this machine lets nobody mount")
    return folder


@needs_mounts
def test_a_disk_without_room_loses_no_event_while_the_collector_listens(small: Path, collector: Sink) -> None:
    try:
        (small / "ballast").write_bytes(b"x" * 60_000)
        code = "for number in range(20):\n    fail(f'full {number}')\nprint(guard.flush(20), guard.failures_inside)\n"
        done = run(collector, small, code)
        assert done.stdout.strip() == "True 0", done.stderr[-2000:]
        assert len(messages(collector)) == 20
    finally:
        subprocess.run(["umount", str(small)], check=True)


@needs_mounts
def test_a_disk_that_cannot_be_written_loses_no_event(small: Path, collector: Sink) -> None:
    try:
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        code = "for number in range(20):\n    fail(f'ro {number}')\nprint(guard.flush(20), guard.failures_inside)\n"
        done = run(collector, small, code)
        assert done.stdout.strip() == "True 0", done.stderr[-2000:]
        assert len(messages(collector)) == 20
    finally:
        subprocess.run(["umount", str(small)], check=True)
