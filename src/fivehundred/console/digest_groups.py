"""Exception groups: several tasks that failed by themselves are several faults, told by one event.

The event itself belongs to one of them; for each other leaf an event of its own is made, under an id that a repeated
batch makes again. All carry the tag by which an incident finds them.
"""

from __future__ import annotations

import hashlib
from typing import Final

from fivehundred.console.store.incidents import twin_tag
from fivehundred.event import Event, ExceptionItem, parse
from fivehundred.event_wire import to_wire

leaves_max: Final = 10  # of one group that become events


def others(event: Event, root: int) -> list[Event]:
    """An event for each leaf of the group that is not of the root's type and place; marks ``event`` as their twin."""
    leaves = _leaves(event.exceptions)
    if root not in leaves:
        return []
    seen = {_sort(event.exceptions[root])}
    found: list[Event] = []
    for number in leaves:
        leaf = event.exceptions[number]
        if _sort(leaf) in seen or len(found) == leaves_max - 1:
            continue
        seen.add(_sort(leaf))
        event.tags[twin_tag] = event.event_id
        found.append(_alone(event, leaf, number))
    return found


def _alone(event: Event, leaf: ExceptionItem, number: int) -> Event:
    wire = to_wire(event)
    made = hashlib.blake2b(f"{event.event_id} leaf {number}".encode(), digest_size=16).hexdigest()
    alone = parse({**wire, "exception": None}, received_at=event.timestamp, event_id=made)
    alone.exceptions = [leaf]
    return alone


def _leaves(chain: list[ExceptionItem]) -> list[int]:
    """Direct members of the groups, by number; none where no group says so by its mechanism."""
    groups = {x.mechanism.exception_id for x in chain if x.mechanism and x.mechanism.is_exception_group}
    groups.discard(None)
    return [
        number
        for number, x in enumerate(chain)
        if x.mechanism and not x.mechanism.is_exception_group and x.mechanism.parent_id in groups
    ]


def _sort(x: ExceptionItem) -> tuple[str, str, str, str]:
    """Leaves of one kind are one fault, however many tasks met it."""
    last = x.frames[-1] if x.frames else None
    return (x.type, last.module if last else "", last.function if last else "", last.context_line if last else x.value)
