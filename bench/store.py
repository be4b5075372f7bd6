"""How fast a store takes events and answers pages, with as many events as asked for; SQLite, or PostgreSQL by URL.

    python bench/store.py --events 20000
    python bench/store.py --events 1000000 --faults 20000
    python bench/store.py --events 20000 --postgres [URL]        a PostgreSQL of its own when there is no URL
    python bench/store.py --events 40000 --postgres --workers 2  as many processes, each with projects of its own

Events are made in memory and written through ``Store.write`` in batches of 300, so what is measured is the store
without inflating, parsing, grouping and diagnosing. The loader shares the processor with the store.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fivehundred.console.store.base import Batch, Digested, FaultQuery, Store
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.demo import database as demo_database
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import new_id, parse
from fivehundred.fingerprint.model import Fingerprint, Key

now = 1_790_000_000.0
_batch = 300
_span_s = 30 * 86_400.0
_diagnosis = Diagnosis("bug", "likely", "no", "bug.code", "It is a bug.", "Fix it.", "Retrying does not help.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--postgres", nargs="?", const="own", default="")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    server = None
    with tempfile.TemporaryDirectory() as folder:
        place = args.postgres or folder
        if place == "own":
            server = demo_database.create(None)
            server.start()
            place = server.url.replace("+psycopg", "")
        try:
            _fill(place, args.events, args.faults, args.workers)
            _ask(place)
            if place == folder:
                size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
                print(f"on disk         {size / 1e6:9.1f} MB, {size / args.events:,.0f} bytes an event")
        finally:
            if server is not None:
                server.remove()


def open_store(place: str) -> Store:
    return PostgresStore(place) if place.startswith("postgres") else SqliteStore(place)


def _fill(place: str, events: int, faults: int, workers: int) -> None:
    open_store(place).close()
    share = events // workers
    begun = time.perf_counter()
    if workers == 1:
        _write(place, "1", share, faults)
    else:
        context = multiprocessing.get_context("spawn")
        running = [context.Process(target=_write, args=(place, str(n + 1), share, faults)) for n in range(workers)]
        for process in running:
            process.start()
        for process in running:
            process.join()
    took = time.perf_counter() - begun
    print(f"{events} events, {faults} faults, {workers} worker(s): {events / took:,.0f} events/s, loader included")


def _write(place: str, project: str, events: int, faults: int) -> None:
    store, wrote = open_store(place), 0.0
    for batch in _batches(project, events, faults):
        begun = time.perf_counter()
        store.write(Batch(events=batch), now=now)
        wrote += time.perf_counter() - begun
    store.close()
    print(f"project {project}: {events / wrote:,.0f} events/s in Store.write")


def _batches(project: str, events: int, faults: int) -> Iterator[list[Digested]]:
    chance = random.Random(7)  # the same events in every run
    weights = [1.0 / (n + 1) for n in range(faults)]
    made = 0
    while made < events:
        count = min(_batch, events - made)
        at = now - _span_s + _span_s * made / events
        yield [_event(project, n, at, chance) for n in chance.choices(range(faults), weights, k=count)]
        made += count


def _event(project: str, fault: int, at: float, chance: random.Random) -> Digested:
    frames = [
        {"module": f"shop.part{n}.views{fault % 97}", "function": f"step_{n}_{fault}", "filename": f"part{n}/views.py",
         "lineno": 10 + n, "context_line": f"    total = price_{fault} / count_{n}", "vars": {"n": chance.random()}}
        for n in range(12)
    ]  # fmt: skip
    error = {"type": f"Error{fault % 40}", "value": f"thing {chance.randrange(10**6)} failed in part {fault}"}
    raw = {
        "event_id": new_id(),
        "timestamp": at,
        "release": f"2.{fault % 9}.{int(at) % 5}",
        "environment": "production",
        "server_name": f"web-{chance.randrange(8)}",
        "transaction": f"/orders/{fault}/{{id}}",
        "request": {"url": f"https://shop.example/orders/{fault}/{chance.randrange(1000)}", "method": "GET"},
        "user": {"id": str(chance.randrange(5000))},
        "tags": {"region": f"eu-{fault % 3}", "customer": f"c{chance.randrange(300)}"},
        "exception": {"values": [{**error, "stacktrace": {"frames": frames}}]},
    }
    keys = (Key("strict", f"k{fault}", (("type", "x"),)), Key("loose", f"l{fault}", ()))
    fingerprint = Fingerprint(
        version=1, keys=keys, title=f"{error['type']} {fault}", message=str(error["value"]),
        culprit=f"shop.part{fault % 12}.views{fault % 97} in step_{fault}", root=0, frame=0, why=("the strict key",),
        continues="",
    )  # fmt: skip
    event = parse(raw, received_at=at)
    return Digested(project, at, event, json.dumps(raw).encode(), fingerprint, _diagnosis)


def _ask(place: str) -> None:
    store = open_store(place)
    store.faults(FaultQuery(), now=now)
    first = store.faults(FaultQuery(), now=now).faults[0]
    event = first.last_event_id
    asked: list[tuple[str, Callable[[], object]]] = [
        ("list, by impact", lambda: store.faults(FaultQuery(), now=now)),
        ("list, by events", lambda: store.faults(FaultQuery(order="events"), now=now)),
        ("list, by last seen", lambda: store.faults(FaultQuery(order="last_seen"), now=now)),
        ("list, all states", lambda: store.faults(FaultQuery(state=None), now=now)),
        ("list, one project", lambda: store.faults(FaultQuery(project="1"), now=now)),
        ("list, one cause", lambda: store.faults(FaultQuery(cause="bug"), now=now)),
        ("list, one release", lambda: store.faults(FaultQuery(release="2.3.1"), now=now)),
        ("search, rare word", lambda: store.faults(FaultQuery(text="step_3_77"), now=now)),
        ("search, every fault", lambda: store.faults(FaultQuery(text="failed"), now=now)),
        ("search, two words", lambda: store.faults(FaultQuery(text="orders/77 eu-2"), now=now)),
        ("search, nothing", lambda: store.faults(FaultQuery(text="nowhere"), now=now)),
        ("fault", lambda: store.fault(first.id, now=now)),
        ("its events", lambda: store.events(first.id, project=None, cursor="", limit=50)),
        ("all events", lambda: store.events(None, project=None, cursor="", limit=50)),
        ("event", lambda: store.event(event)),
        ("figures, 7 days", lambda: store.stats(None, hours=168, now=now)),
    ]
    for name, act in asked:
        times = []
        for _ in range(9):
            begun = time.perf_counter()
            act()
            times.append((time.perf_counter() - begun) * 1000)
        print(f"{name:22}{statistics.median(times):8.2f} ms")
    store.close()


if __name__ == "__main__":
    main()
