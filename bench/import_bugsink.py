"""What a real Bugsink holds, imported over its API by the command, interrupted once and gone on with.

    python bench/import_bugsink.py --bugsink VENV [--events 120]

VENV is an environment of its own with ``pip install bugsink``; it never goes into ours.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.beside_bugsink import Bugsink
from tests.console.running import RunningConsole, an_event

token_made = """
from bsmain.models import AuthToken
print(AuthToken.objects.create(issues_read=True, events_read=True).token)
"""
ids_of = "from events.models import Event; print([e.event_id.hex for e in Event.objects.all()])"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bugsink", type=Path, required=True)
    parser.add_argument("--events", type=int, default=120)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Bugsink(args.bugsink, Path(folder) / "bugsink") as bugsink:
        for number in range(args.events):
            send(bugsink.dsn, number)
        until = time.monotonic() + 240
        while bugsink.events() < args.events and time.monotonic() < until:
            time.sleep(2)
        there = set(json.loads(bugsink.manage(ids_of).strip().splitlines()[-1].replace("'", '"')))
        token = bugsink.manage(token_made).split()[-1]
        with RunningConsole(Path(folder) / "data") as console:
            here = imported(bugsink, token, console, Path(folder) / "resume.json")
    print(f"{len(there)} events in Bugsink, {len(here)} here, the same ones: {here == there}")
    return 0 if here == there and there else 1


def imported(bugsink: Bugsink, token: str, console: RunningConsole, resume: Path) -> set[str]:
    address = f"http://127.0.0.1:{bugsink.port}/api/canonical/0/projects/{urlsplit(bugsink.dsn).path[1:]}/"
    command = [sys.executable, "-m", "fivehundred", "import", address, "--dsn", console.dsn, "--resume", str(resume)]
    environment = {**os.environ, "FIVEHUNDRED_IMPORT_TOKEN": token}
    began = time.monotonic()
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not resume.exists() and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    print(f"interrupted after {time.monotonic() - began:.1f} s:", first.communicate()[0].strip() or "(said nothing)")
    print("kept:", {name: value for name, value in json.loads(resume.read_text()).items() if name != "issues_done"})
    began = time.monotonic()
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(f"gone on with, {time.monotonic() - began:.1f} s: {told.stdout.strip()} {told.stderr.strip()}")
    wrong = subprocess.run([*command[:-2], "--token", "0" * 40], capture_output=True, text=True, check=False)
    print("with another token:", wrong.returncode, wrong.stderr.strip())
    console.digested()
    faults = console.json("/api/v1/faults?limit=200&query=is:any")["faults"]
    return {e["event_id"] for f in faults for e in console.json(f"/api/v1/faults/{f['id']}/events?limit=200")["events"]}


def send(dsn: str, number: int) -> None:
    parts = urlsplit(dsn)
    kinds = ("KeyError", "ValueError", "OSError", "TimeoutError")
    frame = {"filename": "shop/cart.py", "module": "shop.cart", "function": f"f{number % 4}", "lineno": 7}
    failed = {"type": kinds[number % 4], "value": f"number {number}", "stacktrace": {"frames": [frame]}}
    body = an_event(uuid.uuid4().hex, exception={"values": [failed]}, tags={"n": str(number)}, timestamp=time.time())
    request = urllib.request.Request(
        f"http://{parts.hostname}:{parts.port}/api{parts.path}/envelope/?sentry_key={parts.username}", body,
        {"Content-Encoding": "gzip", "Content-Type": "application/x-sentry-envelope"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as reply:
        reply.read()


if __name__ == "__main__":
    sys.exit(main())
