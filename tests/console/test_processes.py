"""The digest child of a Console: Ctrl-C is not for it, and accepting goes before it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.console.running import RunningConsole, until


def test_the_digest_stands_behind_accepting_and_beside_the_terminals_signals(tmp_path: Path) -> None:
    with RunningConsole(tmp_path / "data") as console:
        pid = console.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        until(lambda: children.read_text("ascii") != "", console.log)  # it is started beside the door, which is open
        (child,) = children.read_text("ascii").split()
        digest = int(child)
        until(lambda: os.getpriority(os.PRIO_PROCESS, digest) > os.getpriority(os.PRIO_PROCESS, pid), console.log)
        assert os.getpgid(digest) == digest  # a terminal signals groups
        assert os.getsid(digest) == os.getsid(pid)  # Linux may share time between sessions first
