"""Which exception of a chain or group is the reason: the oldest that the application had a part in.

A wrapper ("checkout failed", raised from a KeyError) hides its reason, so the older one decides. But an exception that
was handled, and whose handler then called something that failed by itself, is no reason: the newer one decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from fivehundred.event import ExceptionItem
from fivehundred.fingerprint.libraries import known
from fivehundred.fingerprint.site import Site


def root_exception(chain: Sequence[ExceptionItem], sites: Sequence[Site | None]) -> int:
    """Index of the deciding exception; -1 when there is none. Chains run from the oldest to the newest."""
    newest = len(chain) - 1
    while newest > 0 and _is_group(chain[newest]):
        newest -= 1  # a group only holds what failed
    if newest < 0:
        return -1
    root = newest
    for i in range(newest - 1, -1, -1):
        older = sites[i]
        if older is None or _is_group(chain[i]):
            continue
        newer = sites[root]
        if newer is not None and _own_failure(chain[root], older, newer):
            break
        root = i
    return root


def _is_group(x: ExceptionItem) -> bool:
    marked = x.mechanism is not None and x.mechanism.is_exception_group
    return marked or x.type in ("ExceptionGroup", "BaseExceptionGroup", "AggregateError")


def _own_failure(x: ExceptionItem, older: Site, newer: Site) -> bool:
    """Did a handler of the older one call on, into a function that then failed by itself?"""
    if x.mechanism and x.mechanism.source == "__cause__":
        return False
    if x.module and not known(x.module):
        return False  # a class of the application's own: a wrapper
    catcher = (older.callers or (older.place,))[-1] if older.callers else older.place
    return newer.place not in (older.place, *older.callers) and catcher in newer.callers
