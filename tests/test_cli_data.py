"""The commands about stored data, as a user types them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fivehundred.cli import main
from fivehundred.console.store.base import Batch, Digested
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import new_id, parse
from fivehundred.fingerprint.model import Fingerprint, Key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = SqliteStore(tmp_path / "data")
    store.create_project("shop", now=time.time())
    raw = {"event_id": new_id(), "timestamp": time.time(), "user": {"id": "ada.lovelace"}}
    fingerprint = Fingerprint(1, (Key("strict", "k", ()),), "Error", "it broke", "shop in total", 0, 0, ())
    diagnosis = Diagnosis("bug", "likely", "no", "bug.code", "It is a bug.", "Fix it.", "No.")
    event = parse(raw, received_at=time.time())
    store.write(
        Batch(events=[Digested("1", time.time(), event, json.dumps(raw).encode(), fingerprint, diagnosis)]),
        now=time.time(),
    )
    store.close()
    return tmp_path


def test_a_backup_is_restored_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, file, again = str(folder / "data"), str(folder / "b.tar.zst"), str(folder / "again")
    assert main(["backup", file, "--data", data]) == 0
    assert main(["restore", file, "--data", again]) == 0
    assert "1 faults, 1 payloads" in capsys.readouterr().out
    assert main(["restore", file, "--data", again]) == 1
    assert "not empty" in capsys.readouterr().err


def test_an_export_is_imported_and_nothing_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, file, again = str(folder / "data"), str(folder / "x.jsonl"), str(folder / "again")
    assert main(["export", file, "--data", data]) == 0
    assert (folder / "x.jsonl").stat().st_mode & 0o077 == 0
    assert main(["import", file, "--data", again]) == 0
    assert main(["import", file, "--data", again]) == 0
    new = capsys.readouterr().out.splitlines()
    assert new[0].startswith("new: 1 projects, 1 faults, 1 events")
    assert new[1].startswith("new: 0 projects, 0 faults, 0 events")


def test_a_person_is_erased_from_a_stopped_console(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--user", "ada.lovelace", "--data", str(folder / "data")]) == 0
    assert "1  payloads" in capsys.readouterr().out
    assert not [f for f in folder.rglob("*") if f.is_file() and b"ada.lovelace" in f.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "x"], "no Console's data"),
        (["backup", "x"], "no Console's data"),
        (["erase", "--ip", "ada"], "no IP address"),
        (["erase", "--user", " "], "everybody"),
        (["export", "x", "--store", "mysql://x"], "postgresql://"),
        (["import", "/nowhere/x"], "No such file"),
        (["restore", "/nowhere/x"], "no whole backup"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--data", str(tmp_path / "empty")]) == 1
    assert said in capsys.readouterr().err


def test_events_of_others_need_a_dsn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "e.jsonl").write_text(json.dumps({"event_id": new_id()}))
    assert main(["import", str(tmp_path / "e.jsonl")]) == 1
    assert "--dsn" in capsys.readouterr().err
