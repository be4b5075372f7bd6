"""What is said of events of other libraries and languages: their cause, and never a certain mistake."""

from __future__ import annotations

import pytest
from tests.diagnosis.elsewhere import Elsewhere, first, macro_f1, raised
from tests.diagnosis.fresh import fresh
from tests.diagnosis.fresh_more import more

from fivehundred.diagnosis.diagnose import diagnose

# What a rule that is right elsewhere says otherwise: who is meant by the name stands in no event.
disputed = {
    "opensearch times out",
    "mongo network timeout",  # the store's time-out, as for every other store
    "nats no responders",  # the server answers: nobody listens to that subject
    "boto dynamo table missing",  # AWS says the same of a missing queue, function or secret
    "vault sealed",
}


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in (*first, *fresh, *more)])
def test_the_cause_is_told_of_what_no_scenario_provokes(one: Elsewhere) -> None:
    said = diagnose(one.event)
    if one.name not in disputed:
        assert said.cause == one.cause, said.sentence


def test_nothing_wrong_is_called_certain_and_nothing_passes_as_unknown() -> None:
    said = [(one, diagnose(one.event)) for one in (*first, *fresh, *more)]
    assert not [one.name for one, d in said if d.confidence == "certain" and d.cause != one.cause]
    assert [one.name for one, d in said if d.cause == "unknown"] == []
    assert macro_f1(first) > 0.9
    assert macro_f1(fresh) > 0.95
    assert macro_f1(more) > 0.95


@pytest.mark.parametrize(
    "text", ["429 items are more than one order may have", "403 X of Y", "401: Unit of the house is not known"]
)
def test_a_message_that_merely_begins_with_a_status_is_no_answer_of_a_service(text: str) -> None:
    assert diagnose(raised(("shop.errors", "OrderError", text), line="raise OrderError(text)")).cause == "bug"


@pytest.mark.parametrize(
    ("text", "cause"), [("401 Unauthorized", "misconfiguration"), ("429 Too Many Requests", "overload")]
)
def test_a_status_with_its_name_is_an_answer_of_a_service(text: str, cause: str) -> None:
    assert diagnose(raised(("prices.client", "ClientError", text), line="client.price(sku)")).cause == cause
