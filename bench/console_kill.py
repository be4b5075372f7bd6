"""Kill a Console with SIGKILL under load, again and again, and count what was acknowledged and is not there.

python bench/console_kill.py --kills 20
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.console.running import RunningConsole, load

from fivehundred.console.config import Layout
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.sqlite import SqliteStore


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        acknowledged = [i for _ in range(kills) for i in one_life(data)]
        with RunningConsole(data) as console:
            console.digested()
            counted = sum(f["events"] for f in console.json("/api/v1/faults?query=is:any")["faults"])
        store = SqliteStore(Layout(data).database, readonly=True)
        lost = sum(not is_known(store, i) for i in acknowledged)
    print(f"{kills} kills: {len(acknowledged)} acknowledged, {lost} lost, {counted} counted")
    return 1 if lost else 0


def one_life(data: Path) -> list[str]:
    console = RunningConsole(data)
    delay = 0.4 + random.random() / 2
    threading.Timer(delay, os.kill, (console.process.pid, signal.SIGKILL)).start()
    acknowledged = asyncio.run(load(console.dsn, seconds=20))
    console.stop()
    return acknowledged


def is_known(store: SqliteStore, event_id: str) -> bool:
    try:
        store.event(event_id)
    except NotFound:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
