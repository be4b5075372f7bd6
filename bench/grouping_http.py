"""Labelled events through the front door: post them to a Console, wait until they are digested, score the faults.

    .venv/bin/fivehundred console --data /tmp/console --json &
    .venv/bin/python bench/grouping_http.py --dsn DSN --data FOLDER

FOLDER holds ``envelopes.jsonl.gz`` (a line an envelope: ``{"event_id", "envelope"}``) and ``truth.jsonl`` (a line an
event: ``{"event_id", "group", "set"}``). B3 weighs every event alike; a fault is hidden when it is nowhere the most
frequent one of a group.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

from fivehundred.envelope import Dsn

digested_s_max = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--data", required=True, type=Path)
    args = parser.parse_args()
    dsn = Dsn.parse(args.dsn)
    truth = [json.loads(line) for line in (args.data / "truth.jsonl").open(encoding="utf-8")]
    began = time.monotonic()
    codes = post(dsn, args.data / "envelopes.jsonl.gz")
    print(f"posted {sum(codes.values())} in {time.monotonic() - began:.1f} s, answers {dict(codes)}")
    faults = placed(dsn, [row["event_id"] for row in truth])
    print(f"digested after {time.monotonic() - began:.1f} s; lost {len(truth) - len(faults)}")
    for name in sorted({row["set"] for row in truth}):
        rows = {row["event_id"]: row["group"] for row in truth if row["set"] == name}
        print(f"{name:10} {line(rows, faults)}")
    return 0 if len(faults) == len(truth) else 1


def post(dsn: Dsn, path: Path) -> Counter[int]:
    connection = http.client.HTTPConnection(dsn.host, dsn.port, timeout=30)
    codes: Counter[int] = Counter()
    headers = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={dsn.key}"}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for entry in lines:
            connection.request("POST", dsn.envelope_path, json.loads(entry)["envelope"].encode(), headers)
            answer = connection.getresponse()
            answer.read()
            codes[answer.status] += 1
    return codes


def placed(dsn: Dsn, event_ids: list[str]) -> dict[str, int]:
    """event id -> fault, as the API says; waits for those that are still in the backlog."""
    connection = http.client.HTTPConnection(dsn.host, dsn.port, timeout=30)
    found: dict[str, int] = {}
    deadline = time.monotonic() + digested_s_max
    for event_id in reversed(event_ids):  # the newest first: once that is there, all are
        while event_id not in found:
            connection.request("GET", f"/api/v1/events/{event_id}")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                found[event_id] = json.loads(body)["fault"]
            elif time.monotonic() > deadline:
                break
            else:
                time.sleep(0.1)
    return found


def line(truth: dict[str, str], found: dict[str, int]) -> str:
    cells = Counter((group, found.get(event, -1)) for event, group in truth.items())
    groups, faults = Counter(truth.values()), Counter(found.get(event, -1) for event in truth)
    precision = sum(n * n / faults[fault] for (_, fault), n in cells.items()) / len(truth)
    recall = sum(n * n / groups[group] for (group, _), n in cells.items()) / len(truth)
    content: dict[int, Counter[str]] = defaultdict(Counter)
    for (group, fault), n in cells.items():
        content[fault][group] += n
    hidden = len(groups) - len({counts.most_common(1)[0][0] for counts in content.values()})
    pairs = sum(n * (n - 1) for n in cells.values()) / max(1, sum(n * (n - 1) for n in faults.values()))
    f1 = 2 * precision * recall / (precision + recall)
    return (
        f"events {len(truth):5} causes {len(groups):4} faults {len(faults):4} | B3 F1 {f1:.3f} "
        f"pair precision {pairs:.3f} hidden {hidden}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
