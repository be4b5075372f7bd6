"""What a report leaves on an exception must not be in anybody's way."""

from __future__ import annotations

import copy
import pickle

from fivehundred.guard import once


def reported() -> LookupError:
    try:
        raise LookupError("x")
    except LookupError as exc:
        once.remember(exc, "a" * 32)
        return exc


def test_a_reported_exception_can_still_be_sent_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(reported()))
    assert sent.args == ("x",)
    assert once.reference_of(sent) == ""


def test_a_reported_exception_can_still_be_copied() -> None:
    assert copy.deepcopy(reported()).args == ("x",)
