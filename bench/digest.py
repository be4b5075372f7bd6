"""How fast the digest turns accepted envelopes into faults, and what an event costs on disk.

    python bench/digest.py CORPUS [--events 5000] [--encoding gzip] [--keep-all] [--storm] [--fresh]
        [--behind] [--profile]

CORPUS is a folder with ``events-gzip.bin`` or ``events-raw.bin``: records of a little-endian header (body length u32,
template number u16, event id 16 bytes) and an envelope. They are appended to a real spool first; then one digest reads
it to the end into a real store, in this process. ``--keep-all`` switches the sampling of payloads off, so that bytes
per event are those at full fidelity. ``--storm`` sends the corpus's first event again and again under new ids.
``--fresh`` gives each event memory addresses of its own, as events of different processes have; the corpus repeats
those of its templates, which flatters everything that remembers texts. ``--behind`` lets the records have waited for a
minute, as in a backlog, in which fewer payloads are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import gzip
import pstats
import random
import re
import resource
import struct
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from fivehundred import limits
from fivehundred.console.config import Layout
from fivehundred.console.digest import Digest
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import FaultQuery
from fivehundred.console.store.sqlite import SqliteStore

_RECORD = struct.Struct("<IH16s")


def main() -> None:
    arguments = _arguments()
    if arguments.keep_all:
        for name in ("payloads_an_hour_max", "payloads_an_hour_pressed_max"):
            setattr(limits, name, 10**9)  # Finals, for the measurement only
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as folder:
        layout = Layout(Path(folder))
        events = asyncio.run(_fill(layout, arguments))
        store, reader = SqliteStore(layout.database), SegmentReader(layout.spool)
        store.create_project("bench", now=time.time())
        digest = Digest(store, reader)
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        profile = cProfile.Profile() if arguments.profile else None
        wall, cpu = time.perf_counter(), time.process_time()
        if profile:
            profile.runcall(_drain, digest)
        else:
            _drain(digest)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        _report(store, layout, events, wall, cpu)
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--encoding", choices=["gzip", "raw"], default="gzip")
    parser.add_argument("--keep-all", action="store_true")
    parser.add_argument("--storm", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--behind", action="store_true")
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


async def _fill(layout: Layout, arguments: argparse.Namespace) -> int:
    writer = SegmentWriter(layout.spool)
    encoding = "identity" if arguments.encoding == "raw" else "gzip"
    waiting, waited_s = [], 60.0 if arguments.behind else 0.0
    for event_id, body in _bodies(arguments):
        meta = {"content_encoding": encoding, "event_id": event_id, "client": "sentry.python/2.75.0"}
        waiting.append(writer.append(Received("1", "envelope", time.time() - waited_s, meta, body)))
        if len(waiting) % 500 == 0:
            await asyncio.gather(*waiting[-500:])
    await asyncio.gather(*waiting[len(waiting) // 500 * 500 :])
    await writer.close()
    return len(waiting)


def _bodies(arguments: argparse.Namespace) -> Iterator[tuple[str, bytes]]:
    plain = arguments.encoding == "raw"
    records = _records(arguments.corpus / f"events-{arguments.encoding}.bin", arguments.events)
    if arguments.storm:
        old, first = next(records)
        records = ((new, _edited(first, plain, old, new)) for new in _ids(arguments.events))
    for event_id, body in records:
        yield event_id, _edited(body, plain) if arguments.fresh else body


def _ids(count: int) -> Iterator[str]:
    return (uuid.uuid4().hex for _ in range(count))


def _edited(body: bytes, plain: bool, old: str = "", new: str = "") -> bytes:
    """The body under another id, or with other addresses: the same ones where they were the same."""
    text = body if plain else gzip.decompress(body)
    if old:
        text = text.replace(old.encode(), new.encode())
    else:
        shift = random.getrandbits(28) << 4
        text = re.sub(rb"0x7[0-9a-f]{11}", lambda found: b"0x%x" % (int(found[0], 16) ^ shift), text)
    return text if plain else gzip.compress(text, 6)


def _records(path: Path, events: int) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        while events and len(header := file.read(_RECORD.size)) == _RECORD.size:
            length, _, event_id = _RECORD.unpack(header)
            yield event_id.hex(), file.read(length)
            events -= 1


def _drain(digest: Digest) -> None:
    while digest.step():
        pass


def _report(store: SqliteStore, layout: Layout, events: int, wall: float, cpu: float) -> None:
    figures = {t.outcome: t.quantity for t in store.stats(None, hours=1, now=time.time()).tallies if t.item == "event"}
    faults = store.faults(FaultQuery(state=None), now=time.time()).total
    store.close()  # the last connection moves the WAL into the database
    sizes = {
        "database": sum(f.stat().st_size for f in layout.root.glob("console.db*")),
        "bodies": sum(f.stat().st_size for f in (layout.root / "bodies").iterdir()),
    }
    kept = max(1, figures.get("kept", 0))
    print(f"{events} events in {wall:.2f} s: {events / wall:.0f}/s; CPU {cpu / events * 1e6:.0f} us an event")
    print(f"{faults} faults; {figures}")
    print(f"bytes an event: {sum(sizes.values()) / events:.0f} of all, {sizes['bodies'] / kept:.0f} a kept payload")
    print(f"database {sizes['database'] / events:.0f}, bodies {sizes['bodies'] / events:.0f} bytes an event")
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB resident, the filling included")


if __name__ == "__main__":
    main()
