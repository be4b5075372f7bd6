"""What is SQLite's own about the store: files, migrations, several processes at once, crashes, damage."""

from __future__ import annotations

import importlib
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from fivehundred import limits
from fivehundred.console.store import bodies as bodies_module
from fivehundred.console.store.base import Batch, Digested, FaultQuery, SchemaTooNew
from fivehundred.console.store.bodies import Body, Codec, Segments
from fivehundred.console.store.delta import heavier
from fivehundred.console.store.sampling import keeps
from fivehundred.console.store.schema import migrations
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import new_id, parse
from fivehundred.fingerprint.model import Fingerprint, Key

now = 1_790_000_000.0


def make(key: str = "k", **raw: Any) -> Digested:
    raw = {"event_id": new_id(), "timestamp": now, **raw}
    fingerprint = Fingerprint(1, (Key("strict", key, ()),), key, "message", "shop.total", 0, 0, ())
    diagnosis = Diagnosis("bug", "likely", "no", "bug.code", "It is a bug.", "Fix it.", "Retrying does not help.")
    event = parse(raw, received_at=now)
    return Digested("1", now, event, json.dumps(raw).encode(), fingerprint, diagnosis)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "data")
    yield opened
    opened.close()


def test_only_the_owner_can_read_what_is_stored(store: SqliteStore, tmp_path: Path) -> None:
    store.write(Batch(events=[make()]), now=now)
    folder = tmp_path / "data"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [folder, *folder.rglob("*")]}
    assert modes["data"] == modes["bodies"] == 0o700
    assert {mode for name, mode in modes.items() if name not in ("data", "bodies")} == {0o600}
    assert {"console.db", "console.db-wal", "00000001.bodies"} <= set(modes)


def test_a_file_name_and_its_folder_name_the_same_store(store: SqliteStore, tmp_path: Path) -> None:
    store.create_project("shop", now=now)
    by_file = SqliteStore(tmp_path / "data" / "console.db")
    assert by_file.projects() == store.projects()
    by_file.close()


