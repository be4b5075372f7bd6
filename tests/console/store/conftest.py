"""Stores under test, and digested events to write into them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fivehundred.console.store.base import Batch, Digested, Store
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import new_id, parse
from fivehundred.fingerprint.model import Fingerprint, Key

now = 1_790_000_000.0


def make(key: str = "k1", *, at: float = now, project: str = "1", continues: str = "", **raw: Any) -> Digested:
    """A digested event with the primary key ``key``; ``raw`` are fields of its payload."""
    raw = {"event_id": new_id(), "timestamp": at, "transaction": "/orders/{id}", **raw}
    event = parse(raw, received_at=at)
    return Digested(
        project=project,
        received_at=at,
        event=event,
        payload=json.dumps(raw).encode(),
        fingerprint=Fingerprint(
            version=1,
            keys=(Key("strict", key, (("type", "ZeroDivisionError"),)), Key("loose", f"loose-{key}", ())),
            title=f"ZeroDivisionError {key}",
            message="division by zero",
            culprit=f"shop.{key} in total",
            root=0,
            frame=0,
            why=("grouped by the strict key",),
            continues=continues,
        ),
        diagnosis=Diagnosis("bug", "likely", "no", "bug.code", "It is a bug.", "Fix it.", "Retrying does not help."),
    )


@pytest.fixture(params=[SqliteStore], ids=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Every implementation of Store in turn."""
    opened: Store = request.param(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store) -> Callable[..., None]:
    def run(*events: Digested, offset: str = "", at: float = now) -> None:
        store.write(Batch(offset=offset, events=list(events)), now=at)

    return run


@pytest.fixture(name="make")
def make_fixture() -> Callable[..., Digested]:
    return make
