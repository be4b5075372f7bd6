"""Ownership rules, inbound filters and saved views on each database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.console.store.conftest import now

from fivehundred.console.store.base import Batch, FaultNews, NotFound, Store
from fivehundred.console.store.filters import Filters, InboundFilter, Sieve, filter_kinds, filtered_by
from fivehundred.console.store.ownership import OwnerRule, Ownership, owner_of, rule_kinds
from fivehundred.console.store.patterns import fits
from fivehundred.console.store.triage import Owner, Triage, TriageRefused
from fivehundred.console.store.views import Views
from fivehundred.event import Event, parse

Make = Callable[..., Any]
Write = Callable[..., None]
raw: dict[str, Any] = {
    "event_id": "a" * 32,
    "release": "2.4.0",
    "environment": "staging",
    "tags": {"region": "eu"},
    "transaction": "/orders/{id}",
    "request": {
        "url": "https://shop.example/orders/7",
        "headers": {"User-Agent": "Mozilla/5.0 (compatible; GoogleBot/2.1)"},
    },
    "exception": {
        "values": [
            {
                "type": "ConnectionResetError",
                "value": "[Errno 104] Connection reset by peer",
                "stacktrace": {
                    "frames": [
                        {"filename": "shop/payments/card.py", "module": "shop.payments.card", "in_app": True},
                        {"filename": "urllib3/pool.py", "module": "urllib3.pool", "in_app": False},
                    ]
                },
            }
        ]
    },
}


def event(**more: Any) -> Event:
    return parse({**raw, **more}, received_at=now)


@pytest.mark.parametrize(
    ("kind", "pattern", "expected"),
    [
        ("path", "shop/payments/*", True),
        ("path", "urllib3/*", False),
        ("module", "SHOP.payments*", True),
        ("route", "/orders/*", True),
        ("url", "/orders/?", True),
        ("url", "https://shop.example/*", True),
        ("tag", "region=e*", True),
        ("tag", "region=us", False),
        ("path", "payments", False),
    ],
)
def test_a_rule_fits(store: Store, kind: str, pattern: str, expected: bool) -> None:
    desk = Ownership(store.database)
    desk.add("", kind, pattern, Owner("Ann"))
    assert (owner_of(desk.rules(), "1", event()) is not None) is expected


def test_a_new_fault_is_given_to_the_owner_of_the_last_rule_that_fits(store: Store, make: Make) -> None:
    desk = Ownership(store.database)
    for owner, pattern in (("everybody", "*"), ("billing", "shop/payments/*"), ("others", "shop/stock/*")):
        desk.add("", "path", pattern, Owner(owner, "team"))
    desk.add("2", "path", "shop/*", Owner("another project"))

    def followed(news: Sequence[FaultNews]) -> None:
        desk.follow(news, now=now)

    store.write(Batch(events=[make(**raw)]), now=now, within=followed)
    triage = Triage(store.database)
    assert triage.of([1])[1].owner == Owner("billing", "team")
    assert triage.of([1])[1].reviewed_at is None
    assert triage.conversation(1)[0].what == "assigned it to team billing"


@pytest.mark.parametrize(("kind", "pattern"), [("colour", "x"), ("path", ""), ("path", "x" * 300), ("tag", "region")])
def test_a_rule_that_is_none_is_refused(store: Store, kind: str, pattern: str) -> None:
    with pytest.raises(TriageRefused):
        Ownership(store.database).add("", kind, pattern, Owner("Ann"))


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("message", "*connection reset*"),
        ("type", "ConnectionResetError"),
        ("release", "2.*"),
        ("environment", "staging"),
        ("url", "*/orders/*"),
        ("bot", "*googlebot*"),
    ],
)
def test_a_filter_drops_and_counts(store: Store, kind: str, pattern: str) -> None:
    desk = Filters(store.database)
    number = desk.add("1", kind, pattern)
    sieve = Sieve(store.database)
    held = sieve.holds_back("1", event())
    assert held is not None
    assert held.reason == f"filter: {kind} {pattern}"
    assert sieve.holds_back("2", event()) is None
    sieve.save(now=now)
    assert [(f.id, f.dropped, f.dropped_at) for f in desk.filters()] == [(number, 1, now)]


def test_a_filter_that_is_off_or_gone_drops_nothing(store: Store) -> None:
    desk = Filters(store.database)
    first, second = desk.add("", "release", "2.4.0"), desk.add("", "environment", "staging")
    desk.enable(first, False)
    desk.remove(second)
    assert Sieve(store.database).holds_back("1", event()) is None
    with pytest.raises(NotFound):
        desk.remove(second)


@pytest.mark.parametrize("pattern", ["*", "?*", "", "x" * 201])
def test_a_filter_that_would_drop_everything_is_refused(store: Store, pattern: str) -> None:
    with pytest.raises(TriageRefused):
        Filters(store.database).add("", "message", pattern)


@given(st.sampled_from(filter_kinds), st.sampled_from(rule_kinds), st.text(max_size=30), st.text(max_size=200))
def test_no_pattern_and_no_event_make_a_rule_fail(kind: Any, rule: Any, pattern: str, said: str) -> None:
    hostile = event(
        message=said, release=said, transaction=said, request={"url": said, "headers": {"User-Agent": said}}
    )
    filtered_by([InboundFilter(1, "", kind, pattern)], "1", hostile)
    owner_of([OwnerRule(1, "", rule, pattern, Owner("x"))], "1", hostile)


def test_a_pattern_full_of_stars_takes_no_time() -> None:
    assert not fits("*a" * 90 + "b", "a" * 2_000)


def test_views_are_shared_or_ones_own(store: Store) -> None:
    desk = Views(store.database)
    desk.save("Database", "cause:database", "impact", member=None, now=now)
    mine = desk.save("Mine", "assigned:me", "last_seen", member=7, now=now)
    assert [v.name for v in desk.views(7)] == ["Database", "Mine"]
    assert [v.name for v in desk.views(8)] == ["Database"]
    with pytest.raises(NotFound):
        desk.remove(mine, member=8)
    desk.save("Mine", "assigned:me is:any", "events", member=7, now=now)
    assert [(v.line, v.order) for v in desk.views(7) if v.owner] == [("assigned:me is:any", "events")]
