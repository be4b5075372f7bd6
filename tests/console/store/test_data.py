"""Backup and restore, export and import, erase: on real stores, and across the two databases."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fivehundred.console.backup import BackupError, backup, restore
from fivehundred.console.config import Layout
from fivehundred.console.export import export
from fivehundred.console.importing import ImportRefused, foreign_events, sent, take
from fivehundred.console.store import bodies as bodies_module
from fivehundred.console.store.base import Batch, Digested, FaultQuery, Feedback, Malformed, Tally
from fivehundred.console.store.erasing import named
from fivehundred.console.store.postgres import PostgresStore
from fivehundred.console.store.relational import RelationalStore
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.event import new_id

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

now = 1_790_000_000.0
Make = Callable[..., Digested]


@pytest.fixture
def filled(store: RelationalStore, make: Make) -> RelationalStore:
    store.create_project("shop", now=now)
    events = [make(f"k{n % 4}", user={"id": f"u{n % 7}"}, tags={"n": str(n)}, release="1.0") for n in range(230)]
    malformed = Malformed("1", now, new_id(), "not JSON", b"{\xff")
    words = Feedback("1", events[0].event.event_id, now, "Ada", "ada@example.org", "It broke.")
    tally = Tally("1", "received", "event", "", "", 230)
    batch = Batch(events=events, malformed=[malformed], tallies=[tally], feedback=[words])
    batch.memories["1"] = {"helpers": ["x"]}
    store.write(batch, now=now)
    store.set_state([2], "resolved", by="ada", now=now)
    return store


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RelationalStore]:
    """Another, empty store."""
    if request.param == "sqlite":
        store: RelationalStore = SqliteStore(tmp_path / "other")
        yield store
        store.close()
        return
    postgres = request.getfixturevalue("postgres")
    name = postgres.take()
    store = PostgresStore(postgres.url(name))
    yield store
    store.close()
    postgres.give_back(name)


def exported(store: RelationalStore) -> bytes:
    out = io.BytesIO()
    export(store, out, now=now)
    return out.getvalue()


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def known(store: RelationalStore) -> list[Any]:
    """What pages show, without numbers that each store gives itself."""
    found: list[Any] = [store.projects(), store.stats(None, hours=24, now=now), store.memory("1")]
    for fault in sorted(store.faults(FaultQuery(state=None), now=now).faults, key=lambda f: f.title):
        detail = store.fault(fault.id, now=now)
        events = store.events(fault.id, project=None, cursor="", limit=200)[0]
        payloads = [store.event(event.event_id).payload for event in events]
        found.append([fault.title, fault.state, fault.events, fault.users, fault.trend, detail.tags, detail.history,
                      detail.diagnosis, [event.event_id for event in events], payloads])  # fmt: skip
    return found


# ---- export and import -----------------------------------------------------------------------------


def test_an_export_taken_in_elsewhere_shows_the_same(filled: RelationalStore, other: RelationalStore) -> None:
    take(other, io.BytesIO(exported(filled)), now=now)
    assert known(other) == known(filled)
    found = other.faults(FaultQuery(text="k2"), now=now)
    assert found.total == 1
    assert other.event(filled.malformed("1", limit=1)[0].event_id).malformed == "not JSON"


def test_taken_in_twice_or_cut_short_and_again_nothing_is_doubled(
    filled: RelationalStore, other: RelationalStore
) -> None:
    data = exported(filled)
    take(other, io.BytesIO(b"".join(data.splitlines(keepends=True)[:60])), now=now)
    take(other, io.BytesIO(data), now=now)
    again = take(other, io.BytesIO(data), now=now)
    assert (again.projects, again.faults, again.events, again.counted) == (0, 0, 0, 0)
    assert known(other) == known(filled)


def test_a_second_delivery_of_what_was_taken_in_counts_nothing(
    filled: RelationalStore, other: RelationalStore, make: Make
) -> None:
    take(other, io.BytesIO(exported(filled)), now=now)
    before = other.stats("1", hours=24, now=now).events
    ids = [row[0].hex() for row in filled.database.rows("SELECT event_id FROM seen ORDER BY event_id LIMIT 50")]
    other.write(Batch(events=[make("k0", event_id=one) for one in ids]), now=now)
    assert other.stats("1", hours=24, now=now).events == before


def test_events_of_a_fault_that_was_here_are_counted_once(
    filled: RelationalStore, other: RelationalStore, make: Make
) -> None:
    data = exported(filled)
    project = lines(data)[1]["project"]
    other.intake.project(project)
    other.write(Batch(events=[make("k0"), make("k0")]), now=now)
    for _ in range(2):
        take(other, io.BytesIO(data), now=now)
    kept = sum("event" in line and line["event"]["fault"] == 1 for line in lines(data))
    assert other.fault(1, now=now).fault.events == 2 + kept


def test_a_project_whose_number_is_taken_gets_another(filled: RelationalStore, other: RelationalStore) -> None:
    mine = other.create_project("mine", now=now)
    take(other, io.BytesIO(exported(filled)), now=now)
    assert [(p.id, p.name) for p in other.projects()] == [("1", "mine"), ("2", "shop")]
    assert other.faults(FaultQuery(project=mine.id, state=None), now=now).total == 0
    assert other.faults(FaultQuery(project="2", state=None), now=now).total == 4


@pytest.mark.parametrize(
    "data",
    [b"", b"[]\n", b'{"export": {"format": 99}}\n', b'{"fault": {}}\n', b'{"export": {"format": 1}}\n{"fault": {"id"',
     b'{"export": {"format": 1}}\n{"event": {"fault": 7}}\n', b"\xff\xfe\n",
     b'{"export": {"format": 1}}\n{"fault": 5}'],
)  # fmt: skip
def test_a_damaged_export_is_refused_with_its_line(other: RelationalStore, data: bytes) -> None:
    with pytest.raises(ImportRefused, match=r"line|empty"):
        take(other, io.BytesIO(data), now=now)


def test_events_of_other_trackers_are_read_from_lines_lists_and_api_answers() -> None:
    one, two, three = new_id(), new_id(), new_id()
    api = {
        "eventID": two, "dateCreated": "2026-11-24T10:00:00Z", "tags": [{"key": "environment", "value": "eu"}],
        "entries": [{"type": "exception", "data": {"values": [{"type": "E", "stacktrace": {"frames": [
            {"absPath": "/a.py", "lineNo": 2, "inApp": True, "context": [[1, "a"], [2, "b"], [3, "c"]]}]}}]}}],
    }  # fmt: skip
    text = json.dumps([{"event_id": one}, api, {"data": {"event_id": three}}, {"other": 1}, 5], indent=1)
    found = list(foreign_events(io.BytesIO(text.encode())))
    assert [event["event_id"] for event in found] == [one, two, three]
    frame = found[1]["exception"]["values"][0]["stacktrace"]["frames"][0]
    assert (frame["abs_path"], frame["lineno"], frame["context_line"], frame["post_context"]) == (
        "/a.py",
        2,
        "b",
        ["c"],
    )
    assert found[1]["environment"] == "eu"
    assert len(list(foreign_events(io.BytesIO(b'{"event_id": "%s"}\n\n{"x": 1}\n' % one.encode())))) == 1
    assert sent({"entries": "x"}) is None
    assert sent({"id": "05cb", "event_id": one, "project": 1, "digest_order": 1}) is None  # a row of Bugsink's list


# ---- erase -----------------------------------------------------------------------------------------


def test_everything_of_a_person_is_gone_and_all_others_stay(store: RelationalStore, make: Make) -> None:
    ada = {"id": "ada.lovelace", "ip_address": "10.9.8.7"}
    hers = [make("k", user=ada), make("k", message="ada.lovelace cannot pay"), make("k", tags={"who": "ADA.lovelace"})]
    others = [make("k", user={"id": "ada.lovelaces"}), make("k", user={"id": "bob", "ip_address": "10.9.8.77"})]
    words = Feedback("1", hers[0].event.event_id, now, "Ada", "", "It is me, ada.lovelace!")
    bad = Malformed("1", now, new_id(), "not JSON", b"{ada.lovelace")
    store.write(Batch(events=[*hers, *others], feedback=[words], malformed=[bad]), now=now)
    done = store.eraser.erase("ada.lovelace", anywhere=True)
    store.tidy()
    assert (done["payloads"], done["feedback"], done["malformed"]) == (3, 1, 1)
    assert b"ada.lovelace\\"[:-1] not in exported(store).lower().replace(b"ada.lovelaces", b"")
    assert [store.event(one.event.event_id).summary.kept for one in (*hers, *others)] == [False] * 3 + [True] * 2
    assert store.fault(1, now=now).fault.events == 5
    assert store.eraser.erase("ada.lovelace", anywhere=True) == {}


def test_an_address_is_erased_where_it_stands_alone(store: RelationalStore, make: Make) -> None:
    near = [make("k", tags={"peer": ip}) for ip in ("10.9.8.7", "10.9.8.77", "110.9.8.7", "1.10.9.8.7")]
    store.write(Batch(events=near), now=now)
    assert store.eraser.erase("10.9.8.7", anywhere=True)["payloads"] == 1


def test_a_short_id_is_looked_for_only_where_events_name_the_user(store: RelationalStore, make: Make) -> None:
    store.write(Batch(events=[make("k", user={"id": "42"}), make("k", tags={"n": "42"})]), now=now)
    assert store.eraser.erase("42", anywhere=False) == {"payloads": 1, "users of faults": 1}


def test_nothing_in_the_folder_holds_what_was_erased(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bodies_module.Codec, "pack", lambda self, body: bodies_module.join(body)
    )  # readable on the disk
    store = SqliteStore(tmp_path)
    for n in range(5):
        events = [make("k", user={"id": "ada.lovelace"}, tags={f"t{n}": "ada.lovelace"}), make("k")]
        store.write(Batch(events=events), now=now)
    assert any(b"ada.lovelace" in file.read_bytes() for file in tmp_path.rglob("*.bodies"))
    store.eraser.erase("ada.lovelace", anywhere=True)
    store.tidy()
    store.close()
    left = [file for file in tmp_path.rglob("*") if file.is_file() and b"ada.lovelace" in file.read_bytes()]
    assert left == []


def test_a_dictionary_that_holds_the_name_is_given_up(store: RelationalStore, make: Make) -> None:
    store.create_project("shop", now=now)
    sample = b'{"user": {"id": "ada.lovelace"}, "x": "part of every sample"}'
    trained = bodies_module.train([os.urandom(8) + sample * 9 for _ in range(99)], 4096)
    store.database.insert("dictionary", {"project": "1", "created_at": now, "bytes": trained})
    event = make("k")
    store.write(Batch(events=[event]), now=now)
    (number,) = store.eraser.dictionaries("ada.lovelace")
    assert store.eraser.forget_dictionary(number) == 1
    assert store.eraser.dictionaries("ada.lovelace") == []
    assert store.event(event.event.event_id).payload["transaction"] == "/orders/{id}"


@pytest.mark.parametrize(("name", "text"), [("é.a", '"\\u00e9.a"'), ("a-b", "x a-b."), ("x@y.z", "<x@y.z>")])
def test_a_name_is_found_as_json_writes_it(name: str, text: str) -> None:
    assert named(name).search(text)


# ---- backup and restore ----------------------------------------------------------------------------


def test_a_backup_taken_while_the_store_is_written_is_whole(tmp_path: Path, make: Make) -> None:
    layout = Layout(tmp_path / "data")
    store, stop, wrote = SqliteStore(layout.database), threading.Event(), threading.Event()
    store.write(Batch(events=[make("k0")]), now=now)

    def write() -> None:
        mine = SqliteStore(layout.database)
        while not stop.is_set():
            mine.write(Batch(events=[make(f"k{n}") for n in range(20)]), now=now)
            wrote.set()
        mine.close()

    writer = threading.Thread(target=write)
    writer.start()
    wrote.wait(10)
    backup(layout, tmp_path / "b.tar.zst")
    stop.set()
    writer.join()
    saved = restore(tmp_path / "b.tar.zst", Layout(tmp_path / "again"))
    again = SqliteStore(tmp_path / "again")
    events = again.events(None, project=None, cursor="", limit=200)[0]
    assert saved.payloads >= 20
    assert all(again.event(event.event_id).payload for event in events)
    assert (tmp_path / "b.tar.zst").stat().st_mode & 0o077 == 0
    again.close()
    store.close()


def test_a_backup_is_restored_into_an_empty_folder_only(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "data").close()
    backup(Layout(tmp_path / "data"), tmp_path / "b.tar.zst")
    with pytest.raises(BackupError, match="not empty"):
        restore(tmp_path / "b.tar.zst", Layout(tmp_path / "data"))
    with pytest.raises(BackupError, match="exists"):
        backup(Layout(tmp_path / "data"), tmp_path / "b.tar.zst")
    with pytest.raises(BackupError, match="no Console's data"):
        backup(Layout(tmp_path / "nowhere"), tmp_path / "c.tar.zst")


@pytest.mark.parametrize("harm", ["cut", "flipped", "text", "empty"])
def test_a_damaged_backup_leaves_nothing_behind(tmp_path: Path, make: Make, harm: str) -> None:
    store = SqliteStore(tmp_path / "data")
    store.write(Batch(events=[make(f"k{n}", extra={"noise": os.urandom(400).hex()}) for n in range(50)]), now=now)
    store.close()
    backup(Layout(tmp_path / "data"), tmp_path / "b")
    data = bytearray((tmp_path / "b").read_bytes())
    data[len(data) // 2] ^= 0xFF
    harmed = {"cut": bytes(data[: len(data) // 2]), "flipped": bytes(data), "text": b"not a backup", "empty": b""}[harm]
    (tmp_path / "b").write_bytes(harmed)
    with pytest.raises(BackupError):
        restore(tmp_path / "b", Layout(tmp_path / "again"))
    assert not (tmp_path / "again").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".restore")] == []


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "bodies/../../evil", "console.db/x", "spool/../evil", "x"])
def test_a_backup_with_foreign_names_is_refused(tmp_path: Path, name: str) -> None:
    with zstd.open(tmp_path / "b", "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(BackupError, match="which no backup"):
        restore(tmp_path / "b", Layout(tmp_path / "again"))


# ---- damage ----------------------------------------------------------------------------------------


def test_a_damaged_dictionary_leaves_the_page_and_new_payloads_are_whole(
    open_store: Callable[[], RelationalStore], make: Make
) -> None:
    store = open_store()
    trained = bodies_module.train([os.urandom(8) + b"part of every sample" * 9 for _ in range(99)], 4096)
    store.database.insert("dictionary", {"project": "1", "created_at": now, "bytes": trained})
    old, new = make("k", message="old"), make("k", message="new")
    store.write(Batch(events=[old]), now=now)
    store.database.execute("UPDATE dictionary SET bytes = ?", (b"damaged",))
    store.close()
    again = open_store()
    again.write(Batch(events=[new]), now=now)
    assert "damaged" in again.event(old.event.event_id).malformed
    assert again.event(old.event.event_id).summary.fault == 1
    assert again.event(new.event.event_id).payload["message"] == "new"
    again.close()
