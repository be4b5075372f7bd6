"""Who was erased does not come back with what was accepted before and is digested after it: segment files, JetStream's
kind of digest, and a batch that is being written in that very moment."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.console.store import conftest as stores

from fivehundred.cli import main
from fivehundred.console.config import Layout
from fivehundred.console.digest import Digest
from fivehundred.console.spool.base import Door, Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import FaultQuery
from fivehundred.console.store.erasure_orders import ErasureOrders
from fivehundred.console.store.nodes import Marks
from fivehundred.console.store.relational import RelationalStore
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.event import new_id

ada = "ada.lovelace"
empty_sqlite, postgres, postgres_url = stores.empty_sqlite, stores.postgres, stores.postgres_url
open_store, store = stores.open_store, stores.store


@dataclass
class Waiting:
    """A spool in memory: what waits is a list."""

    records: list[Received] = field(default_factory=list)
    damaged: int = 0

    def read(self, offset: str, *, records_max: int, bytes_max: int) -> Sequence[tuple[str, Received]]:
        first = int(offset or 0)
        return [(str(n + 1), record) for n, record in enumerate(self.records)][first : first + records_max]

    def wait(self, offset: str, timeout_s: float) -> bool:
        return True

    def commit(self, offset: str) -> None:
        """It stays in the list."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def envelope(at: float, *items: tuple[str, dict[str, Any]], door: Door = "envelope") -> Received:
    lines = [json.dumps({"event_id": new_id()})]
    for kind, payload in items:
        lines += [json.dumps({"type": kind}), json.dumps(payload)]
    return Received("1", door, at, {"content_encoding": "identity"}, "\n".join(lines).encode())


def failed(text: str = "no such order", **more: Any) -> tuple[str, dict[str, Any]]:
    frame = {"function": "total", "module": "shop", "lineno": 3, "in_app": True, "vars": {"street": "St James's"}}
    raised = {"type": "KeyError", "value": text, "stacktrace": {"frames": [frame]}}
    return "event", {"platform": "python", "exception": {"values": [raised]}, **more}


def digested(store: RelationalStore, waiting: Waiting, *, workers: bool = False) -> None:
    digest = Digest(store, waiting, mark=Marks(store.database, "p0") if workers else None)
    while digest.step():
        pass


def everything(store: RelationalStore) -> str:
    """All texts of all tables that events fill, and all payloads."""
    faults = store.faults(FaultQuery(state=None, limit=50), now=time.time()).faults
    details = [store.fault(f.id, now=time.time()) for f in faults]
    events = [store.event(e.event_id) for f in faults for e in store.events(f.id, project="1", cursor="", limit=50)[0]]
    words = store.database.rows("SELECT words FROM fault_words")
    said = store.database.rows("SELECT name, email, message FROM feedback")
    bad = [bytes(row[0]) for row in store.database.rows("SELECT data FROM malformed")]
    return repr((details, events, words, said, bad))


@pytest.mark.parametrize("workers", [False, True])
def test_what_waits_is_stored_without_the_person_and_counted(
    store: RelationalStore, waiting: Waiting, workers: bool
) -> None:
    now = time.time()
    waiting.records = [
        envelope(now - 9, failed(user={"id": "bob"})),
        envelope(now - 8, failed(user={"id": ada})),
        envelope(now - 7, failed(f"no order of {ada.upper()}", extra={"note": "x"}, user={"id": "bob"})),
    ]
    ErasureOrders(store.database).add(ada, anywhere=True, now=now)
    digested(store, waiting, workers=workers)
    assert ada not in everything(store).lower()
    faults = store.faults(FaultQuery(limit=50), now=now).faults
    assert sum(f.events for f in faults) == 3
    assert store.database.number("SELECT count(*) FROM event") == 1
    assert "[erased]" in everything(store)


def test_who_comes_back_after_the_order_is_stored_as_before(store: RelationalStore, waiting: Waiting) -> None:
    now = time.time()
    ErasureOrders(store.database).add(ada, anywhere=True, now=now - 5)
    waiting.records = [envelope(now - 1, failed(user={"id": ada}))]
    digested(store, waiting)
    assert ada in everything(store)


def test_a_short_id_is_looked_for_where_events_say_who_the_user_was(store: RelationalStore, waiting: Waiting) -> None:
    now = time.time()
    ErasureOrders(store.database).add("42", anywhere=False, now=now)
    waiting.records = [envelope(now - 2, failed(user={"id": 42})), envelope(now - 1, failed("42 apples"))]
    digested(store, waiting)
    assert store.database.number("SELECT count(*) FROM event") == 1
    assert store.database.number("SELECT count(*) FROM fault_user") == 0
    assert "42 apples" in everything(store)


