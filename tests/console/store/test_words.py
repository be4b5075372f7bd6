"""The search over faults: what it finds, on each database, and that no search line is ever an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.console.store.base import Digested, FaultQuery, Store
from fivehundred.console.store.words import words_of

now = 1_790_000_000.0
Make = Callable[..., Digested]
Write = Callable[..., None]

STACK = {
    "values": [
        {
            "type": "TimeoutError",
            "module": "builtins",
            "value": "payments.example:443 took 30 s",
            "stacktrace": {"frames": [{"module": "shop.pay.cards", "function": "charge_card", "filename": "cards.py"}]},
        }
    ]
}


def found(store: Store, text: str) -> list[str]:
    return [fault.title[-1] for fault in store.faults(FaultQuery(text=text), now=now).faults]


@pytest.mark.parametrize(
    "text",
    ["charge_card", "card", "shop.pay", "pay.cards", "cards.py", "timeout", "TimeoutError", "payments.example:443",
     "/orders/77", "77?page", "region eu-west", "web-7", "2.4.0", "TOOK timeout"],
)  # fmt: skip
def test_a_fault_is_found_by_its_code_its_url_its_tags_and_its_words(
    store: Store, write: Write, make: Make, text: str
) -> None:
    raw: dict[str, Any] = {"exception": STACK, "request": {"url": "https://shop.test/orders/77?page=2"}}
    write(make("a", tags={"region": "eu-west-1"}, server_name="web-7", release="2.4.0", **raw), make("b"))
    assert found(store, text) == ["a"]


@pytest.mark.parametrize("text", ["nowhere", "charge refund", "pay.shop", "ards", "_", "443:payments"])
def test_what_stands_nowhere_or_apart_finds_nothing(store: Store, write: Write, make: Make, text: str) -> None:
    write(make("a", exception=STACK), make("b"))
    assert found(store, text) in ([], ["b", "a"] if text == "_" else [])


def test_words_of_later_events_are_found_as_well(store: Store, write: Write, make: Make) -> None:
    write(make("a"))
    write(make("a", tags={"shelf": "upper"}))
    assert found(store, "upper") == ["a"]


def test_a_batch_that_failed_has_told_no_words(store: Store, write: Write, make: Make) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no")

    from fivehundred.console.store.base import Batch

    with pytest.raises(RuntimeError):
        store.write(Batch(events=[make("a", tags={"shelf": "upper"})]), now=now, within=fail)
    write(make("a", tags={"shelf": "upper"}))
    assert found(store, "upper") == ["a"]


def test_the_words_of_a_fault_are_bounded(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "words_a_fault_max", 50)
    for n in range(10):
        write(make("a", tags={f"t{n}{m}": f"v{n}{m}" for m in range(20)}))
    assert len(store.database.rows("SELECT words FROM fault_words")[0][0].split()) == 50


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80) | st.from_regex(r'["\'*:&|!()<>\-^\\ a-z]{1,40}', fullmatch=True))
def test_no_search_line_is_an_error(store: Store, text: str) -> None:
    assert store.faults(FaultQuery(text=text), now=now).total == 0


@given(st.lists(st.text()))
def test_words_are_short_and_without_spaces(texts: list[str]) -> None:
    for word in words_of(texts):
        assert word == "".join(word.split())
        assert word == "" or len(word) <= 3 * limits.word_chars_max  # small letters of one may be three
