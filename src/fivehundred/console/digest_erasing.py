"""Erasing on the way: what was accepted before somebody was erased, and is digested after it, is stored without them.

The same becomes of it as of what was stored already: the event is counted, its payload is not kept, in texts that
belong to many the name is replaced, and what the person wrote is dropped.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fivehundred.console.digest_items import Found, Unreadable
from fivehundred.console.store.base import Batch, Feedback, Malformed, Tally
from fivehundred.console.store.database import Database
from fivehundred.console.store.erasing import erased, named
from fivehundred.console.store.erasure_orders import ErasureOrders, Order, forget_after_s
from fivehundred.event import Json

log = logging.getLogger("fivehundred.console.digest")

_slack_s: Final = 60.0  # from the time that stands in a record to when it stands in the spool


class Ordered(Exception):
    """An order came while the batch was made: it is made once more."""


@dataclass(frozen=True, slots=True)
class _Order:
    order: Order
    pattern: re.Pattern[str]

    def is_user(self, user: Json) -> bool:
        values = [str(value) for value in user.values() if value is not None] if isinstance(user, dict) else []
        return any(value == self.order.name or (self.order.anywhere and self.pattern.search(value)) for value in values)

    def names(self, text: str) -> bool:
        return self.order.anywhere and self.pattern.search(text) is not None


class Erasing:
    """The orders as one digest knows them, read anew for each batch. ``alone``: no other digest reads the spool."""

    def __init__(self, database: Database, *, alone: bool) -> None:
        self._desk = ErasureOrders(database)
        self._alone = alone
        self._orders: list[_Order] = []
        self._look_at = 0.0

    def idle(self, now: float) -> None:
        """Nothing waits: what was ordered is carried out."""
        if now < self._look_at:
            return
        self._look_at = now + _slack_s
        try:
            self.begin(now, now)
        except Exception:  # the edge: it is forgotten later
            log.exception("orders to erase could not be read; they stand")

    def begin(self, oldest: float, now: float) -> None:
        """``oldest``: when the first record of the batch was received."""
        found = self._desk.all()
        past = (oldest if self._alone else now - forget_after_s) - _slack_s
        if any(order.until < past for order in found):
            self._desk.forget(received_before=past)
            found = self._desk.all()
        self._orders = [_Order(order, named(order.name)) for order in found]

    def check(self) -> None:
        """Within the batch's transaction, after its first row was written. Raises Ordered."""
        if {order.id for order in self._desk.all()} - {known.order.id for known in self._orders}:
            raise Ordered

    def digest(self, found: Found, batch: Batch, digest: Callable[[Found, Batch], None]) -> None:
        orders = self._of(found.record.received_at)
        cleaned = _cleaned(found, orders) if orders else None
        if cleaned is None:
            digest(found, batch)
            return
        before = len(batch.events)
        digest(cleaned, batch)
        batch.events[before:] = [replace(digested, payload=b"") for digested in batch.events[before:]]

    def clean(self, batch: Batch) -> None:
        """What is no event."""
        if not self._orders:
            return
        batch.malformed = [row for row in batch.malformed if not self._is_in(row)]
        said = [row for row in batch.feedback if self._wrote(row)]
        batch.feedback = [row for row in batch.feedback if row not in said]
        batch.tallies += [Tally(row.project, "dropped", "feedback", "erased", "", 1) for row in said]

    def _of(self, received_at: float) -> list[_Order]:
        return [known for known in self._orders if received_at <= known.order.until]

    def _is_in(self, row: Malformed) -> bool:
        text = f"{row.reason} {row.data.decode('utf-8', 'replace')}"
        return any(known.names(text) for known in self._of(row.received_at))

    def _wrote(self, row: Feedback) -> bool:
        person: dict[str, Json] = {"name": row.name, "email": row.email}
        return any(known.is_user(person) or known.names(row.message) for known in self._of(row.received_at))


def _cleaned(found: Found, orders: Sequence[_Order]) -> Found | None:
    """The event without the persons; None when it names none of them, or cannot be read, which is said elsewhere."""
    try:
        raw = found.read()
    except Unreadable:
        return None
    naming = [known for known in orders if known.is_user(raw.get("user")) or known.names(_text(found))]
    if not naming:
        return None
    replaced: Json = raw
    for known in naming:
        if known.order.anywhere:
            replaced = _replaced(replaced, known.pattern)
    clean = {name: value for name, value in replaced.items() if name != "user"} if isinstance(replaced, dict) else {}
    return replace(found, raw=clean, whole=True, payload=b"")


def _text(found: Found) -> str:
    """As it was sent: names in it may be written as escapes, which ``named`` knows."""
    return found.payload.decode("utf-8", "replace")


def _replaced(tree: Json, pattern: re.Pattern[str]) -> Json:
    if isinstance(tree, str):
        return pattern.sub(erased, tree)
    if isinstance(tree, dict):
        return {pattern.sub(erased, name): _replaced(value, pattern) for name, value in tree.items()}
    return [_replaced(value, pattern) for value in tree] if isinstance(tree, list) else tree
