"""Store: what the Console knows. The protocol that SQLite and PostgreSQL implement, and the values that pass through.

The digest writes batches; pages and API read and change the state of faults. Times are seconds since 1970. Every
reader method works on one project or, with ``project=None``, on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from fivehundred import limits
from fivehundred.console.store.database import Database
from fivehundred.console.store.rates import RateReport
from fivehundred.diagnosis.model import Cause, Confidence, Diagnosis, History, Transient
from fivehundred.event import Event, Json
from fivehundred.fingerprint.model import Fingerprint

if TYPE_CHECKING:
    from fivehundred.console.store.event_search import EventQuery, EventsFound

FaultState: TypeAlias = Literal["open", "muted", "resolved"]
Order: TypeAlias = Literal["impact", "last_seen", "first_seen", "events", "users"]


class StoreError(Exception):
    """The root of what a Store raises on purpose."""


class NotFound(StoreError):
    """No such project, fault or event."""


class BadCursor(StoreError):
    """The cursor is none that this Store gave out, or belongs to another order."""


class SchemaTooNew(StoreError):
    """The data folder was written by a newer version; it is left untouched."""


class StoreUnavailable(StoreError):
    """The database cannot be reached now; what was being done can be done again later."""


class StoreBusy(StoreError):
    """Others held what was needed for too long, or each waited for the other; doing it again may succeed."""


# ---- projects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Project:
    id: str  # digits, as in the DSN
    name: str
    key: str  # the public key events are sent with, 32 hex digits
    created_at: float


# ---- what the digest writes ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Digested:
    """One event after the pure middle: typed, scrubbed, grouped and, when its payload is to be kept, diagnosed.

    Of one that is only counted, ``event`` may lack what pages alone would show: variables, source, breadcrumbs.
    """

    project: str
    received_at: float
    event: Event
    payload: bytes  # the scrubbed event as JSON, what pages show in full; empty when it is only counted
    fingerprint: Fingerprint
    diagnosis: Diagnosis | None  # None: only counted, under the cause of its fault's last diagnosis


@dataclass(frozen=True, slots=True)
class Malformed:
    """What was accepted but could not be read: kept and shown, never dropped."""

    project: str
    received_at: float
    event_id: str  # of the envelope header, else made
    reason: str
    data: bytes  # as received, cut to limits.malformed_bytes_max


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user wrote about one event; the event may arrive later, or never."""

    project: str
    event_id: str  # of the event
    received_at: float
    name: str
    email: str
    message: str


@dataclass(frozen=True, slots=True)
class Tally:
    """A count by what became of an item. Losses reported by senders are counted the same way.

    The Store itself tallies what ``write`` decides of events (kept, counted, duplicate) and of Malformed; the digest
    tallies everything else, and "received" for every item. Words come from senders: past limits.tally_rows_max rows
    of a project, new ones are added up under "…".
    """

    project: str
    outcome: Literal["received", "kept", "counted", "dropped", "refused", "malformed", "duplicate", "lost_by_sender"]
    item: str  # type of item or, for losses, the sender's category
    reason: str
    sdk: str
    quantity: int


damaged_reason: Final = "damaged on the disk before it was digested"  # of a Tally without a project


@dataclass(slots=True)
class Batch:
    """Written in one transaction together with the spool offset up to which it was read."""

    offset: str = ""  # the spool's own notation; empty: leave it
    events: list[Digested] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    rates: list[RateReport] = field(default_factory=list)  # written by what follows from the batch, not by the Store
    memories: dict[str, dict[str, Json]] = field(default_factory=dict)  # project -> what the fingerprint has learned
    pressed: bool = False  # the digest is behind: fewer payloads are kept (store.sampling)


@dataclass(frozen=True, slots=True)
class FaultNews:
    """What one batch did to one fault: told inside the transaction, so that what follows from it is written with it."""

    fault: int
    project: str
    created: bool
    regressed: bool  # it was resolved and came back
    events: int  # new ones of this batch
    users: int  # of the fault, this batch included
    first: Digested  # the earliest new one of this batch, by its own clock
    newest: Digested  # by its own clock
    diagnosed: Digested | None  # the newest new one that was diagnosed
    values: Mapping[tuple[str, str], tuple[int, float]] = field(default_factory=dict)  # (name, value) -> new events
    identities: Set[bytes] = frozenset()  # users of the new ones, as ``delta.identity_of`` says them


Within: TypeAlias = Callable[[Sequence[FaultNews]], None]


# ---- what pages and API read ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A group of events with one cause in the code, as the list shows it."""

    id: int
    project: str
    title: str
    message: str
    culprit: str
    method: str
    route: str
    status: int | None  # what clients were answered, when our Guard said so
    platform: str
    level: str
    state: FaultState
    cause: Cause
    confidence: Confidence
    transient: Transient
    sentence: str
    events: int  # exact, whatever was kept
    users: int
    first_seen: float
    last_seen: float
    first_release: str
    last_release: str
    environment: str
    regressed_at: float | None  # came back after it was resolved
    trend: tuple[int, ...]  # events an hour, 24 of them, the last one is now
    last_event_id: str  # of the newest one whose payload is kept


