"""An exception group of several tasks: each leaf a fault of its own, all of them one incident, counted once each."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fivehundred import envelope
from fivehundred.console.config import Layout
from fivehundred.console.digest import Digest
from fivehundred.console.digest_groups import others
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter
from fivehundred.console.store.base import FaultQuery
from fivehundred.console.store.incidents import Incidents
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.event import parse
from fivehundred.event_wire import to_wire
from fivehundred.guard.capture import About, capture


def prices() -> None:
    raise LookupError("no price today")


def stock() -> None:
    raise ValueError("stock is below zero")


def event() -> Any:
    """What the Guard captures of three tasks, two of which fail alike."""

    async def run(task: Any) -> None:
        task()

    async def all_tasks() -> None:
        async with asyncio.TaskGroup() as group:
            for task in (prices, stock, prices):
                group.create_task(run(task))

    try:
        asyncio.run(all_tasks())
    except BaseExceptionGroup as group:
        return to_wire(capture(group, None, About(app_paths=(str(Path(__file__).parent),))))
    raise AssertionError("this was to fail")


def test_leaves_are_faults_of_their_own_and_one_incident(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    store, reader = SqliteStore(layout.database), SegmentReader(layout.spool)
    project = store.create_project("p", now=time.time())
    body = envelope.encode({}, [envelope.Item("event", json.dumps(event()).encode())])

    async def put() -> None:
        writer = SegmentWriter(layout.spool)
        for _ in range(2):  # delivered twice
            await writer.append(Received(project.id, "envelope", time.time(), {}, body))
        await writer.close()

    asyncio.run(put())
    digest = Digest(store, reader)
    while digest.step():
        continue
    faults = store.faults(FaultQuery(state=None), now=time.time()).faults
    assert sorted((f.title, f.events) for f in faults) == [("LookupError", 1), ("ValueError", 1)]
    (incident,) = Incidents(store.database).incidents(limit=9)
    assert (incident.kind, incident.faults) == ("group", (1, 2))
    reader.close()
    store.close()


def test_a_chain_is_no_group() -> None:
    try:
        try:
            prices()
        except LookupError:
            stock()
    except ValueError as e:
        found = parse(to_wire(capture(e, None, About())), received_at=1.8e9)
    assert others(found, 0) == others(found, 1) == []


ids = st.none() | st.integers(-3, 6)
mechanisms = st.fixed_dictionaries(
    {"type": st.just("x"), "exception_id": ids, "parent_id": ids, "is_exception_group": st.booleans()}
)


@given(st.lists(st.fixed_dictionaries({"type": st.sampled_from("ab"), "mechanism": mechanisms}), max_size=8), ids)
def test_any_tree_of_exceptions_is_taken(values: list[Any], root: int | None) -> None:
    found = parse({"exception": {"values": values}}, received_at=1.8e9)
    assert len(others(found, root or 0)) < 10
