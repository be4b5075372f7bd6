"""A Console and Bugsink under the same load, one after the other: accepted/s, latency, digested/s, bytes, memory.

python bench/beside_bugsink.py --bugsink VENV --loader ingest_load.py --corpus DIR

VENV is an environment of its own with ``pip install bugsink``. The loader takes --dsn, --corpus, --n, --skip,
--concurrency and --json. Bugsink runs as its documentation says for one server: gunicorn with five workers, and its
task queue as a second process; its quotas are lifted, so that it takes everything.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.console.running import RunningConsole

from fivehundred.demo.ports import free_port

connections = (1, 8, 64)
digest_s_max = 180.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bugsink", type=Path, required=True)
    parser.add_argument("--loader", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--n", type=int, default=500, help="envelopes at each number of connections")
    args = parser.parse_args()
    print("| | accepted/s, p99 ms at 1 | at 8 | at 64 | digested/s | bytes an event | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="beside-") as folder:
        with RunningConsole(Path(folder) / "console") as console:
            pids = [console.process.pid]
            row("this Console", args, console.dsn, lambda: counted(console), Path(folder) / "console", pids)
        with Bugsink(args.bugsink, Path(folder) / "bugsink") as bugsink:
            row("Bugsink", args, bugsink.dsn, bugsink.events, Path(folder) / "bugsink", bugsink.pids)


def counted(console: RunningConsole) -> int:
    return sum(fault["events"] for fault in console.json("/api/v1/faults?query=is:any&limit=200")["faults"])


def row(
    name: str, args: argparse.Namespace, dsn: str, events: Callable[[], int], folder: Path, pids: list[int]
) -> None:
    before, cells, begun, sent = size(folder), list[str](), time.monotonic(), 0
    for n, count in enumerate(connections):
        command = [sys.executable, args.loader, "--dsn", dsn, "--corpus", args.corpus, "--n", str(args.n)]
        command += ["--skip", str(n * args.n), "--concurrency", str(count), "--json"]
        told = json.loads(subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=True).stdout)
        cells.append(f"{told['accepted_per_s']:,.0f}, {told['p99_ms']:.0f}")
        sent += args.n
    while (digested := events()) < sent and time.monotonic() - begun < digest_s_max:
        time.sleep(0.2)
    rate = f"{digested / (time.monotonic() - begun):,.0f} ({digested} of {sent})"
    memory = sum(resident(pid) for pid in pids)
    each = (size(folder) - before) / max(1, digested)
    print(f"| {name} | {' | '.join(cells)} | {rate} | {each:,.0f} | {memory:,.0f} |", flush=True)


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

    def manage(self, python: str) -> str:
        return self._run("bugsink-manage", "shell", "-c", python)

    def _run(self, name: str, *arguments: str) -> str:
        command = [str(self._bin / name), *arguments]
        return subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def resident(pid: int) -> float:
    """Of a process and its children, in MB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return own + sum(resident(int(child)) for child in children)


if __name__ == "__main__":
    main()
