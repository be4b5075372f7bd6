"""Rates through a store: what Guards report becomes figures by route, and hostile reports become nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.console.digest_rates import read
from fivehundred.console.store.base import Store
from fivehundred.console.store.rates import Rates

now = 1_790_000_000.0


def told(*counts: list[Any], **more: Any) -> dict[str, Any]:
    return {"release": "2.4.0", "server_name": "web-1", "environment": "", "counts": list(counts), **more}


def add(store: Store, *raws: dict[str, Any], at: float = now) -> Rates:
    desk = Rates(store.database)
    reports = [report for raw in raws if (report := read(raw, "1", at)) is not None]
    with store.database.transaction():
        desk.add(reports)
    return desk


def test_reports_add_up_by_route_and_minute(store: Store) -> None:
    one = told(["/a", "GET", "2", 90], ["/a", "GET", "4", 5], ["/a", "GET", "5", 5], ["/b", "POST", "2", 1])
    desk = add(store, one, one)
    add(store, one, at=now + 60)
    rates = desk.rates("1", since=now, until=now + 60)
    assert [(r.route, r.good, r.refused, r.failed) for r in rates] == [("/a", 270, 15, 15), ("/b", 3, 0, 0)]
    assert (rates[0].requests, rates[0].share_failed) == (300, 0.05)
    assert [row[1:] for row in desk.by_minute("1", "/a", since=now, until=now + 60)] == [(200, 10), (100, 5)]


def test_good_requests_are_known_by_what_they_were_served_with(store: Store) -> None:
    desk = add(store, told(["/a", "GET", "2", 9]), told(["/a", "GET", "2", 1], server_name="web-2"))
    good = desk.good_by("1", "/a", since=now, until=now)
    assert good == {"host": {"web-1": 9, "web-2": 1}, "method": {"GET": 10}, "release": {"2.4.0": 10}}


def test_old_counts_are_forgotten(store: Store) -> None:
    desk = add(store, told(["/a", "GET", "2", 9]))
    desk.forget(now=now + (limits.rates_days + 1) * 86_400)
    assert desk.rates(None, since=0, until=now) == []


def test_endless_routes_of_a_project_are_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "rates_routes_max", 3)
    desk = add(store, told(*([f"/{n}", "GET", "2", 1] for n in range(9))))
    assert {r.route: r.good for r in desk.rates("1", since=now, until=now)} == {"/0": 1, "/1": 1, "/2": 1, "…": 6}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.lists(st.lists(json_values, max_size=5), max_size=5))
def test_any_report_is_read_or_refused(raw: Any, rows: list[Any]) -> None:
    read(raw, "1", now)
    found = read({"counts": rows}, "1", now)
    assert found is None or all(c.good + c.refused + c.failed > 0 for c in found.counts)
