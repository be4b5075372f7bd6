"""What one project keeps less than the installation: by age, by count, by bytes; on a real store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fivehundred import limits
from fivehundred.console.store.base import Digested, FaultQuery, NotFound, Retention, Store
from fivehundred.console.store.retention_projects import ProjectKeeper
from fivehundred.console.store.retention_rules import ProjectRetention, RetentionRules
from fivehundred.console.store.triage import TriageRefused

now = 1_790_000_000.0
day = 86_400.0
Make = Callable[..., Digested]
Write = Callable[..., None]


@pytest.fixture(autouse=True)
def all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "payloads_an_hour_max", 10**9)


def keep(store: Store, project: str, **rule: int) -> None:
    RetentionRules(store.database).set(project, ProjectRetention(**rule))


def settled(store: Store, at: float = now) -> None:
    for _ in range(10_000):
        if not store.retain(Retention(), now=at, busy=False):
            return
    raise AssertionError("retention does not come to an end")


def kept(store: Store, events: list[Digested]) -> list[bool]:
    return [store.event(e.event.event_id).summary.kept for e in events]


def size_of(store: Store, project: str) -> int:
    return int(store.database.number("SELECT sum(length) FROM event WHERE project = ?", (project,)) or 0)


def test_the_oldest_payloads_of_a_full_project_go_and_its_counts_stay(store: Store, write: Write, make: Make) -> None:
    events, others = [make("k") for _ in range(30)], [make("k", project="2") for _ in range(30)]
    write(*events, *others)
    keep(store, "1", events=10)
    settled(store)
    assert kept(store, events) == [False] * 20 + [True] * 10
    assert all(kept(store, others))
    assert [f.events for f in store.faults(FaultQuery(project="1"), now=now).faults] == [30]


def test_two_loud_faults_do_not_push_out_the_quiet_ones_of_their_project(
    store: Store, write: Write, make: Make
) -> None:
    quiet = [make(f"quiet{n}") for n in range(16)]
    write(*quiet, *(make(f"loud{n % 2}") for n in range(784)))
    keep(store, "1", events=300)
    settled(store)
    assert all(kept(store, quiet))
    assert store.database.number("SELECT count(*) FROM event") == 300


def test_when_there_are_more_faults_than_room_even_their_newest_payloads_go(
    store: Store, write: Write, make: Make
) -> None:
    write(*(make(f"k{n}") for n in range(50)))
    keep(store, "1", events=7)
    settled(store)
    assert store.database.number("SELECT count(*) FROM event") == 7
    assert store.faults(FaultQuery(), now=now).total == 50


def test_the_bytes_of_a_project_are_kept_to_while_events_arrive(store: Store, write: Write, make: Make) -> None:
    keep(store, "1", megabytes=1)
    for batch in range(20):
        write(*(make(f"k{n % 3}", extra={"noise": os.urandom(8_000).hex()}) for n in range(20)))
        while store.retain(Retention(), now=now + 60.0 * batch, busy=True):
            pass
        assert size_of(store, "1") < limits.MIB * 1.05
    assert size_of(store, "1") > limits.MIB * 0.9  # and no more is deleted than must be


def test_a_project_may_keep_for_a_shorter_time_than_the_others(store: Store, write: Write, make: Make) -> None:
    old, other = make("old", at=now - 10 * day), make("old", at=now - 10 * day, project="2")
    young = make("young", at=now - 3 * day)
    write(old, other, at=now - 10 * day)
    write(young, at=now - 3 * day)
    keep(store, "1", days=7)
    settled(store)
    assert kept(store, [young, other]) == [True, True]
    with pytest.raises(NotFound):
        store.event(old.event.event_id)
    assert {(f.project, f.title) for f in store.faults(FaultQuery(), now=now).faults} == {
        ("1", "ZeroDivisionError young"),
        ("2", "ZeroDivisionError old"),
    }


def test_a_project_cannot_keep_for_longer_than_the_installation(store: Store, write: Write, make: Make) -> None:
    old = make("old", at=now - 100 * day)
    write(old, make("young"), at=now - 100 * day)
    keep(store, "1", days=3_000)
    settled(store)
    assert store.database.number("SELECT count(*) FROM event WHERE received_at < ?", (now - 90 * day,)) == 0


def test_the_disk_gets_back_what_a_project_gave_up_in_the_middle_of_files(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "body_segment_bytes_max", 300_000)
    mixed = [make("k", project=str(1 + n % 5 // 4), extra={"noise": os.urandom(4_000).hex()}) for n in range(200)]
    for start in range(0, 200, 20):
        write(*mixed[start : start + 20])
    before = store.database.number("SELECT sum(bytes) FROM segment") or 0
    keep(store, "1", events=10)
    settled(store)
    assert (store.database.number("SELECT sum(bytes) FROM segment") or 0) < before * 0.6
    living = [e for e in mixed if e.project == "2"]
    assert all(store.event(e.event.event_id).payload["extra"] == e.event.extra for e in living)


def test_a_changed_bound_holds_without_a_restart(store: Store, write: Write, make: Make) -> None:
    write(*(make("k") for _ in range(20)))
    settled(store)
    keep(store, "1", events=5)
    settled(store, now + 10)
    assert store.database.number("SELECT count(*) FROM event") == 5


@pytest.mark.parametrize("rule", [{"days": 0}, {"events": -1}, {"megabytes": 10**9}])
def test_a_bound_that_is_none_is_refused_and_the_old_one_stands(store: Store, rule: dict[str, int]) -> None:
    keep(store, "1", days=30)
    with pytest.raises(TriageRefused, match="from 1 to"):
        keep(store, "1", **rule)
    assert RetentionRules(store.database).of("1") == ProjectRetention(days=30)
    keep(store, "1")
    assert RetentionRules(store.database).all() == {}


def test_a_project_that_stays_at_its_bound_is_not_looked_through_each_time(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    whole = ProjectKeeper._floor_for

    def watched(keeper: ProjectKeeper, project: str, rule: ProjectRetention) -> int:
        looked.append(project)
        return whole(keeper, project, rule)

    monkeypatch.setattr(ProjectKeeper, "_floor_for", watched)
    keep(store, "1", events=20)
    for batch in range(12):
        write(*(make(f"k{n % 3}") for n in range(15)))
        while store.retain(Retention(), now=now + 10.0 * batch, busy=True):
            pass
        assert store.database.number("SELECT count(*) FROM event") == (15 if batch == 0 else 20)
    assert 1 <= len(looked) <= 4
