"""Which exception of a chain or group is the reason: the oldest that the application had a part in.

A wrapper ("checkout failed", raised from a KeyError) hides its reason, so the older one decides. But an exception that
was handled, and whose handler then called something that failed by itself, is no reason: the newer one decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fivehundred.event import ExceptionItem
from fivehundred.fingerprint.libraries import known
from fivehundred.fingerprint.site import Site


def root_exception(chain: Sequence[ExceptionItem], sites: Sequence[Site | None]) -> int:
    """Index of the deciding exception; -1 when there is none. Chains run from the oldest to the newest."""
    newest = _newest(chain, sites)
    root = newest
    for i in range(newest - 1, -1, -1):
        older = sites[i]
        if older is None or _is_group(chain[i]) or chain[i].type in _CONSEQUENCES or _apart(chain, i, root):
            continue
        newer = sites[root]
        if newer is not None and _own_failure(chain[root], older, newer):
            break
        root = i
    return root


# What these interrupt is chance; what interrupted it, or made of it, is the newer exception.
_CONSEQUENCES: Final = frozenset(("CancelledError", "GeneratorExit", "Cancelled", "TaskCanceledException"))


def _newest(chain: Sequence[ExceptionItem], sites: Sequence[Site | None]) -> int:
    """The last of the chain, or of a group the one leaf that any order of its tasks gives: a group only holds."""
    newest = len(chain) - 1
    if newest < 0 or not _is_group(chain[newest]):
        return newest
    groups = {x.mechanism.exception_id for x in chain if x.mechanism and _is_group(x)}
    leaves = [i for i, x in enumerate(chain) if not _is_group(x)]
    direct = [i for i in leaves if (m := chain[i].mechanism) and m.parent_id in groups and m.parent_id is not None]
    return min(direct or leaves[-1:], key=lambda i: (sites[i] is None, chain[i].type, str(sites[i])), default=newest)


def _apart(chain: Sequence[ExceptionItem], older: int, newer: int) -> bool:
    """Do the ids of both say that they are not of one chain, such as two leaves of one group?"""
    a, b = chain[older].mechanism, chain[newer].mechanism
    return bool(a and b and a.parent_id is not None and b.exception_id is not None and a.parent_id < b.exception_id)


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
