"""Sampling: of which events of a fault the payload is kept. All are counted."""

from __future__ import annotations

from fivehundred import limits


def keeps(nth: int) -> bool:
    """Whether the payload of the nth event of a fault in one hour is kept: the first ones, then ever fewer."""
    if nth <= limits.payloads_an_hour_max:
        return True
    step: int = 10 ** len(str((nth - 1) // limits.payloads_an_hour_max))
    return nth % step == 0