@dataclass(frozen=True, slots=True)
class FaultDetail:
    fault: Fault
    diagnosis: Diagnosis  # of the newest event that was diagnosed
    fingerprint: dict[str, Json]  # why grouped: Fingerprint.to_json()
    tags: dict[str, tuple[tuple[str, int], ...]]  # name -> (value, events), the most frequent first
    releases: tuple[tuple[str, int, float], ...]  # (release, events, first seen), the oldest first
    hosts: tuple[tuple[str, int], ...]
    history: tuple[Change, ...]  # newest first
    trend_daily: tuple[int, ...]  # events a day, 30 of them, the last one is today


@dataclass(frozen=True, slots=True)
class Change:
    """One act on a fault: by a person or by the Console itself (``by`` is then "console")."""

    at: float
    by: str
    what: str  # "resolved", "reopened", "regressed in 2.4.0", "muted"


@dataclass(frozen=True, slots=True)
class EventSummary:
    event_id: str
    fault: int | None  # None: malformed
    project: str
    timestamp: float
    received_at: float
    title: str
    message: str
    release: str
    environment: str
    host: str
    method: str
    url: str
    user: str
    sdk: str
    kept: bool  # the payload is stored; False: counted only


@dataclass(frozen=True, slots=True)
class StoredEvent:
    summary: EventSummary
    payload: dict[str, Json]  # decoded and clean; parse with fivehundred.event.parse
    diagnosis: Diagnosis | None  # None: malformed
    fingerprint: dict[str, Json]
    malformed: str  # the reason, empty for healthy events
    newer: str  # event ids of the neighbours within the fault, empty at the ends
    older: str
    feedback: tuple[Feedback, ...] = ()  # what users wrote about it, the oldest first


@dataclass(frozen=True, slots=True)
class FaultQuery:
    """``text`` is a plain search over title, message, culprit, route; the other fields narrow, all of them."""

    project: str | None = None
    projects: tuple[str, ...] | None = None  # those that whoever asks may see; None: all
    state: FaultState | None = "open"
    cause: Cause | None = None
    release: str = ""
    environment: str = ""
    text: str = ""
    having: tuple[tuple[str, str], ...] = ()  # (name, value) of a tag, host, route, level ... that it was seen with
    without: tuple[tuple[str, str], ...] = ()  # the same, or a cause, that it was never seen with
    owners: tuple[str, ...] | None = None  # assigned to one of them; (): to nobody
    priority: Literal["", "high", "medium", "low"] = ""
    review: bool = False  # open, and nobody has looked at it since it began or came back
    events_min: int = 0
    users_min: int = 0
    first_within_s: float | None = None
    last_within_s: float | None = None
    order: Order = "impact"
    cursor: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class FaultPage:
    faults: tuple[Fault, ...]
    next: str  # cursor, empty at the end
    total: int  # matching the query


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of one project or all, over the last ``hours``."""

    hours: int
    events: int
    faults: dict[str, int]  # state -> faults, over all time
    causes: dict[str, int]  # cause -> events
    by_hour: tuple[int, ...]  # the last one is now
    tallies: tuple[Tally, ...]  # received / kept / counted / dropped / lost, by reason and SDK; over all time


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much is kept. The spool has a limit of its own."""

    days: float = limits.retention_days
    disk_bytes_max: int = limits.retention_bytes_max  # database and payloads


class Store(Protocol):
    """All methods are synchronous and safe to call from one thread at a time; open one Store per thread or process."""

    @property
    def database(self) -> Database: ...  # what the desks (incidents, people, alerts ...) are built on

    def close(self) -> None: ...

    # projects
    def projects(self) -> Sequence[Project]: ...
    def project(self, project: str) -> Project: ...  # raises NotFound
    def create_project(self, name: str, *, now: float) -> Project: ...

    # the digest; ``key`` is Fingerprint.primary.value. ``wants`` counts the event and says whether its payload will be
    # kept: True for what is not known yet. ``history`` is of what was before the event, this batch included.
    def offset(self) -> str: ...  # of the last written batch; empty at the beginning
    # ``within`` is called inside the transaction when all else is written; what it raises undoes the batch
    def write(self, batch: Batch, *, now: float, within: Within | None = None) -> None: ...  # idempotent by event_id
    def wants(self, project: str, key: str, received_at: float, *, pressed: bool = False) -> bool: ...
    def retain(self, rules: Retention, *, now: float, busy: bool) -> bool: ...  # a small step; True: there is more
    def history(self, project: str, key: str, event: Event) -> History: ...
    def memory(self, project: str) -> dict[str, Json]: ...  # what the fingerprint learned, its own JSON

    # pages and API
    def version(
        self,
    ) -> int: ...  # grows with each change that a page could show; cheap enough to ask 10 times a second
    def faults(self, query: FaultQuery, *, now: float) -> FaultPage: ...
    def fault(self, fault: int, *, now: float) -> FaultDetail: ...  # raises NotFound
    def events(
        self, fault: int | None, *, project: str | None, cursor: str, limit: int
    ) -> tuple[Sequence[EventSummary], str]: ...
    def find_events(self, query: EventQuery) -> EventsFound: ...  # kept ones; raises BadCursor
    def malformed(self, project: str | None, *, limit: int) -> Sequence[EventSummary]: ...
    def event(self, event_id: str, *, project: str | None = None) -> StoredEvent: ...  # raises NotFound
    def stats(self, project: str | None, *, hours: int, now: float) -> Stats: ...
    def changed_since(self, seen_at: float, *, project: str | None) -> int: ...  # faults with a newer last event

    # triage
    def set_state(
        self, faults: Iterable[int], state: FaultState, *, by: str, now: float
    ) -> int: ...  # how many changed