def test_a_newer_database_is_refused_and_left_untouched(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    newer = apsw.Connection(str(tmp_path / "console.db"))
    newer.execute(f"PRAGMA user_version = {migrations()[-1][0] + 1}")
    newer.close()
    before = (tmp_path / "console.db").read_bytes()
    with pytest.raises(SchemaTooNew, match=f"schema {migrations()[-1][0] + 1}"):
        SqliteStore(tmp_path)
    assert (tmp_path / "console.db").read_bytes() == before


def test_many_that_open_a_new_folder_at_once_agree_on_its_schema(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def open_one() -> None:
        try:
            SqliteStore(tmp_path / "data").close()
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_readonly_store_reads_while_another_writes_and_changes_nothing(store: SqliteStore, tmp_path: Path) -> None:
    reader = SqliteStore(tmp_path / "data", readonly=True)
    store.write(Batch(events=[make()]), now=now)
    assert reader.faults(FaultQuery(), now=now).total == 1
    with pytest.raises(apsw.ReadOnlyError):
        reader.set_state([1], "resolved", by="ada", now=now)
    reader.close()


def test_triage_from_pages_waits_for_the_digest_and_none_is_lost(store: SqliteStore, tmp_path: Path) -> None:
    store.write(Batch(events=[make(f"k{n}") for n in range(40)]), now=now)
    page = SqliteStore(tmp_path / "data")

    def triage() -> None:
        mine = SqliteStore(tmp_path / "data")
        for fault in range(1, 41):
            mine.set_state([fault], "muted", by="ada", now=now)
        mine.close()

    thread = threading.Thread(target=triage)
    thread.start()
    for _ in range(20):
        store.write(Batch(events=[make(f"k{n}") for n in range(40)]), now=now)
    thread.join()
    assert page.faults(FaultQuery(state="muted"), now=now).total == 40
    assert page.stats(None, hours=1, now=now).events == 21 * 40
    page.close()


def test_what_a_crash_left_behind_the_committed_end_is_overwritten(store: SqliteStore, tmp_path: Path) -> None:
    first, second = make(), make()
    store.write(Batch(events=[first]), now=now)
    with (tmp_path / "data" / "bodies" / "00000001.bodies").open("ab") as file:
        file.write(b"half a payload")
    again = SqliteStore(tmp_path / "data")
    again.write(Batch(events=[second]), now=now)
    for digested in (first, second):
        assert again.event(digested.event.event_id).payload["event_id"] == digested.event.event_id
    again.close()


@pytest.mark.parametrize("harm", ["removed", "damaged"])
def test_a_lost_payload_still_shows_what_the_index_knows(store: SqliteStore, tmp_path: Path, harm: str) -> None:
    digested = make()
    store.write(Batch(events=[digested]), now=now)
    file = tmp_path / "data" / "bodies" / "00000001.bodies"
    if harm == "removed":
        file.unlink()
    else:
        file.write_bytes(bytes(file.stat().st_size))
    found = store.event(digested.event.event_id)
    assert (found.payload, found.summary.message) == ({}, "message")
    assert "damaged" in found.malformed


def test_payloads_go_to_a_new_file_when_one_is_full(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "body_segment_bytes_max", 1)
    written = [make() for _ in range(3)]
    for digested in written:
        store.write(Batch(events=[digested]), now=now)
    assert len(list((tmp_path / "data" / "bodies").iterdir())) == 3
    assert all(store.event(d.event.event_id).payload for d in written)


def test_a_project_gets_a_dictionary_that_shrinks_its_payloads_and_old_ones_stay_readable(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "dictionary_samples", 40)
    monkeypatch.setattr(limits, "payloads_an_hour_max", 10_000)
    frames = [{"module": f"library.part{n}", "function": f"call_{n}", "context_line": "x = y" * 9} for n in range(40)]

    def events() -> list[Digested]:
        return [make(n=n, exception={"values": [{"stacktrace": {"frames": frames}}]}) for n in range(60)]

    before = events()
    store.write(Batch(events=before), now=now)
    deadline = time.monotonic() + 20
    while not lengths(store, "dictionary > 0"):
        assert time.monotonic() < deadline
        after = events()
        store.write(Batch(events=after), now=now)
    with_it, without = lengths(store, "dictionary > 0"), lengths(store, "dictionary = 0")
    assert sum(with_it) / len(with_it) < 0.75 * sum(without) / len(without)
    for digested in (before[0], after[0]):
        assert store.event(digested.event.event_id).payload["exception"]


def lengths(store: SqliteStore, where: str) -> list[int]:
    return [row[0] for row in store.database.rows(f"SELECT length FROM event WHERE {where}")]


def test_the_first_payloads_of_an_hour_are_kept_and_then_ever_fewer() -> None:
    first = limits.payloads_an_hour_max
    assert all(keeps(n) for n in range(1, first + 1))
    assert sum(keeps(n) for n in range(1, 10 * first + 1)) == first + 90
    assert sum(keeps(n) for n in range(1, 1_000_001)) < 5 * first


def test_fewer_payloads_are_kept_while_the_digest_is_behind_and_never_others() -> None:
    first = limits.payloads_an_hour_pressed_max
    assert all(keeps(n, pressed=True) for n in range(1, first + 1))
    assert sum(keeps(n, pressed=True) for n in range(1, 10 * first + 1)) == 2 * first - 1
    assert all(keeps(n) for n in range(1, 100_001) if keeps(n, pressed=True))


def test_impact_halves_with_each_half_life_and_adds_up() -> None:
    six_hours = 6 * 3600.0
    one_now, four_before = heavier(0.0, 1.0, now), heavier(0.0, 4.0, now - six_hours)
    assert four_before - one_now == pytest.approx(1.0)
    assert heavier(one_now, 1.0, now) == pytest.approx(one_now + 1.0)
    assert heavier(one_now, 1.0, now - 400 * six_hours) == pytest.approx(one_now)


def test_a_body_is_written_and_read_with_the_same_dictionary(store: SqliteStore, tmp_path: Path) -> None:
    body = Body(b'{"a": 1}', b"{}", b'{"why": []}')
    trained = bodies_module.train([os.urandom(8) + b'{"common": "part of every sample"}' * 9 for _ in range(99)], 4096)
    for codec in (Codec(), Codec(trained)):
        assert codec.unpack(codec.pack(body)) == body
    segments = Segments(tmp_path / "bodies", store.database)
    place = segments.append(1, 0, Codec(trained).pack(body))
    segments.sync()
    with pytest.raises(bodies_module.BodyError):
        Codec().unpack(segments.read(place))
    segments.close()


def test_every_released_migration_has_a_number_of_its_own() -> None:
    folder = Path(importlib.import_module("fivehundred.console.store").__file__ or "").parent / "migrations"
    names = sorted(p.name for p in folder.glob("*.sql"))
    assert len({name[:4] for name in names}) == len(names)
    assert len(names) == len(migrations())
