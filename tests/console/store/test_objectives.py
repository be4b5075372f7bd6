"""Objectives and their error budgets on each database: what is left, and what burns."""

from __future__ import annotations

import pytest
from tests.console.store.conftest import now

from fivehundred.console.store.base import NotFound, Store
from fivehundred.console.store.objectives import Objectives
from fivehundred.console.store.rates import Counted, RateReport, Rates
from fivehundred.console.store.triage import TriageRefused


def count(store: Store, good: int, failed: int, *, ago_s: float, route: str = "/orders") -> None:
    with store.database.transaction():
        counts = (Counted(route, "GET", good, 0, failed),)
        Rates(store.database).add([RateReport("1", now - ago_s, "2.4.0", "production", "web-1", counts)])


@pytest.mark.parametrize(
    ("reports", "left", "burning"),
    [
        ([], 1.0, ""),
        ([(10_000, 0, 60)], 1.0, ""),
        ([(9_999, 1, 10 * 86_400)], 0.9, ""),
        ([(995_000, 0, 20 * 86_400), (4_950, 50, 60)], 0.95, "fast"),
        ([(990_000, 0, 20 * 86_400), (9_800, 200, 60)], 0.8, "fast"),
        ([(990_000, 0, 20 * 86_400), (9_980, 20, 4 * 3600)], 0.98, "slow"),
        ([(990, 10, 60)], -9.0, "spent"),
    ],
)
def test_a_budget_is_spent_by_failures_and_burns_in_several_windows(
    store: Store, reports: list[tuple[int, int, float]], left: float, burning: str
) -> None:
    desk = Objectives(store.database)
    desk.set("1", "", 0.999)
    for good, failed, ago_s in reports:
        count(store, good, failed, ago_s=ago_s)
    budget = desk.budget(desk.objectives()[0], now=now)
    assert budget.left == pytest.approx(left, abs=0.001)
    assert budget.burning == burning


def test_an_objective_of_a_route_looks_at_that_route_alone(store: Store) -> None:
    desk = Objectives(store.database)
    desk.set("1", "/orders", 0.99)
    count(store, 100, 0, ago_s=60)
    count(store, 0, 50, ago_s=60, route="/other")
    assert desk.budget(desk.objectives("1")[0], now=now).failed == 0


def test_an_objective_is_replaced_and_removed(store: Store) -> None:
    desk = Objectives(store.database)
    first = desk.set("1", "", 0.99)
    assert desk.set("1", "", 0.999) == first
    desk.remove(first)
    assert desk.objectives() == []
    with pytest.raises(NotFound):
        desk.remove(first)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0, 99.9, float("nan")])
def test_a_share_that_is_none_is_refused(store: Store, share: float) -> None:
    with pytest.raises(TriageRefused):
        Objectives(store.database).set("1", "", share)
