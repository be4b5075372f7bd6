"""A whole installation as child processes: NATS servers, PostgreSQL, ingest nodes, digest workers, a Console."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.console.natsd import Servers

from fivehundred.demo import database as demo_database

wait_s_max = 60


class Installation:
    """``with Installation(folder) as all``: ended in order, the servers last."""

    def __init__(
        self, folder: Path, *, servers: int = 3, ingests: int = 2, digests: int = 2, partitions: int = 4
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._counts = (servers, ingests, digests)
        self._partitions = partitions
        self.servers = Servers(folder, servers)
        self.postgres = demo_database.create(None)
        self.file = folder / "scale.toml"
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.told: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Installation:
        servers, ingests, digests = self._counts
        assert self.postgres.kind == "postgresql"
        self.postgres.start()
        self.servers.__enter__()
        self.file.write_text(
            f"""
[store]
url = "postgresql://demo@127.0.0.1:{self.postgres.port}/postgres"
[spool]
servers = {json.dumps(self.servers.urls)}
partitions = {self._partitions}
replicas = {min(3, servers)}
[ingest]
data = "{self.folder}/ingest"
host = "127.0.0.1"
port = 0
[digest]
data = "{self.folder}/digest"
[console]
data = "{self.folder}/console"
port = 0
"""
        )
        try:
            self.start("console")
            for number in range(ingests):
                self.start("ingest", number)
            for number in range(digests):
                self.start("digest", number)
        except BaseException:  # nothing is left running
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.end(name)
        self.servers.__exit__()
        self.postgres.remove()

    def start(self, kind: str, number: int = 0) -> str:
        name = f"{kind}-{number}"
        command = [sys.executable, "-m", "fivehundred", kind, "--scale", str(self.file), "--json"]
        command += ["--data", str(self.folder / name)]
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        out = self.processes[name].stdout
        assert out is not None
        line = out.readline()
        assert line, (self.folder / f"{name}.log").read_text()
        self.told[name] = json.loads(line)
        return name

    def kill(self, name: str) -> None:
        os.kill(self.processes[name].pid, signal.SIGKILL)
        self._gone(name)

    def end(self, name: str) -> int:
        self.processes[name].terminate()
        return self._gone(name)

    def _gone(self, name: str) -> int:
        process = self.processes.pop(name)
        code = process.wait(wait_s_max)
        assert process.stdout is not None
        process.stdout.close()
        return code

    def dsn(self, ingest: int) -> str:
        """Of the first project, at that node."""
        key, _, rest = self.told["console-0"]["dsn"].removeprefix("http://").partition("@")
        host = self.told[f"ingest-{ingest}"]["url"].removeprefix("http://")
        return f"http://{key}@{host}/{rest.partition('/')[2]}"

    def get(self, path: str, node: str = "console-0") -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(self.told[node]["url"] + path, timeout=20) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def json(self, path: str, node: str = "console-0") -> Any:
        return json.loads(self.get(path, node)[1])

    def events(self) -> int:
        return sum(f["events"] for f in self.json("/api/v1/faults?query=is:any&limit=200")["faults"])

    def digested(self) -> None:
        """Waits until nothing accepted is left anywhere, twice in a row."""
        calm = 0
        deadline = time.monotonic() + wait_s_max
        while calm < 3:
            waiting = [
                self.json("/readyz", n)["backlog"]["records"] for n in self.told if n.startswith(("ingest", "console"))
            ]
            calm = 0 if any(waiting) else calm + 1
            assert time.monotonic() < deadline, (waiting, self.logs())
            time.sleep(0.2)

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + wait_s_max
        while not true():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*-?.log")))
