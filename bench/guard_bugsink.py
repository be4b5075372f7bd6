"""The Guard with a foreign collector: one failure sent to a real Bugsink, and read back from its database.

python bench/guard_bugsink.py --bugsink VENV

VENV is an environment of its own with ``pip install bugsink``; it never goes into ours. Bugsink is started as
``beside_bugsink.py`` starts it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from beside_bugsink import Bugsink

from fivehundred import Guard

read_back = """
import json
from events.models import Event
found = Event.objects.order_by("-ingested_at").first()
print(json.dumps(json.loads(found.get_raw_data()) if found else None))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bugsink", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Bugsink(args.bugsink, Path(folder) / "bugsink") as bugsink:
        guard = Guard(bugsink.dsn, spool=Path(folder) / "spool", app_paths=[str(Path(__file__).parent)])
        reference = fails(guard)
        print("delivered:", guard.flush(20))
        guard.close()
        event: dict[str, Any] = {}
        until = time.monotonic() + 20
        while not event and time.monotonic() < until:
            time.sleep(1)
            event = json.loads(bugsink.manage(read_back).strip().splitlines()[-1] or "null") or {}
        assert event["event_id"] == reference, event
        last = event["exception"]["values"][-1]
        print("read back:", event["event_id"], last["type"], last["value"])
        print("locals:", last["stacktrace"]["frames"][-1]["vars"])
        print("our context:", ", ".join(sorted(event["contexts"]["fivehundred"])))


def fails(guard: Guard) -> str:
    cart, password = [1, 2], "hunter2"
    try:
        return str(cart[2]) + password
    except IndexError as exc:
        return guard.capture(exc)


if __name__ == "__main__":
    main()
