"""Three NATS servers, PostgreSQL, two ingest nodes and two digest workers on this machine, under load.

python bench/scale.py --seconds 10

How fast it accepts and digests, and that nothing is lost when a server is killed in the middle. All of it shares one
machine with the loader: the figures say that it works and what it costs, not what machines of their own would do.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.console.installation import Installation
from tests.console.running import load


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=8, help="to each ingest node")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder)) as installation:
        acknowledged: list[str] = []

        def send(node: int) -> None:
            acknowledged.extend(asyncio.run(load(installation.dsn(node), args.seconds, args.connections)))

        threads = [threading.Thread(target=send, args=(node,)) for node in (0, 1)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        time.sleep(args.seconds / 2)
        installation.servers.kill(0)
        for thread in threads:
            thread.join()
        accepted_s = time.monotonic() - began
        installation.servers.start(0)
        installation.digested()
        all_s = time.monotonic() - began
        counted = installation.events()
    print(
        f"{len(acknowledged)} acknowledged in {accepted_s:.1f} s ({len(acknowledged) / accepted_s:.0f}/s), one server"
        f" killed in the middle; all digested after {all_s:.1f} s ({counted / all_s:.0f}/s); {counted} counted"
    )
    return 0 if counted >= len(acknowledged) else 1


if __name__ == "__main__":
    sys.exit(main())
