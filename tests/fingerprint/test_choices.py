"""What people decide about grouping, as it changes fingerprints: rules, splits, and what merges teach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.event import Event, parse
from fivehundred.fingerprint.choices import Book, Matcher, Rule, Split, applied, book, lessons_of, split_value
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.model import Fingerprint
from fivehundred.fingerprint.rule import fingerprint


def event(message: str = "card declined by bank", kind: str = "PaymentError", **more: Any) -> Event:
    frame = {"module": "shop.pay", "function": "charge", "filename": "/srv/shop/pay.py", "lineno": 5, "in_app": True}
    frame["context_line"] = "    raise PaymentError(message)"
    stack = {"frames": [{**frame, "function": "checkout", "context_line": "charge(order)"}, frame]}
    values = [{"type": kind, "module": "shop.errors", "value": message, "stacktrace": stack}]
    return parse({"exception": {"values": values}, **more}, received_at=1.8e9)


def key_of(event: Event, decided: Book, memory: Memory | None = None) -> str:
    return applied(event, fingerprint(event, memory or Memory()), decided).primary.value


def as_json(fp: Fingerprint) -> dict[str, Any]:
    key = fp.primary
    return {"kind": key.kind, "value": key.value, "parts": [list(p) for p in key.parts]}


def rule(text: str, *matchers: tuple[str, str]) -> Book:
    return book([Rule(1, tuple(Matcher(*m) for m in matchers), text)])


def test_a_rule_groups_what_fits_all_of_its_matchers() -> None:
    decided = rule("payments", ("type", "payment*"), ("module", "shop.*"))
    assert key_of(event(), decided) == key_of(event("no funds left"), decided)
    assert key_of(event(kind="ValueError"), decided) != key_of(event(), decided)


def test_a_rule_comes_before_the_senders_own_fingerprint_and_says_so() -> None:
    fp = applied(
        event(fingerprint=["mine"]), fingerprint(event(fingerprint=["mine"]), Memory()), rule("p", ("type", "*"))
    )
    assert (fp.primary.kind, fp.keys[1].kind) == ("rule", "client")
    assert fp.why[0] == "grouped by rule 1 of this Console, because type fits *"


def test_a_rule_may_take_a_field_or_the_default_in() -> None:
    by_route = rule("payments {{ tag:region }}", ("type", "PaymentError"))
    eu, us = event(tags={"region": "eu"}), event(tags={"region": "us"})
    assert key_of(eu, by_route) != key_of(us, by_route)
    finer = rule("{{ default }} {{ environment }}", ("type", "PaymentError"))
    assert key_of(event(), finer) != key_of(event("other words of a person"), finer)


def test_a_split_takes_one_fault_apart_and_leaves_the_others() -> None:
    memory = Memory()
    key = fingerprint(event(), memory).primary.value
    decided = book(splits=[Split(3, key, "tag:region")])
    found = {key_of(event(tags={"region": r}), decided, memory) for r in ("eu", "us", "eu")}
    assert len(found) == 2
    assert key not in found
    assert key_of(event("out of stock today"), decided, memory) == key_of(event("out of stock today"), Book(), memory)


def test_a_split_by_one_value_lets_only_that_one_leave() -> None:
    memory = Memory()
    key = fingerprint(event(), memory).primary.value
    decided = book(splits=[Split(3, key, "tag:region", "eu")])
    assert key_of(event(tags={"region": "us"}), decided, memory) == key
    assert key_of(event(tags={"region": "eu"}), decided, memory) != key


def test_a_split_by_message_looks_at_its_words_and_not_at_its_data() -> None:
    first, second = event("order 17 has no lines"), event("order 4711 has no lines")
    fp = fingerprint(first, Memory())
    assert split_value("message", first, fp) == split_value("message", second, fp)


def test_a_merge_of_two_messages_teaches_that_the_word_between_them_is_data() -> None:
    memory = Memory()
    a, b = (fingerprint(event(f"card declined by {bank} bank"), memory) for bank in ("north", "south"))
    assert a.primary.value != b.primary.value
    decided = book(lessons=lessons_of(5, as_json(a), as_json(b)))
    third = applied(
        event("card declined by western bank"), fingerprint(event("card declined by western bank"), memory), decided
    )
    assert third.continues == a.primary.value
    assert "follows a person's merge (5)" in third.why[-1]
    other = fingerprint(event("card expired at western bank"), memory)
    assert applied(event("card expired at western bank"), other, decided) == other


def outage(kind: str, peer: str = "db:5432") -> Fingerprint:
    text = {"refused": "Connection refused", "lost": "server closed the connection unexpectedly"}[kind]
    host, _, port = peer.partition(":")
    raw = {"type": "OperationalError", "module": "psycopg2", "value": f'server at "{host}", port {port} failed: {text}'}
    return fingerprint(parse({"exception": {"values": [raw]}}, received_at=1.8e9), Memory())


def test_a_merge_of_two_states_of_a_resource_teaches_that_any_state_of_it_is_the_same() -> None:
    decided = book(lessons=lessons_of(5, as_json(outage("refused")), as_json(outage("lost"))))
    (lesson,) = decided.lessons["outage", "postgresql"]
    assert lesson.parts == {"family": "postgresql", "peer": "db:5432"}


def test_a_merge_of_what_has_nothing_in_common_teaches_nothing() -> None:
    a, b = fingerprint(event(), Memory()), fingerprint(event("order 7 is gone", "LookupError"), Memory())
    assert lessons_of(1, as_json(a), as_json(b)) == []
    assert (
        lessons_of(1, {}, as_json(b)) == lessons_of(1, as_json(outage("refused")), as_json(outage("lost", "x:1"))) == []
    )


@pytest.mark.parametrize("decided", [Book(), rule("x", ("type", "never"))])
def test_where_nothing_was_decided_nothing_changes(decided: Book) -> None:
    fp = fingerprint(event(), Memory())
    assert applied(event(), fp, decided) == fp


texts = st.text(max_size=30)


@given(texts, texts, texts, st.lists(st.tuples(texts, texts), max_size=4))
def test_whatever_is_decided_and_sent_nothing_is_raised(
    a: str, b: str, c: str, matchers: list[tuple[str, str]]
) -> None:
    sent = event(a, b, tags={"x": c})
    fp = fingerprint(sent, Memory())
    decided = book(
        [Rule(1, tuple(Matcher(*m) for m in matchers), c)],
        [Split(2, fp.primary.value, b, "")],
        lessons_of(3, as_json(fp), {"kind": "strict", "value": a, "parts": [[b, c], a]}),
    )
    assert len(applied(sent, fp, decided).primary.value) == 16
