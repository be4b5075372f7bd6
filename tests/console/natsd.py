"""Real NATS servers with JetStream, one or three, on free ports. Ended at the end, and killable one by one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

_CONFIG = """
server_name: {name}
listen: 127.0.0.1:{port}
http: 127.0.0.1:{watch}
max_payload: 32MB
{authorization}
jetstream {{ store_dir: "{store}", sync_interval: always, max_file_store: 4GB }}
{cluster}
"""
_CLUSTER = """
cluster {{ name: tests, listen: 127.0.0.1:{port}, routes: [{routes}] }}
"""


def binary() -> str | None:
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Servers:
    """``with Servers(folder, 3) as servers``"""

    def __init__(self, folder: Path, count: int = 1, *, user: str = "", password: str = "") -> None:
        self.folder = folder
        self._authorization = f"authorization {{ user: {user}, password: {password} }}" if user else ""
        self._count = count
        ports = free_ports(3 * count)
        self._ports, self._watch, self._routes = ports[:count], ports[count : 2 * count], ports[2 * count :]
        self.processes: list[subprocess.Popen[bytes] | None] = [None] * count
        self.urls = tuple(f"nats://127.0.0.1:{port}" for port in self._ports)

    def __enter__(self) -> Servers:
        for number in range(self._count):
            self.start(number)
        for number in range(self._count):
            self.ready(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in range(self._count):
            self.kill(number)

    def start(self, number: int) -> None:
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in self._routes)
        cluster = _CLUSTER.format(port=self._routes[number], routes=routes) if self._count > 1 else ""
        store = self.folder / f"nats-{number}"
        config = self.folder / f"nats-{number}.conf"
        config.parent.mkdir(parents=True, exist_ok=True)
        text = _CONFIG.format(
            name=f"n{number}", port=self._ports[number], watch=self._watch[number], store=store, cluster=cluster,
            authorization=self._authorization,
        )  # fmt: skip
        config.write_text(text)
        found = binary()
        assert found is not None
        with open(self.folder / f"nats-{number}.log", "ab") as log:
            self.processes[number] = subprocess.Popen([found, "-c", str(config)], stdout=log, stderr=log)

    def ready(self, number: int) -> None:
        deadline = time.monotonic() + 30
        url = f"http://127.0.0.1:{self._watch[number]}/healthz"
        while True:
            try:
                with urllib.request.urlopen(url, timeout=1) as reply:
                    if reply.status == 200:
                        return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / f"nats-{number}.log").read_text()
            time.sleep(0.05)

    def kill(self, number: int, signum: int = signal.SIGKILL) -> None:
        process = self.processes[number]
        if process is not None and process.poll() is None:
            os.kill(process.pid, signum)
            process.wait(10)
