"""Concepts: words that mean the same everywhere; what they may never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diagnosis.elsewhere import raised

from fivehundred.diagnosis.case import case_of
from fivehundred.diagnosis.concept_table import concepts
from fivehundred.diagnosis.concepts import of
from fivehundred.diagnosis.diagnose import diagnose, no_history
from fivehundred.diagnosis.rules.order import by_id
from fivehundred.diagnosis.stores import words_of


def test_every_concept_speaks_for_a_rule_that_there_is() -> None:
    assert {rule for one in concepts for rule in (one.rule, one.store) if rule} <= by_id.keys()


def test_no_concept_searches_a_message_without_a_word_that_must_stand_in_it() -> None:
    assert all(one.near and all(word == word.lower() for word in one.near) for one in concepts if one.texts)


def test_a_name_is_read_in_its_words() -> None:
    assert words_of("SQLTransientConnectionException") == ["sql", "transient", "connection", "exception"]
    assert words_of("ER_ACCESS_DENIED_ERROR") == ["er", "access", "denied", "error"]


@pytest.mark.parametrize(
    "kind", ["ConnectionPoolTimeout", "PaymentUnauthorized", "QuotaExceeded", "OrderNotConfigured"]
)
def test_what_the_application_calls_its_own_exceptions_says_nothing(kind: str) -> None:
    said = diagnose(raised(("shop.errors", kind, "the books say no"), line=f"raise {kind}(order)"))
    assert said.rule == "bug.exception"


@pytest.mark.parametrize("kind", ["KeyError", "AttributeError", "NameError", "TypeError"])
def test_a_mistake_of_the_code_stays_one_whatever_its_names_say(kind: str) -> None:
    assert diagnose(raised(("", kind, "'connection_pool_timeout'"), line="pool[name]")).cause == "bug"


@given(kind=st.text(max_size=60), text=st.text(max_size=800), line=st.text(max_size=80))
def test_no_concept_is_decisive_and_none_raises(kind: str, text: str, line: str) -> None:
    case = case_of(raised(("other.library", kind, text), line=line), no_history)
    assert all(rule in by_id and fact.strength == "strong" for rule, fact in of(case))
