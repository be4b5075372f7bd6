"""How the digest scales with the number of workers on one PostgreSQL, and what they wait for.

    python bench/workers.py CORPUS [--workers 1 2] [--events 2000] [--projects 8] [--keep-all]

CORPUS as for ``bench/digest.py``. A real PostgreSQL; each worker is a process of its own with a store of its own, and
digests the records of its share of the projects, as workers that hold partitions do. Of each run are told: events a
second from the moment all begin until the last is done; the processor's time an event, of workers and PostgreSQL;
how much of their time workers were inside of transactions, and what their sessions were seen waiting for, every 5 ms.
A machine that is busy with other things makes the rate smaller; the waits for locks it makes rather longer.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.digest import _records

from fivehundred import limits
from fivehundred.console.digest import Digest
from fivehundred.console.spool.base import Received
from fivehundred.console.store.nodes import Marks
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.demo import database as demo_database


class Share:
    """A spool in memory: the records of one worker's projects."""

    damaged = 0

    def __init__(self, records: Sequence[Received]) -> None:
        self._records = [(str(n + 1), record) for n, record in enumerate(records)]

    def read(self, offset: str, *, records_max: int, bytes_max: int) -> Sequence[tuple[str, Received]]:
        first = int(offset or 0)
        return self._records[first : first + records_max]

    def wait(self, offset: str, timeout_s: float) -> bool:
        return True

    def commit(self, offset: str) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    args = _arguments()
    server = demo_database.create(None)
    server.start()
    try:
        alone = 0.0
        for workers in args.workers:
            rate = _run(server.port, workers, args)
            alone = alone or rate
            print(f"    {rate / alone:.2f} times the first")
    finally:
        server.remove()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--events", type=int, default=2000, help="all together")
    parser.add_argument("--projects", type=int, default=8)
    parser.add_argument("--keep-all", action="store_true")
    return parser.parse_args()


def _run(port: int, workers: int, args: argparse.Namespace) -> float:
    name = f"bench_{workers}_{time.monotonic_ns()}"
    admin = psycopg.connect(f"postgresql://demo@127.0.0.1:{port}/postgres", autocommit=True)
    admin.execute(f"CREATE DATABASE {name}".encode())
    url = f"postgresql://demo@127.0.0.1:{port}/{name}"
    PostgresStore(url).close()
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(workers + 1), context.Queue()
    processes = [context.Process(target=_work, args=(url, n, workers, args, start, told)) for n in range(workers)]
    for process in processes:
        process.start()
    start.wait()
    began, cpu = time.monotonic(), _postgres_cpu(admin, name)
    stop, seen = threading.Event(), Counter[str]()
    watching = threading.Thread(target=_watch, args=(port, name, stop, seen))
    watching.start()
    own = sum(told.get() for _ in processes)
    wall = time.monotonic() - began
    stop.set()
    watching.join()
    theirs = _postgres_cpu(admin, name) - cpu
    start.wait()  # sessions stay until their processor time was read
    for process in processes:
        process.join()
    admin.close()
    n, all_seen = args.events, sum(seen.values())
    print(f"{workers} workers: {n / wall:7.0f} events/s; an event {own / n * 1e6:.0f} us of workers,"
          f" {theirs / n * 1e6:.0f} us of PostgreSQL")  # fmt: skip
    print("   ", ", ".join(f"{what} {count / all_seen:.1%}" for what, count in seen.most_common(8)))
    return float(n / wall)


def _work(url: str, number: int, workers: int, args: argparse.Namespace, start: Barrier, told: object) -> None:
    if args.keep_all:
        for bound in ("payloads_an_hour_max", "payloads_an_hour_pressed_max"):
            setattr(limits, bound, 10**9)  # Finals, for the measurement only
    records, now = [], time.time()
    for n, (event_id, body) in enumerate(_records(args.corpus / "events-gzip.bin", args.events)):
        project = n % args.projects
        if project % workers == number:
            meta = {"content_encoding": "gzip", "event_id": event_id, "client": "sentry.python/2.75.0"}
            records.append(Received(str(project + 1), "envelope", now, meta, body))
    store = PostgresStore(url)
    digest = Digest(store, Share(records), mark=Marks(store.database, f"bench-{number}"))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    start.wait()
    cpu = time.process_time()
    while digest.step():
        pass
    told.put(time.process_time() - cpu)  # type: ignore[attr-defined]
    start.wait()
    store.close()


def _postgres_cpu(admin: psycopg.Connection[tuple[int]], name: str) -> float:
    """Seconds of the sessions of one database."""
    rows = admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (name,)).fetchall()
    ticks = 0
    for (pid,) in rows:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def _watch(port: int, name: str, stop: threading.Event, seen: Counter[str]) -> None:
    """What the sessions of workers are doing. "Client: ClientRead" inside of a transaction is the worker at work."""
    sql = (
        "SELECT state, wait_event_type, wait_event FROM pg_stat_activity"
        " WHERE datname = %s AND backend_type = 'client backend'"
    )
    with psycopg.connect(f"postgresql://demo@127.0.0.1:{port}/postgres", autocommit=True) as watcher:
        while not stop.wait(0.005):
            for state, kind, event in watcher.execute(sql, (name,)).fetchall():
                if kind == "Client":
                    inside = "worker, in a transaction" if "transaction" in (state or "") else "worker, outside of one"
                    seen[inside] += 1
                else:
                    seen["PostgreSQL computes" if kind is None else f"waits for {kind} {event}"] += 1


if __name__ == "__main__":
    main()