def test_what_the_person_wrote_and_what_cannot_be_read_is_dropped(store: RelationalStore, waiting: Waiting) -> None:
    now = time.time()
    report = {"event_id": new_id(), "name": "Ada", "email": f"{ada}@example.org", "comments": "It broke."}
    waiting.records = [
        envelope(now - 3, ("user_report", report), ("user_report", {**report, "email": "", "comments": f"I am {ada}"})),
        envelope(now - 2, ("user_report", {**report, "email": "bob@example.org"})),
        Received("1", "store", now - 1, {"content_encoding": "identity"}, f"{{'user': '{ada}'".encode()),
    ]
    ErasureOrders(store.database).add(ada, anywhere=True, now=now)
    digested(store, waiting)
    assert store.database.rows("SELECT email FROM feedback") == [("bob@example.org",)]
    assert ada not in everything(store)
    tallies = {(t.outcome, t.reason): t.quantity for t in store.stats(None, hours=1, now=now).tallies}
    assert tallies["dropped", "erased"] == 2


def test_names_written_as_escapes_and_in_opentelemetry_are_found(store: RelationalStore, waiting: Waiting) -> None:
    now = time.time()
    attributes = [{"key": "exception.type", "value": {"stringValue": "KeyError"}},
                  {"key": "exception.message", "value": {"stringValue": "élise.é is gone"}},
                  {"key": "enduser.id", "value": {"stringValue": "Élise.É"}}]  # fmt: skip
    log = {"timeUnixNano": str(int(now * 1e9)), "severityNumber": 17, "attributes": attributes}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}).encode()
    meta = {"content_encoding": "identity", "content_type": "application/json"}
    waiting.records = [
        Received("1", "otlp_logs", now - 2, meta, body),
        envelope(now - 1, failed("of \u00e9lise.\u00e9")),
    ]
    ErasureOrders(store.database).add("élise.é", anywhere=True, now=now)
    digested(store, waiting)
    assert "lise" not in everything(store).lower()
    assert sum(f.events for f in store.faults(FaultQuery(limit=9), now=now).faults) == 2


def test_an_order_is_forgotten_when_nothing_from_before_it_can_wait(store: RelationalStore, waiting: Waiting) -> None:
    now = time.time()
    orders = ErasureOrders(store.database)
    orders.add(ada, anywhere=True, now=now - 3_600)
    waiting.records = [envelope(now - 3_601, failed())]
    digested(store, waiting, workers=True)  # others may still have something from before
    assert [order.name for order in orders.all()] == [ada]
    orders.add(ada, anywhere=True, now=now - 31 * 86_400)
    waiting.records.append(envelope(now, failed()))
    digested(store, waiting, workers=True)
    assert orders.all() == []


def test_one_digest_alone_forgets_an_order_once_it_has_read_past_it(store: RelationalStore, waiting: Waiting) -> None:
    now = time.time()
    orders = ErasureOrders(store.database)
    orders.add(ada, anywhere=True, now=now - 100)
    waiting.records = [envelope(now - 101, failed())]
    digest = Digest(store, waiting)
    digest.step()
    assert len(orders.all()) == 1
    digest.step()  # nothing waits
    assert orders.all() == []


def test_a_batch_that_is_written_while_the_order_comes_is_waited_for_or_made_again(
    open_store: Callable[[], RelationalStore], store: RelationalStore, waiting: Waiting
) -> None:
    """Whichever comes first: in the end the person is nowhere."""
    now = time.time()
    waiting.records = [envelope(now - 1, failed(f"{n} of {ada}", user={"id": ada})) for n in range(40)]
    begun = threading.Event()

    def erase() -> None:
        other = open_store()
        begun.wait(10)
        ErasureOrders(other.database).add(ada, anywhere=True, now=now)
        other.eraser.erase(ada, anywhere=True)
        other.close()

    thread = threading.Thread(target=erase)
    thread.start()
    digest = Digest(store, waiting)
    begun.set()
    while digest.step():
        pass
    thread.join(30)
    assert ada not in everything(store)
    assert sum(f.events for f in store.faults(FaultQuery(limit=99), now=now).faults) == 40


def test_an_order_that_comes_between_reading_and_writing_makes_the_batch_again(
    open_store: Callable[[], RelationalStore], store: RelationalStore, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    waiting.records = [envelope(now - 1, failed(f"of {ada}", user={"id": ada}))]
    other = open_store()
    digest = Digest(store, waiting)
    write, times = store.write, []

    def late(*args: Any, **more: Any) -> None:
        times.append(1)
        if len(times) == 1:
            ErasureOrders(other.database).add(ada, anywhere=True, now=now)
        write(*args, **more)

    monkeypatch.setattr(store, "write", late)
    while digest.step():
        pass
    other.close()
    assert len(times) == 2
    assert ada not in everything(store)


def test_the_command_remembers_what_waits_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout(tmp_path)
    own = SqliteStore(layout.database)

    async def append() -> None:
        writer = SegmentWriter(layout.spool)
        await writer.append(envelope(time.time(), failed(f"of {ada}", user={"id": ada})))
        await writer.close()

    asyncio.run(append())
    assert main(["erase", "--user", ada, "--data", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "is erased when it is digested" in said
    assert "LEFT: events that are not digested yet" in said
    digest = Digest(own, SegmentReader(layout.spool))
    while digest.step():
        pass
    assert ada not in everything(own)
    assert main(["erase", "--user", ada, "--data", str(tmp_path)]) == 0  # nothing waits: no order stays
    own.close()
    assert [f for f in tmp_path.rglob("*") if f.is_file() and ada.encode() in f.read_bytes()] == []
