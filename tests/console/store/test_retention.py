"""What is deleted by age, by count and by size, on a real store; and what must survive it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fivehundred import limits
from fivehundred.console.store.base import Digested, FaultQuery, NotFound, Retention, Store
from fivehundred.event import new_id

now = 1_790_000_000.0
day = 86_400.0
Make = Callable[..., Digested]
Write = Callable[..., None]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "body_segment_bytes_max", 500_000)
    monkeypatch.setattr(limits, "payloads_an_hour_max", 10**9)


@pytest.fixture
def body(make: Make) -> Make:
    """An event whose payload cannot be compressed."""
    return lambda key, size=1_500, **raw: make(key, extra={"noise": os.urandom(size).hex()}, **raw)


def settle(store: Store, rules: Retention, at: float = now) -> None:
    for _ in range(10_000):
        if not store.retain(rules, now=at, busy=False):
            return
    raise AssertionError("retention does not come to an end")


@pytest.fixture
def room(store: Store) -> int:
    """What an empty PostgreSQL database takes: it is none of what retention can give back."""
    return 0 if store.database.dialect == "sqlite" else on_disk(store, Path())


def on_disk(store: Store, folder: Path) -> int:
    if store.database.dialect == "postgresql":
        return store.database.number("SELECT pg_database_size(current_database())") or 0
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def is_kept(store: Store, event: Digested) -> bool:
    return store.event(event.event.event_id).summary.kept


def test_old_events_and_faults_go_and_young_ones_stay(store: Store, write: Write, make: Make) -> None:
    old, young = make("old", at=now - 91 * day), make("young", at=now - 89 * day)
    write(old, at=now - 91 * day)
    write(young, at=now - 89 * day)
    settle(store, Retention(days=90))
    assert [f.title for f in store.faults(FaultQuery(), now=now).faults] == ["ZeroDivisionError young"]
    assert is_kept(store, young)
    with pytest.raises(NotFound):
        store.event(old.event.event_id)


def test_an_old_payload_of_a_living_fault_goes_and_its_count_stays(store: Store, write: Write, make: Make) -> None:
    old, young = make("k", at=now - 91 * day), make("k", at=now)
    write(old, young)
    settle(store, Retention(days=90))
    fault = store.faults(FaultQuery(), now=now).faults[0]
    assert fault.events == 2
    assert is_kept(store, young)
    assert store.events(fault.id, project="1", cursor="", limit=10)[0][0].event_id == young.event.event_id


def test_what_expired_is_not_counted_again_when_it_comes_once_more(store: Store, write: Write, make: Make) -> None:
    again = make("k", at=now - day)
    write(make("k"), again)
    settle(store, Retention(days=0.5))
    write(again, at=now)
    assert store.faults(FaultQuery(), now=now).faults[0].events in (2, 3)  # its id may be forgotten with it


def test_the_disk_is_kept_and_two_loud_faults_do_not_push_out_the_quiet_ones(
    store: Store, write: Write, body: Make, tmp_path: Path, room: int
) -> None:
    rules = Retention(disk_bytes_max=15_000_000 + room)
    quiet = [body(f"quiet{n}") for n in range(20)]
    write(*quiet)
    for _ in range(40):
        write(*(body(f"loud{n % 2}", 15_000) for n in range(30)))
        store.retain(rules, now=now, busy=True)
        assert on_disk(store, tmp_path) < rules.disk_bytes_max * 1.05
    settle(store, rules)
    assert all(is_kept(store, event) for event in quiet)
    assert all(store.event(e.event.event_id).payload["extra"] == e.event.extra for e in quiet)
    assert sum(f.events for f in store.faults(FaultQuery(limit=100), now=now).faults) == 1220
    assert on_disk(store, tmp_path) > rules.disk_bytes_max * 0.5  # and no more is deleted than must be


def test_even_when_every_event_is_a_fault_of_its_own_the_disk_is_kept(
    store: Store, write: Write, body: Make, tmp_path: Path, room: int
) -> None:
    rules = Retention(disk_bytes_max=15_000_000 + room)
    for batch in range(30):
        write(*(body(f"k{batch}-{n}", 15_000) for n in range(50)))
        while store.retain(rules, now=now, busy=True):
            pass
    assert on_disk(store, tmp_path) < rules.disk_bytes_max * 1.05


def test_a_fault_keeps_its_newest_payloads(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "payloads_a_fault_max", 3)
    events = [make("k", at=now + n) for n in range(8)]
    write(*events, make("other"))
    settle(store, Retention())
    assert [is_kept(store, e) for e in events] == [False] * 5 + [True] * 3


def bodies_there(store: Store, folder: Path) -> list[int]:
    if store.database.dialect == "sqlite":
        return sorted(int(file.stem) for file in folder.rglob("*.bodies"))
    tables = store.database.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'body%' ORDER BY tablename")
    return [int(row[0][5:]) for row in tables]


def test_files_of_a_process_that_died_while_deleting_are_removed(
    store: Store, write: Write, body: Make, tmp_path: Path, open_store: Callable[[], Store]
) -> None:
    for _ in range(5):
        write(*(body("k", 15_000) for _ in range(50)))
    assert bodies_there(store, tmp_path)[0] == 1
    settle(store, Retention(disk_bytes_max=2_000_000))
    assert 1 not in bodies_there(store, tmp_path)
    if store.database.dialect == "sqlite":
        (tmp_path / "data" / "bodies" / "00000001.bodies").write_bytes(b"left behind")
    else:
        store.database.execute("CREATE TABLE body_00000001 (place BIGINT)")
    reopened = open_store()
    settle(reopened, Retention(disk_bytes_max=2_000_000))
    reopened.close()
    assert 1 not in bodies_there(store, tmp_path)


def test_nothing_is_deleted_within_the_limits(store: Store, write: Write, make: Make) -> None:
    events = [make(f"k{n}", event_id=new_id()) for n in range(50)]
    write(*events)
    settle(store, Retention())
    assert all(is_kept(store, event) for event in events)
