"""What an installation for so many events a second needs: processes, disks, money. A calculation, not a measurement.

python bench/cost_model.py --events 100000 --kept-share 0.01

Every constant has its source beside it: a figure measured by a script of this folder, or an assumption to replace.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

# measured here (bench/ingest.md, bench/digest.md), one core of a shared virtual machine
ACCEPT_US = 110.0  # processor time of one accepted event, HTTP and sync included
KEPT_US = 3_000.0  # digest of an event whose payload is kept
COUNTED_US = 540.0  # digest of an event that is only counted
REQUEST_BYTES = 6_400  # gzip, as SDKs send it
KEPT_BYTES = 3_750  # database and payload of a kept event
COUNTED_BYTES = 180  # its row in the table of seen ids, with index
# assumptions
CORE_EVENTS_SHARE = 0.6  # of a core that may be used on average: peaks, restarts, one node less
NATS_BYTES_S = 50e6  # one stream of three replicas with sync_interval always: 8,000 messages of 6 kB a second
POSTGRES_ROWS_S = 15_000  # binary COPY into one PostgreSQL (design measurement); beyond it: more databases by project
CORE_EUR_MONTH = 12.0
DISK_EUR_GB_MONTH = 0.05


@dataclass(frozen=True, slots=True)
class Need:
    ingest_cores: int
    digest_cores: int
    partitions: int
    postgres: int
    clickhouse_gb: float
    disk_gb: float
    eur_month: float


def need(events_s: float, kept_share: float, days: int) -> Need:
    """``kept_share``: of events whose payload is kept; the rest are counted (storms: 1 % and less)."""
    usable = 1e6 * CORE_EVENTS_SHARE
    ingest = math.ceil(events_s * ACCEPT_US / usable)
    digest = math.ceil(events_s * (kept_share * KEPT_US + (1 - kept_share) * COUNTED_US) / usable)
    # a project is one worker's: the largest must fit into one, so projects beyond that need splitting by key
    partitions = max(8, 2 ** math.ceil(math.log2(max(1, digest, events_s * REQUEST_BYTES / NATS_BYTES_S))))
    postgres = math.ceil(events_s / POSTGRES_ROWS_S)
    seconds = days * 86_400
    disk = events_s * seconds * (kept_share * KEPT_BYTES + (1 - kept_share) * COUNTED_BYTES) / 1e9
    index = events_s * seconds * 40 / 1e9 if postgres > 4 else 0.0  # columns compress to some 40 bytes a row
    cores = ingest + digest + 3 * math.ceil(partitions / 8) + 4 * postgres
    return Need(ingest, digest, partitions, postgres, index, disk, cores * CORE_EUR_MONTH + disk * DISK_EUR_GB_MONTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=float, default=0, help="a second; without it a table")
    parser.add_argument("--kept-share", type=float, default=0.05)
    parser.add_argument("--days", type=int, default=30)
    args = parser.parse_args()
    rates = [args.events] if args.events else [10, 100, 1_000, 10_000, 100_000, 1_000_000]
    print(f"payloads kept: {args.kept_share:.0%}, for {args.days} days\n")
    print("| events/s | ingest cores | digest cores | partitions | PostgreSQL | event index | disk | EUR/month |")
    print("|---|---|---|---|---|---|---|---|")
    for rate in rates:
        n = need(rate, args.kept_share, args.days)
        index = f"ClickHouse, {n.clickhouse_gb:,.0f} GB" if n.clickhouse_gb else "in PostgreSQL"
        print(
            f"| {rate:,.0f} | {n.ingest_cores} | {n.digest_cores} | {n.partitions} | {n.postgres} | {index} |"
            f" {n.disk_gb:,.0f} GB | {n.eur_month:,.0f} |"
        )


if __name__ == "__main__":
    main()
