"""Sampling: of which events of a fault the payload is kept. All are counted."""

from __future__ import annotations

from fivehundred import limits


def keeps(nth: int, *, pressed: bool = False) -> bool:
    """Whether the payload of the nth event of a fault in one hour is kept: the first ones, then ever fewer.

    ``pressed``: many events have been waiting for long, so fewer are kept and the rest is visible sooner.
    """
    first = limits.payloads_an_hour_pressed_max if pressed else limits.payloads_an_hour_max
    if nth <= first:
        return True
    step: int = 10 ** len(str((nth - 1) // first))
    return nth % step == 0
