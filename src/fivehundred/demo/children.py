"""Child processes of the demo: started with a name, their lines shown with that name before them, ended in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, TypeAlias

Show: TypeAlias = Callable[[str, str], None]

end_s_max = 8.0  # a child that does not end after SIGTERM is killed; the Console drains its backlog meanwhile
name_chars = 8


class ChildError(Exception):
    """A child ended before it was ready, or never became ready; the text names it and its last lines."""


@dataclass(slots=True)
class Child:
    name: str
    process: subprocess.Popen[str]
    show: Show
    lines: list[str] = field(default_factory=list)  # the newest 50
    reader: threading.Thread | None = None

    def wait_until(self, ready: Callable[[], bool], seconds_max: float) -> None:
        """Polls ``ready`` 20 times a second. Raises ChildError when the child ends first or time is up."""
        deadline = time.monotonic() + seconds_max
        while not ready():
            if self.process.poll() is not None:
                raise ChildError(f"{self.name} ended with exit code {self.process.returncode}: {self._last_lines()}")
            if time.monotonic() > deadline:
                raise ChildError(f"{self.name} was not ready after {seconds_max:.0f} s: {self._last_lines()}")
            time.sleep(0.05)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(end_s_max)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.reader:
            self.reader.join(1)

    def _last_lines(self) -> str:
        if self.reader and self.process.poll() is not None:
            self.reader.join(1)
        return " / ".join(self.lines[-5:]) or "it printed nothing"


def start(name: str, command: list[str], environment: Mapping[str, str], show: Show) -> Child:
    """A child in a session of its own, so that Ctrl-C reaches the demo alone, which then ends its children in order."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    child = Child(name, process, show)
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    child.reader = threading.Thread(target=_read, args=(child, process.stdout), daemon=True)
    child.reader.start()
    return child


def _read(child: Child, output: IO[str]) -> None:
    for line in output:
        text = line.rstrip("\n")
        child.lines.append(text)
        del child.lines[:-50]
        child.show(child.name, text)


def _end_with_parent() -> None:
    # PR_SET_PDEATHSIG: a demo that was killed with -9 leaves nothing running
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
