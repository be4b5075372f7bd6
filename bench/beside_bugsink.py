"""A Console and Bugsink under the same load, one after the other in one run, row by row.

python bench/beside_bugsink.py --bugsink VENV --loader ingest_load.py --corpus DIR

VENV is an environment of its own with ``pip install bugsink``. The loader takes --dsn, --corpus, --n, --skip, --storm,
--timeout, --concurrency and --json. Bugsink runs as its documentation says for one server: gunicorn with five workers,
and its task queue as a second process; its quotas are lifted, so that it takes everything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.console.running import RunningConsole

from fivehundred.demo.ports import free_port

connections = (1, 8, 64)
slow_senders = 50
storm_template = 3
requests_timed = 15


class Side(Protocol):
    """One of the two, running."""

    dsn: str

    @property
    def pids(self) -> list[int]: ...
    def events(self) -> int: ...
    def pages(self) -> list[tuple[float, int]]: ...  # (ms, bytes) of the list and of one fault


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bugsink", type=Path, required=True)
    parser.add_argument("--loader", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--n", type=int, default=500, help="envelopes at each number of connections (500)")
    parser.add_argument("--storm", type=int, default=1000, help="copies of one fault (1000)")
    parser.add_argument("--wait", type=float, default=180.0, help="seconds that digesting may take, each time (180)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beside-") as folder:
        with RunningConsole(Path(folder) / "console") as console:
            ours = rows(Ours(console), args, Path(folder) / "console")
        with Bugsink(args.bugsink, Path(folder) / "bugsink") as bugsink:
            theirs = rows(bugsink, args, Path(folder) / "bugsink")
    print("| | this Console | Bugsink |\n|---|---|---|")
    for (name, mine), (_, other) in zip(ours, theirs, strict=True):
        print(f"| {name} | {mine} | {other} |", flush=True)


def rows(side: Side, args: argparse.Namespace, folder: Path) -> list[tuple[str, str]]:
    time.sleep(3)
    found = [("memory before the first event, MB", f"{memory(side):,.0f}")]
    before, begun, accepted = size(folder), time.monotonic(), 0
    for n, count in enumerate(connections):
        told = load(side, args, "--n", args.n, "--skip", n * args.n, "--concurrency", count)
        found.append((f"accepted/s at {count}", f"{told['accepted_per_s']:,.0f}, p99 {told['p99_ms']:,.0f} ms"))
        accepted += int(told["accepted"])
    found.append(("memory under load, MB", f"{memory(side):,.0f}"))
    digested = waited(side, accepted, args.wait)
    seconds = time.monotonic() - begun
    found.append(("digested/s from the first request on", f"{digested / seconds:,.0f} ({digested} of {accepted})"))
    found.append(("bytes of its folder an event", f"{(size(folder) - before) / max(1, digested):,.0f}"))
    for name, (ms, bytes_) in zip(("list", "one fault"), side.pages(), strict=True):
        found.append((f"page: {name}", f"{ms:,.0f} ms, {bytes_ / 1000:,.0f} kB"))
    accepted += int(load(side, args, "--n", args.storm, "--storm", storm_template, "--concurrency", 8)["accepted"])
    found.append(
        (f"counted after a storm of {args.storm} copies", f"{waited(side, accepted, args.wait)} of {accepted}")
    )
    found.append((f"an honest request beside {slow_senders} slow ones", beside_slow(side)))
    return found


def load(side: Side, args: argparse.Namespace, *more: object) -> dict[str, float]:
    command = [sys.executable, args.loader, "--dsn", side.dsn, "--corpus", args.corpus, "--json", *more]
    told: dict[str, float] = json.loads(
        subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=True).stdout
    )
    return told


def waited(side: Side, events: int, seconds: float) -> int:
    """How many are there: all of them, or what there was when the time was over."""
    end = time.monotonic() + seconds
    while (found := side.events()) < events and time.monotonic() < end:
        time.sleep(0.2)
    return found


def beside_slow(side: Side) -> str:
    """While others have sent half of a request and wait."""
    target = urlsplit(side.dsn)
    body = b'{"event_id":"%s"}\n{"type":"event"}\n{"message":"honest"}\n' % (b"ab" * 16)
    head = (
        f"POST /api{target.path}/envelope/ HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\nConnection: close\r\n"
        f"X-Sentry-Auth: Sentry sentry_key={target.username}, sentry_version=7\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    address = (str(target.hostname), target.port or 0)
    with contextlib.ExitStack() as stack:
        for _ in range(slow_senders):
            stack.enter_context(socket.create_connection(address, 10)).sendall(head + body[:20])
        time.sleep(0.5)
        begun = time.monotonic()
        with socket.create_connection(address, 10) as honest:
            honest.settimeout(10)
            honest.sendall(head + body)
            try:
                answered = honest.recv(100).startswith(b"HTTP/1.1 200")
            except TimeoutError:
                return "no answer in 10 s"
        return f"{1000 * (time.monotonic() - begun):,.0f} ms" if answered else "refused"


class Ours:
    def __init__(self, console: RunningConsole) -> None:
        self._console = console
        self.dsn = console.dsn
        self.pids = [console.process.pid]

    def events(self) -> int:
        return sum(f["events"] for f in self._console.json("/api/v1/faults?query=is:any&limit=200")["faults"])

    def pages(self) -> list[tuple[float, int]]:
        number = self._console.json("/api/v1/faults?query=is:any&limit=1")["faults"][0]["id"]
        return [timed(partial(self._page, path)) for path in ("/faults", f"/faults/{number}")]

    def _page(self, path: str) -> bytes:
        with urllib.request.urlopen(self._console.url + path, timeout=30) as reply:
            return bytes(reply.read())


def timed(ask: Callable[[], bytes]) -> tuple[float, int]:
    """The median, and how many bytes came."""
    ask()
    times = []
    for _ in range(requests_timed):
        begun = time.perf_counter()
        body = ask()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2] * 1000, len(body)


class Bugsink:
    """gunicorn and the task queue, in a folder of their own."""

    def __init__(self, venv: Path, folder: Path) -> None:
        self._bin, self._folder = (venv / "bin").absolute(), folder
        self.port = free_port()
        folder.mkdir()
        self._run("bugsink-create-conf", "--template=singleserver", "--host=127.0.0.1", f"--base-dir={folder}")
        conf = folder / "bugsink_conf.py"
        lifted = "".join(
            f"BUGSINK['MAX_EVENTS_PER_{part}{time_}'] = 10**9\n"
            for part in ("", "PROJECT_PER_")
            for time_ in (("PER_5_MINUTES", "PER_HOUR", "PER_MONTH") if not part else ("5_MINUTES", "HOUR", "MONTH"))
        )
        conf.write_text(conf.read_text("utf-8") + "\n" + lifted, "utf-8")
        for database in ("default", "snappea"):
            self._run("bugsink-manage", "migrate", f"--database={database}", "-v0")
        made = self.manage(
            "from projects.models import Project; p = Project.objects.create(name='bench');"
            " print(p.id, p.sentry_key.hex)"
        )
        project, key = made.split()[-2:]
        self.dsn = f"http://{key}@127.0.0.1:{self.port}/{project}"

    def __enter__(self) -> Bugsink:
        bind = f"--bind=127.0.0.1:{self.port}"
        self._log = open(self._folder / "log", "ab")
        self._processes = [
            subprocess.Popen([str(self._bin / name), *rest], cwd=self._folder, stdout=self._log, stderr=self._log)
            for name, *rest in (("gunicorn", bind, "--workers=5", "bugsink.wsgi"), ("bugsink-runsnappea",))
        ]
        time.sleep(6)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(20)
        self._log.close()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def events(self) -> int:
        return int(self.manage("from events.models import Event; print(Event.objects.count())").split()[-1])

    def pages(self) -> list[tuple[float, int]]:
        """In the process of its framework, without gunicorn and the network."""
        python = (
            "import time, json\nfrom django.test import Client\nfrom users.models import User\n"
            "from issues.models import Issue\nfrom projects.models import Project\n"
            "u = User.objects.create_superuser('bench', 'b@example.org', 'bench'); c = Client(); c.force_login(u)\n"
            "found = []\n"
            "for path in (f'/issues/{Project.objects.first().id}/', Issue.objects.first().get_absolute_url()):\n"
            "    times = []\n"
            f"    for _ in range({requests_timed + 1}):\n"
            f"        t = time.perf_counter(); r = c.get(path, HTTP_HOST='127.0.0.1:{self.port}')\n"
            "        times.append(time.perf_counter() - t); assert r.status_code == 200, r.status_code\n"
            "    found.append([sorted(times[1:])[len(times) // 2] * 1000, len(r.content)])\n"
            "print(json.dumps(found))"
        )
        return [(ms, bytes_) for ms, bytes_ in json.loads(self.manage(python).splitlines()[-1])]

    def manage(self, python: str) -> str:
        return self._run("bugsink-manage", "shell", "-c", python)

    def _run(self, name: str, *arguments: str) -> str:
        command = [str(self._bin / name), *arguments]
        return subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def memory(side: Side) -> float:
    return sum(resident(pid) for pid in side.pids)


def resident(pid: int) -> float:
    """Of a process and its children, in MB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return own + sum(resident(int(child)) for child in children)


if __name__ == "__main__":
    main()
