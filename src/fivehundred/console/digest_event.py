"""One event through the pure middle: scrub, parse, fingerprint, diagnose; and what grouping learns on the way."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from fivehundred import limits
from fivehundred.console.digest_counted import Outlines
from fivehundred.console.digest_groups import others
from fivehundred.console.digest_items import Found, Unreadable, malformed
from fivehundred.console.digest_pieces import Reader
from fivehundred.console.store.base import Batch, Digested, Store, Tally
from fivehundred.console.store.choices import Choices
from fivehundred.console.store.filters import Sieve
from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.event import Event, EventError, Json, parse, seconds
from fivehundred.event_wire import to_wire
from fivehundred.fingerprint.choices import Book, applied
from fivehundred.fingerprint.transition import Learned
from fivehundred.scrub import scrub

log = logging.getLogger("fivehundred.console.digest")

_encode = msgspec.json.Encoder().encode
_kept_in_a_row_min: Final = (
    2  # after so many the next one of its kind will likely be kept too: it is read whole at once
)
_drift_s: Final = 300.0  # a sender's clock may be off by this much before its times are corrected


class _HeldBack(Exception):
    """A filter drops the event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Digester:
    """Holds what grouping has learned per project; it is saved with each batch."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memories: dict[str, Learned] = {}
        self._touched: set[str] = set()
        self._books: dict[str, Book] = {}  # what people decided, read anew for each batch
        self._kept_in_a_row: dict[int, int] = {}  # by what events look like: a guess that costs or saves time alone
        self.sieve = Sieve(store.database)

    def digest(self, found: Found, batch: Batch) -> None:
        """Adds the event to the batch, or the reason why it cannot be one."""
        try:
            first = self._digested(found, batch)
            batch.events.append(first)
            if len(first.event.exceptions) > 2:  # a group and two leaves at least
                batch.events += [self._leaf(found, leaf, batch) for leaf in others(first.event, first.fingerprint.root)]
        except _HeldBack as e:
            batch.tallies.append(Tally(found.record.project, "dropped", "event", e.reason, found.sdk, 1))
        except (EventError, Unreadable) as e:
            self._refuse(found, batch, str(e))
        except Exception as e:  # the edge of one event: hostile input finds our defects, and must find only itself
            log.exception("an event of project %s could not be digested and is kept as malformed", found.record.project)
            self._refuse(found, batch, f"the Console failed on it ({type(e).__name__}): a defect worth reporting")

    def learned(self, batch: Batch) -> None:
        """Put what grouping learned into the batch, so that it is saved in the same transaction."""
        for project in self._touched:
            batch.memories[project] = self._memories[project].to_json()
        self._touched.clear()
        self._books.clear()

    def forget(self) -> None:
        """The batch failed: what was learned from it was never saved."""
        self._memories.clear()
        self._touched.clear()
        self._books.clear()
        self.sieve.forget()

    def _refuse(self, found: Found, batch: Batch, reason: str) -> None:
        batch.malformed.append(
            malformed(found.record, found.offset, found.number, reason, found.payload, found.event_id)
        )

    def _digested(self, found: Found, batch: Batch) -> Digested:
        record = found.record
        looks = hash((record.project, *_looks(found.raw)))
        in_a_row = self._kept_in_a_row.get(looks, _kept_in_a_row_min)
        whole = in_a_row >= _kept_in_a_row_min or self.sieve.reads_headers()  # an outline has no headers
        event, payload = _whole(found) if whole else (_outlined(found), b"")
        held = self.sieve.holds_back(record.project, event)
        if held is not None:
            raise _HeldBack(held.reason)
        fp = applied(event, self._memory(record.project).fingerprint(event), self._book(record.project))
        key = fp.primary.value
        if not self._store.wants(record.project, key, record.received_at, pressed=batch.pressed):
            self._guess(looks, 0)
            return Digested(record.project, record.received_at, event, b"", fp, None)
        self._guess(looks, in_a_row + 1)
        if not whole:
            event, payload = _whole(found)
        history = self._store.history(record.project, key, event)
        return Digested(record.project, record.received_at, event, payload, fp, diagnose(event, history))

    def _guess(self, looks: int, kept_in_a_row: int) -> None:
        if len(self._kept_in_a_row) >= limits.looks_remembered_max:
            self._kept_in_a_row.clear()
        self._kept_in_a_row[looks] = kept_in_a_row

    def _leaf(self, found: Found, event: Event, batch: Batch) -> Digested:
        """Another task of the same group: a fault of its own."""
        record = found.record
        fp = applied(event, self._memory(record.project).fingerprint(event), self._book(record.project))
        key = fp.primary.value
        if not self._store.wants(record.project, key, record.received_at, pressed=batch.pressed):
            return Digested(record.project, record.received_at, event, b"", fp, None)
        history = self._store.history(record.project, key, event)
        payload = _encode(to_wire(event))
        return Digested(record.project, record.received_at, event, payload, fp, diagnose(event, history))

    def _memory(self, project: str) -> Learned:
        memory = self._memories.get(project)
        if memory is None:
            memory = self._memories[project] = Learned.from_json(self._store.memory(project))
        self._touched.add(project)
        return memory

    def _book(self, project: str) -> Book:
        book = self._books.get(project)
        if book is None:
            book = self._books[project] = Choices(self._store.database).book(project)
        return book


def _looks(raw: dict[str, Json]) -> list[str | int]:
    """What tells most faults apart at a glance: the newest exception and where it was raised."""
    exception = raw.get("exception")
    x = _last(exception.get("values") if isinstance(exception, dict) else None)
    stack = x.get("stacktrace")
    frame = _last(stack.get("frames") if isinstance(stack, dict) else None)
    seen = (x.get("type"), frame.get("module"), frame.get("function"), frame.get("lineno"), raw.get("transaction"))
    return [part if isinstance(part, str | int) else "" for part in seen]


def _last(values: Json) -> dict[str, Json]:
    last = values[-1] if isinstance(values, list) and values else None
    return last if isinstance(last, dict) else {}


def _outlined(found: Found) -> Event:
    """The typed event as far as grouping and counting look at it."""
    if found.size > limits.kept_bytes_max:
        return _typed(_slim(found), found)
    if found.whole:
        return _typed(scrub(found.raw), found)
    return _outlines.read(found.raw, lambda wire: _typed(wire, found))


def _whole(found: Found) -> tuple[Event, bytes]:
    """The typed event and its payload as it is kept: both scrubbed, of bounded size, by our clock."""
    if found.size > limits.kept_bytes_max:
        return _kept(_slim(found), found)
    pieces = None if found.whole else _reader.read(found.payload)
    if pieces is not None:
        event = _typed(pieces.wire, found, is_clean=True)
        pieces.put(event)
        return event, pieces.payload(event)
    raw = found.read_strictly()
    if raw is not None:
        wire = scrub(raw)
        event = _typed(wire, found, is_clean=True)
        try:
            return event, _payload(wire, event)
        except _unwritable:
            return _kept(wire, found)
    return _kept(scrub(found.read()), found)


# Of all projects: what they remember holds for every event
_reader: Final = Reader()
_outlines: Final = Outlines()


def _kept(wire: dict[str, Json], found: Found) -> tuple[Event, bytes]:
    """For what may hold anything that a JSON parser lets pass; the typed form is clean."""
    event = _typed(wire, found)
    try:
        return event, _payload(wire, event)
    except _unwritable:
        return event, _encode(to_wire(event))


_unwritable: Final = (UnicodeEncodeError, OverflowError, RecursionError, ValueError)  # lone surrogates, huge numbers


def _payload(wire: dict[str, Json], event: Event) -> bytes:
    wire["event_id"], wire["timestamp"] = event.event_id, event.timestamp
    return _encode(wire)


def _typed(wire: dict[str, Json], found: Found, *, is_clean: bool = False) -> Event:
    received_at = found.record.received_at
    event = parse(wire, received_at=received_at, event_id=found.event_id, is_clean=is_clean)
    drift = _drift(found.sent_at, received_at)
    if drift:
        event.timestamp = min(event.timestamp + drift, received_at)
    return event


def _slim(found: Found) -> dict[str, Json]:
    """An oversized event without what makes events big; it says so itself."""
    event = parse(found.read(), received_at=found.record.received_at, event_id=found.event_id)
    event.extra = {"cut": f"the event had {found.size} bytes: variables, breadcrumbs and extra were left out"}
    event.breadcrumbs, event.modules = [], {}
    event.contexts = {name: context for name, context in event.contexts.items() if name == "trace"}
    if event.request:
        event.request.data, event.request.env = None, {}
    for frame in [*event.frames, *(f for x in event.exceptions for f in x.frames)]:
        frame.vars, frame.pre_context, frame.post_context = {}, [], []
    return scrub(to_wire(event))


def _drift(sent_at: str, received_at: float) -> float:
    """How much the sender's clock is behind ours; 0 when it is right within minutes or says nothing."""
    sent = seconds(sent_at, received_at + 10 * 366 * 86_400.0) if sent_at else None
    drift = received_at - sent if sent is not None else 0.0
    return drift if abs(drift) > _drift_s else 0.0
