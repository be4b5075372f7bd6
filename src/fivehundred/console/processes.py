"""The two processes of one Console: the lock that keeps it to one, and the digest child that is kept alive.

``python -m fivehundred.console.processes DATA [DAYS BYTES]`` is the child. Its standard input is a pipe from its
parent: when that ends, for whatever reason (even kill -9), the child finishes its batch and ends too, so that none is
orphaned.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

from fivehundred import limits
from fivehundred.console.config import Config, Layout
from fivehundred.console.logs import set_up

log = logging.getLogger("fivehundred.console.processes")

_BACKOFF_S = (0.1, 0.5, 2.0, 10.0, 30.0)  # before the 1st, 2nd ... restart; the last one repeats
_HEALTHY_S = 60.0  # a child that lived this long starts the back-off from the beginning
_STOP_S = 10.0  # a batch takes well under a second; past this the child is killed and the batch repeats later
_NICE = 5  # on a busy machine accepting goes before digesting: what is accepted can wait
_LOCK_WAIT_S = 30.0  # for the child of a Console that was killed a moment ago to notice it


class InUse(Exception):
    """Another Console holds this data folder; the text says which process."""


class Lock:
    """One holder per file, kept until the process ends; the file itself stays."""

    def __init__(self, path: Path, *, wait_s: float = 0.0) -> None:
        self._file: IO[str] = open(path, "a+", encoding="ascii")  # noqa: SIM115 - open as long as the process lives
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self._file.seek(0)
                    holder = self._file.read(20).strip()
                    self._file.close()
                    raise InUse(f"process {holder}" if holder.isdecimal() else "another process") from None
                time.sleep(0.05)
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        self._file.close()


class DigestProcess:
    """Keeps one digest child running on the parent's event loop."""

    def __init__(self, config: Config, command: list[str] | None = None) -> None:
        self._command = command or [
            sys.executable,
            "-m",
            "fivehundred.console.processes",
            str(config.layout.root),
            str(config.retention_days),
            str(config.disk_bytes_max),
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """None while no child runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def is_up(self) -> bool:
        return self.pid is not None

    async def run(self) -> None:
        """Until ``stop``: starts the child, and starts it again, later each time, whenever it ends."""
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > _HEALTHY_S else failures
            delay = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            failures += 1
            self.restarts += 1
            log.error("the digest process ended (%s); it is started again in %s seconds", _how(code), delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def stop(self) -> None:
        """Asks the child to finish its batch, and waits for that."""
        self._stopping.set()
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            log.error("the digest process %s did not end within %s seconds and is killed", process.pid, _STOP_S)
            process.kill()
            await process.wait()

    async def _run_once(self) -> int:
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.PIPE)
        return await self._process.wait()


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


# ---- the child -----------------------------------------------------------------------------------


def main(data: str, days: str = "", disk_bytes_max: str = "") -> int:
    # A process group of its own: Ctrl-C in the terminal is for the parent, which then ends the child in order. Not a
    # session of its own: Linux may share time between sessions first, and nice would count for nothing between the two.
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    from fivehundred.console import digest  # the parent needs none of what it loads
    from fivehundred.console.store.base import Retention

    set_up(level=logging.INFO)
    layout = Layout(Path(data))
    rules = Retention(float(days or limits.retention_days), int(disk_bytes_max or limits.retention_bytes_max))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
    os.nice(_NICE)
    lock = Lock(layout.digest_lock, wait_s=_LOCK_WAIT_S)
    try:
        digest.run(layout.root, stop, rules)
    finally:
        lock.release()
    return 0


def _end_with_parent(stop: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stop.set()
    time.sleep(_STOP_S)
    os._exit(1)  # the batch in hand repeats at the next start


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
