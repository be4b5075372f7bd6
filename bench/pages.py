"""How long the Console's pages take on the server, with many events: the median of some requests, without a network.

    python bench/pages.py [--events 20000] [--faults 1000] [--times 15]

Events are written through ``Store.write`` into a real store in a temporary folder: over all faults, routes and four
releases, the first of each fault in an hour diagnosed and kept, the rest counted, as in a storm. Then each page is
asked for through the ASGI application, its body read in full; the client that asks costs about 3 ms of it. Sizes are
those of the HTML before gzip.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from copy import copy
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from fivehundred.console.api import v1
from fivehundred.console.site import Site
from fivehundred.console.spool.base import Depth
from fivehundred.console.store.base import Batch, Digested
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.store.triage import Owner, Triage
from fivehundred.console.vault import Vault
from fivehundred.console.web import pages
from fivehundred.diagnosis.model import Cause, Diagnosis, Fact, Step, causes, step_names
from fivehundred.event import User, new_id, parse
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint

_batch = 2_000
paths = (
    "/",
    "/faults",
    "/faults?q=is:review",
    "/faults?q=is:any&order=last_seen",
    "/faults?q=cause:database+-env:staging",
    "/faults?q=assigned:ann",
    "/faults?q=priority:high",
    "/faults?q=release:2.1.0",
    "/faults?q=refused",
    "/faults/7",
    "/faults/7/events",
    "/releases",
    "/release?project=1&name=2.1.0",
    "/routes",
    "/route?project=1&method=GET&route=/things/7/{id}",
    "/projects/1",
    "/losses",
    "/faults/suggest?q=release:2",
    "/api/v1/faults?limit=50",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pages-bench-") as folder:
        store = SqliteStore(Path(folder))
        store.create_project("bench", now=time.time())
        started = time.perf_counter()
        fill(store, arguments.events, arguments.faults)
        spent = time.perf_counter() - started
        print(f"{arguments.events:,} events of {arguments.faults:,} faults, written in {spent:.0f} s")
        site = Site(lambda: store, "http://testserver", lambda: Depth(0, 0, None), dict, Vault(Path(folder) / "key"))
        client = TestClient(Starlette(routes=[*v1.routes(site), *pages.routes(site)]))
        for path in paths:
            measure(client, path, arguments.times)
        store.close()


def measure(client: TestClient, path: str, times: int) -> None:
    """Waited, and worked: on a machine that others use, the second is the one to compare."""
    waited, worked = [], []
    for _ in range(times + 2):
        begun, used = time.perf_counter(), time.process_time()
        answer = client.get(path, follow_redirects=False)
        waited.append(1000 * (time.perf_counter() - begun))
        worked.append(1000 * (time.process_time() - used))
    size = len(answer.content) / 1000
    middle, cpu, least = statistics.median(waited[2:]), statistics.median(worked[2:]), min(worked[2:])
    print(
        f"{middle:8.1f} ms, processor {cpu:6.1f} ms (least {least:5.1f})  {size:6.1f} kB  {answer.status_code}  {path}"
    )


# ---- events --------------------------------------------------------------------------------------


def fill(store: SqliteStore, events: int, faults: int) -> None:
    rng, now = random.Random(7), time.time()
    templates = [Template(number) for number in range(faults)]
    batch = Batch()
    for n in range(events):
        template = templates[n] if n < faults else templates[min(int(rng.paretovariate(0.7)) - 1, faults - 1)]
        at = now - (events - n) * (30 * 86_400 / events)
        batch.events.append(template.event(rng, at))
        if len(batch.events) == _batch or n == events - 1:
            store.write(batch, now=at)
            batch = Batch()
    desk = Triage(store.database)
    desk.assign(range(1, 101), Owner("Ann"), by="Ann", now=now)
    desk.mute(range(faults // 2, faults // 2 + 150), by="Ann", now=now)
    desk.resolve(range(faults // 3, faults // 3 + 150), by="Ann", now=now)
    desk.review(range(1, faults // 2), now=now)


class Template:
    """One fault: its events share the stack and differ in id, time, user and release."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._cause: Cause = causes[number % len(causes)]
        self._hour = -1
        self._raw = _raw(number)
        self._event = parse(self._raw, received_at=0.0)
        self._fingerprint = fingerprint(self._event, Memory())
        self._why = _why(self._cause, number)

    def event(self, rng: random.Random, at: float) -> Digested:
        event = copy(self._event)
        event.event_id, event.timestamp, event.release = new_id(), at, f"2.{rng.randrange(4)}.0"
        event.environment, event.server_name = rng.choice(("production", "staging")), f"web-{rng.randrange(6)}"
        event.user = User(id=f"u{rng.randrange(500)}")
        kept = int(at // 3600) != self._hour
        self._hour = int(at // 3600)
        payload = json.dumps({**self._raw, "event_id": event.event_id, "timestamp": at}).encode() if kept else b""
        return Digested("1", at, event, payload, self._fingerprint, self._why if kept else None)


def _raw(number: int) -> dict[str, Any]:
    frames = [
        {
            "filename": f"shop/module{number % 60}.py",
            "module": f"shop.module{number % 60}",
            "function": f"work_{number}_{step}",
            "lineno": 40 + step,
            "in_app": True,
            "pre_context": ["def work(order):", "    count = len(order.lines)"],
            "context_line": f"    return net / count_{number}",
            "vars": {"order": {"id": 4711}, "count": 0, "net": 12.5},
        }
        for step in range(12)
    ]
    error = {
        "type": f"Error{number % 90}",
        "value": f"connection to shard {number} refused",
        "stacktrace": {"frames": frames},
    }
    return {
        "event_id": new_id(),
        "platform": "python",
        "exception": {"values": [error]},
        "request": {"method": "GET", "url": f"http://shop.example/things/{number}/4711"},
        "contexts": {
            "fivehundred": {"status": 500, "route": f"/things/{number % 300}/{{id}}", "method": "GET"},
            "runtime": {"name": "CPython", "version": "3.11"},
        },
        "tags": {"region": f"eu-{number % 4}"},
        "sdk": {"name": "fivehundred", "version": "0.1"},
    }


def _why(cause: Cause, number: int) -> Diagnosis:
    text = f"shard {number} refuses connections"
    return Diagnosis(
        cause=cause,
        confidence="likely",
        transient="no",
        rule=f"{cause}.bench",
        sentence=f"GET /things fails because {text}.",
        advice="Start it.",
        retry="Retrying does not help.",
        evidence=tuple(Fact("exception", text, text, "strong", "exception[0]", f"seen: {n}") for n in range(4)),
        runbook=tuple(Step(name, "found", text, (text, text, text), "look there") for name in step_names),
    )


if __name__ == "__main__":
    main()
