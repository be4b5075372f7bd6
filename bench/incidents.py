"""What incidents and alerts add to a batch when nothing is beyond normal. ``python -m bench.incidents``

Batches of 50 events over 200 faults of the code, into SQLite; with and without what follows from a batch.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.console.store.conftest import make, now

from fivehundred.console import digest_incidents
from fivehundred.console.store.base import Batch, FaultNews, Store
from fivehundred.console.store.sqlite import SqliteStore

batches, events, faults = 60, 50, 200


def milliseconds(follows: bool) -> tuple[float, float]:
    """Medians of a whole batch, and of what follows in it."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        store.create_project("shop", now=now)
        whole, inner = [], []
        for number in range(batches):
            at = now + number * 300
            made = [make(f"k{(number * 50 + n * 3) % faults}", at=at) for n in range(events)]
            spent: list[float] = []
            started = time.perf_counter()
            store.write(Batch(events=made), now=at, within=within(store, spent) if follows else None)
            whole.append((time.perf_counter() - started) * 1000)
            inner += spent
        store.close()
    return statistics.median(whole[10:]), statistics.median(inner[10:]) if inner else 0.0


def within(store: Store, spent: list[float]) -> Callable[[Sequence[FaultNews]], None]:
    def run(news: Sequence[FaultNews]) -> None:
        started = time.perf_counter()
        digest_incidents.follow(store.database, news)
        spent.append((time.perf_counter() - started) * 1000)

    return run


def main() -> None:
    without, _ = milliseconds(False)
    whole, inner = milliseconds(True)
    print(
        f"a batch of {events} events: {without:.1f} ms without, {whole:.1f} ms with incidents, of which {inner:.1f} ms"
    )


if __name__ == "__main__":
    main()
