"""Scores the grouping of labelled events, online, as the Console groups them.

    python bench/grouping.py FOLDER [--worst 10] [--where set=drift] [--apart] [--restart 50] [--causes even|odd]

FOLDER (or FIVEHUNDRED_GROUPING_DATA) holds ``envelopes.jsonl.gz``, a line {"event_id", "envelope"}, and
``truth.jsonl``, a line {"event_id", "group", "set", ...}. Every event goes through envelope, event and fingerprint
in the order of the file, with one Memory. Its fault is found as the Store finds it: by the primary key, else by the
key that it continues, else it is new. ``--apart`` starts again for each set, ``--restart N`` saves
and loads the memory after every N events.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fivehundred import envelope
from fivehundred.event import Event, parse
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.model import Fingerprint
from fivehundred.fingerprint.rule import fingerprint


def main() -> None:
    args = _arguments()
    folder = Path(args.folder or os.environ["FIVEHUNDRED_GROUPING_DATA"])
    truth = {row["event_id"]: row for row in map(json.loads, (folder / "truth.jsonl").read_text().splitlines())}
    events = [e for e in read(folder / "envelopes.jsonl.gz") if _wanted(truth[e.event_id], args)]
    sets = sorted({truth[e.event_id]["set"] for e in events})
    found: dict[str, str] = {}
    microseconds: list[float] = []
    for chosen in [[s] for s in sets] if args.apart else [sets]:
        faults = Faults({}, {}, Memory(), microseconds)
        for n, event in enumerate((e for e in events if truth[e.event_id]["set"] in chosen), 1):
            found[event.event_id] = f"{'+'.join(chosen)}:{faults.of(event)}"
            if args.restart and n % args.restart == 0:
                faults.memory = Memory.from_json(json.loads(json.dumps(faults.memory.to_json())))
    for name in [*sets, "all"]:
        rows = {e.event_id: truth[e.event_id] for e in events if name in ("all", truth[e.event_id]["set"])}
        print(f"{name:10}", line(score({i: r["group"] for i, r in rows.items()}, found)))
        for mistake in mistakes(rows, found, args.worst):
            print("   ", mistake)
    ordered = sorted(microseconds)
    print(f"us an event: median {statistics.median(ordered):.0f}, 99th {ordered[int(len(ordered) * 0.99)]:.0f}")
    if args.out:
        Path(args.out).write_text(json.dumps(found))


@dataclass
class Faults:
    """What the Store does with fingerprints."""

    by_primary: dict[str, int]
    by_key: dict[str, int]
    memory: Memory
    microseconds: list[float]

    def of(self, event: Event) -> int:
        begin = time.perf_counter()
        fp: Fingerprint = fingerprint(event, self.memory)
        self.microseconds.append((time.perf_counter() - begin) * 1e6)
        fault = self.by_primary.get(fp.primary.value)
        if fault is None and fp.continues:
            fault = self.by_primary.get(fp.continues, self.by_key.get(fp.continues))
        if fault is None:
            fault = len(set(self.by_primary.values())) + 1
        self.by_primary[fp.primary.value] = fault
        for key in fp.keys:
            self.by_key[key.value] = fault
        return fault


def read(path: Path) -> Iterable[Event]:
    with gzip.open(path, "rt") as lines:
        for text in lines:
            row = json.loads(text)
            for item in envelope.parse(row["envelope"].encode()).items:
                if item.type == "event":
                    yield parse(json.loads(item.payload), received_at=time.time(), event_id=row["event_id"])


def score(truth: dict[str, str], found: dict[str, str]) -> dict[str, float]:
    """Pairs (precision, recall, F1), BCubed, and the faults that are nowhere the most frequent one of a group."""
    cells = Counter((truth[e], found[e]) for e in truth)
    t_sizes = Counter(truth.values())
    f_sizes = Counter(found[e] for e in truth)
    both, t_pairs, f_pairs = (sum(n * (n - 1) // 2 for n in c.values()) for c in (cells, t_sizes, f_sizes))
    p, r = both / f_pairs if f_pairs else 1.0, both / t_pairs if t_pairs else 1.0
    bp = sum(n * n / f_sizes[f] for (_, f), n in cells.items()) / len(truth)
    br = sum(n * n / t_sizes[t] for (t, _), n in cells.items()) / len(truth)
    inside: dict[str, Counter[str]] = defaultdict(Counter)
    for (t, f), n in cells.items():
        inside[f][t] += n
    seen = {max(sorted(c), key=lambda t: c[t]) for c in inside.values()}
    return {
        "events": len(truth),
        "faults": len(t_sizes),
        "groups": len(f_sizes),
        "precision": p,
        "recall": r,
        "f1": 2 * p * r / (p + r) if p + r else 0.0,
        "b3": 2 * bp * br / (bp + br),
        "hidden": len(t_sizes) - len(seen),
    }


def line(s: dict[str, float]) -> str:
    return "  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in s.items())


def mistakes(rows: dict[str, dict[str, str]], found: dict[str, str], worst: int) -> list[str]:
    of_fault: dict[str, Counter[str]] = defaultdict(Counter)
    of_group: dict[str, Counter[str]] = defaultdict(Counter)
    for i, row in rows.items():
        of_fault[row["group"]][found[i]] += 1
        of_group[found[i]][row["group"]] += 1
    split = [f"split: {t} {dict(c)}" for t, c in of_fault.items() if len(c) > 1]
    merged = [f"merged: {f} {dict(c)}" for f, c in of_group.items() if len(c) > 1]
    return sorted(split, key=len, reverse=True)[:worst] + merged[:worst]


def _wanted(row: dict[str, str], args: argparse.Namespace) -> bool:
    if args.causes and (sum(row["group"].encode()) % 2 == 0) != (args.causes == "even"):
        return False
    return all(str(row[k]) == v for k, _, v in (w.partition("=") for w in args.where))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--worst", type=int, default=0)
    parser.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--restart", type=int, default=0, metavar="EVENTS")
    parser.add_argument("--causes", choices=("even", "odd"), help="only half of the causes, to hold the other one out")
    parser.add_argument("--out", metavar="FILE", help="write {event_id: fault}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
