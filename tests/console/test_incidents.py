"""The decision about incidents: examples as a person would judge them, and what holds for any signals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fivehundred.console import incidents
from fivehundred.console.store.incidents import Closed, Known, Signal, Surroundings

now = 1_790_000_000.0
old = {"1": Surroundings(new_releases=frozenset({"2.4.0"}), hosts=3, settled=True)}


def failing(fault: int, events: int = 1, **more: object) -> Signal:
    values = {"project": "1", "first_at": now - 60, "last_at": now, "began": True, **more}
    return Signal(fault=fault, events=events, **values)  # type: ignore[arg-type]


def open_one(kind: str = "resource", subject: str = "redis at db:6379", **more: object) -> Known:
    values = {"projects": frozenset("1"), "faults": frozenset({1}), "opened_at": now - 300, "last_at": now - 30, **more}
    return Known(7, kind, subject, **values)  # type: ignore[arg-type]


def opened(*signals: Signal) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(o.kind, o.subject, o.faults) for o in incidents.decide([], signals, old, now=now).opened]


def test_faults_of_one_resource_are_one_incident() -> None:
    down = [failing(n, resource="postgresql at db:5432", host=f"web-{n}") for n in (1, 2, 3)]
    assert opened(*down, failing(9)) == [("resource", "postgresql at db:5432", (1, 2, 3))]


def test_a_session_that_the_server_ended_names_no_address_and_is_the_same_outage() -> None:
    ended = [failing(n, resource="PostgreSQL used by web-1", project=str(n)) for n in (1, 2)]
    refused = [failing(n, resource="PostgreSQL at db:5432", project="1") for n in (3, 4)]
    assert opened(*ended, *refused)[0] == ("resource", "PostgreSQL at db:5432", (1, 3, 4))
    before = open_one(subject="PostgreSQL used by web-1", faults=frozenset({1, 2}), projects=frozenset("12"))
    found = incidents.decide([before], refused, old, now=now)
    assert found.opened == ()
    assert [(c.incident, c.faults, c.subject) for c in found.continued] == [(7, (3, 4), "PostgreSQL at db:5432")]


def test_a_session_that_another_server_ended_is_another_outage() -> None:
    assert not incidents.is_same("PostgreSQL used by web-1", "Redis at db:6379")
    assert not incidents.is_same("PostgreSQL used by web-1", "PostgreSQL at localhost:5432 on web-2")
    assert incidents.is_same("PostgreSQL at localhost:5432 on web-1", "PostgreSQL used by web-1")
    two = [failing(n, resource=f"PostgreSQL at db{n}:5432") for n in (1, 2)]
    ended = [failing(n, 5, resource="PostgreSQL used by web-1") for n in (3,)]
    assert ("resource", "PostgreSQL used by web-1", (3,)) in opened(*two, *ended)


def test_one_fault_that_often_meets_its_resource_is_an_incident_and_a_lone_event_is_none() -> None:
    assert opened(failing(1, 5, resource="redis at db:6379")) == [("resource", "redis at db:6379", (1,))]
    assert opened(failing(1, 1, resource="redis at db:6379")) == []


def test_a_resource_that_always_fails_a_little_opens_nothing() -> None:
    assert opened(failing(1, 8, began=False, normal=6.0, resource="http at api:443")) == []


def test_three_new_faults_of_a_new_release_are_one_incident() -> None:
    assert opened(*(failing(n, release="2.4.0") for n in (1, 2, 3))) == [("release", "2.4.0", (1, 2, 3))]
    assert opened(*(failing(n, release="2.3.9") for n in (1, 2, 3))) == []


def test_faults_on_one_host_alone_are_an_incident_where_there_are_others() -> None:
    assert opened(*(failing(n, host="web-3") for n in (1, 2, 3))) == [("host", "web-3", (1, 2, 3))]
    alone = {"1": Surroundings(hosts=1, settled=True)}
    signals = [failing(n, host="web-3") for n in (1, 2, 3)]
    assert incidents.decide([], signals, alone, now=now).opened == ()


def test_many_faults_at_once_with_nothing_in_common_are_an_incident_unless_the_project_is_young() -> None:
    signals = [failing(n) for n in range(5)]
    assert [o.kind for o in incidents.decide([], signals, old, now=now).opened] == ["time"]
    assert incidents.decide([], signals, {}, now=now).opened == ()


def test_the_leaves_of_one_exception_group_are_one_incident() -> None:
    assert opened(failing(1, twin="e1"), failing(2, twin="e1"), failing(3)) == [("group", "e1", (1, 2))]


def test_what_belongs_to_an_open_incident_goes_on_with_it() -> None:
    signals = [failing(1, resource="redis at db:6379"), failing(2, resource="redis at db:6379"), failing(3)]
    decided = incidents.decide([open_one()], signals, old, now=now)
    assert decided.opened == ()
    assert [(c.incident, c.faults) for c in decided.continued] == [(7, (1, 2))]


def test_the_same_outage_again_within_minutes_is_the_same_incident() -> None:
    before = open_one(resolved_at=now - 100)
    decided = incidents.decide([before], [failing(1, 9, resource="redis at db:6379")], old, now=now)
    assert decided.opened == ()
    assert [c.incident for c in decided.continued] == [7]


def test_an_incident_is_over_when_its_faults_are_quiet_or_resolved() -> None:
    assert incidents.over([open_one(last_at=now - 599)], now=now) == ()
    assert [c.why for c in incidents.over([open_one(last_at=now - 600)], now=now)] == ["its faults are back to normal"]
    assert incidents.over([open_one(unresolved=0)], now=now) == (
        Closed(7, "all of its faults are resolved or muted", now),
    )


def test_an_outage_may_last_days_and_what_shares_no_resource_may_not() -> None:
    assert incidents.over([open_one(opened_at=now - 200_000)], now=now) == ()
    assert len(incidents.over([open_one("time", "", opened_at=now - 86_400)], now=now)) == 1


names = st.sampled_from(["", "a", "b", "c"])
signals = st.builds(
    Signal,
    fault=st.integers(1, 12),
    project=st.sampled_from(["1", "2"]),
    first_at=st.floats(now - 2_000, now),
    last_at=st.floats(now - 2_000, now),
    events=st.integers(0, 50),
    normal=st.floats(0, 20),
    began=st.booleans(),
    resource=names,
    host=names,
    release=names,
    twin=names,
)
several = st.lists(signals, max_size=30, unique_by=lambda s: s.fault)
known = st.lists(
    st.builds(
        Known,
        id=st.integers(1, 9),
        kind=st.sampled_from(["resource", "release", "host", "time", "group"]),
        subject=names,
        projects=st.frozensets(st.sampled_from(["1", "2"])),
        faults=st.frozensets(st.integers(1, 12), max_size=4),
        opened_at=st.floats(now - 90_000, now),
        last_at=st.floats(now - 2_000, now),
        resolved_at=st.none() | st.floats(now - 900, now),
        unresolved=st.integers(0, 3),
    ),
    max_size=5,
    unique_by=lambda k: k.id,
)
around = {
    "1": Surroundings(frozenset("ab"), 3, True),
    "2": Surroundings(frozenset(), 1, False),
}


@given(known, several)
def test_a_fault_is_put_into_one_incident_at_most(known: list[Known], found: list[Signal]) -> None:
    decided = incidents.decide(known, found, around, now=now)
    put = [f for o in decided.opened for f in o.faults] + [f for c in decided.continued for f in c.faults]
    assert len(put) == len(set(put))


@given(known, several)
def test_the_order_of_the_signals_decides_nothing(known: list[Known], found: list[Signal]) -> None:
    there = incidents.decide(known, found, around, now=now)
    assert incidents.decide(known, found[::-1], around, now=now) == there


@given(known, several)
def test_what_is_normal_is_in_no_incident(known: list[Known], found: list[Signal]) -> None:
    decided = incidents.decide(known, found, around, now=now)
    put = {f for o in decided.opened for f in o.faults} | {f for c in decided.continued for f in c.faults}
    assert all(incidents.is_beyond_normal(s) for s in found if s.fault in put)


@given(known, several)
def test_asked_again_with_what_it_opened_it_opens_nothing_more(known: list[Known], found: list[Signal]) -> None:
    first = incidents.decide(known, found, around, now=now)
    made = [
        Known(100 + n, o.kind, o.subject, frozenset({o.project}), frozenset(o.faults), o.opened_at, o.last_at)
        for n, o in enumerate(first.opened)
    ]
    again = incidents.decide([*known, *made], found, around, now=now)
    assert again.opened == ()
