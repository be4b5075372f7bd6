"""A fork never meets an import of the Guard's threads in the middle."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from fivehundred.guard import imports as module
from fivehundred.guard.imports import imports

slow = "import time\nbegun = True\ntime.sleep(0.4)\ndone = True\n"


def test_a_child_finds_whole_modules_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(slow)
    monkeypatch.syspath_prepend(str(tmp_path))
    begun = threading.Event()

    def load() -> None:
        with imports:
            begun.set()
            __import__("slow_to_import")

    thread = threading.Thread(target=load)
    thread.start()
    begun.wait()
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        os._exit(0 if hasattr(__import__("slow_to_import"), "done") else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()


def test_a_fork_does_not_wait_for_ever_and_the_child_can_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_wait_s", 0.1)
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with imports:
            held.set()
            forked.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        with imports:
            os._exit(0)
    forked.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    with imports:
        pass
