"""Delta: what one batch adds to one fault, added up in memory. ``saving`` writes those of a whole batch at once."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from fivehundred import limits
from fivehundred.console.store.base import Digested
from fivehundred.console.store.database import Database, Value, among
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import Event, text

half_life_s = 6 * 3600.0  # of an event's weight in the impact: a quarter of a day decides what matters now
new_user_weight = 5.0  # a user more counts as much as so many events more

_encode = msgspec.json.Encoder().encode
not_asked = Diagnosis("unknown", "unknown", "unknown", "", "It was counted without a diagnosis.", "", "")


@dataclass(slots=True)
class Summary:
    """What the index itself says about an event, so that lists need no payload."""

    message: str
    release: str
    environment: str
    host: str
    method: str
    route: str
    url: str
    user: str
    sdk: str
    status: int | None


def route_of(event: Event, method: str) -> str:
    """SDKs write a transaction as "GET /path" or as "/path": the method stands beside it in any case."""
    return text(event.ours.get("route")) or event.transaction.removeprefix(f"{method} ")


def summary_of(digested: Digested) -> Summary:
    event = digested.event
    ours, request = event.ours, event.request
    status = ours.get("status")
    method = (text(ours.get("method")) or (request.method if request else ""))[:32]
    route = route_of(event, method)
    return Summary(
        message=digested.fingerprint.message[:500],
        release=event.release,
        environment=event.environment,
        host=event.server_name,
        method=method,
        route=route[: limits.name_chars_max],
        url=request.url[:500] if request else "",
        user=event.user.identity if event.user else "",
        sdk=f"{event.sdk.name}/{event.sdk.version}" if event.sdk.name else "",
        status=status if isinstance(status, int) and 100 <= status <= 599 else None,
    )


@dataclass(frozen=True, slots=True)
class Requested:
    """The request that a fault was seen in."""

    method: str = ""
    route: str = ""
    status: int | None = None


@dataclass(slots=True)
class Delta:
    db: Database
    fault: int
    state: str
    resolved_at: float | None
    regressed_at: float | None
    impact: float
    users: int
    last_seen: float
    cause: str  # of the last diagnosis; what is only counted is counted under it
    request: Requested  # the last one that was known
    resolved_in: str = ""  # the release whose code no longer has it; empty: every release
    resolved_next: bool = False  # the one after that
    arrived: dict[int, int] = field(default_factory=dict)  # hour -> events that arrived in it, this batch included
    events: int = 0
    first_seen: float = math.inf
    first: Digested | None = None  # the earliest by its own clock
    regressed: bool = False  # in this batch
    last: Digested | None = None  # the newest by its own clock
    diagnosed: Digested | None = None  # the newest that was diagnosed
    last_kept: bytes = b""  # the newest to arrive whose payload is kept
    hours: Counter[int] = field(default_factory=Counter)
    causes: Counter[tuple[int, str]] = field(default_factory=Counter)
    values: dict[tuple[str, str], tuple[int, float]] = field(
        default_factory=dict
    )  # (name, value) -> events, first seen
    identities: set[bytes] = field(default_factory=set)
    changes: list[tuple[float, str]] = field(default_factory=list)

    def add(self, digested: Digested) -> int:
        """Counts the event; the how-manieth of its fault in the hour it arrived in."""
        event = digested.event
        self.events += 1
        self.first_seen = min(self.first_seen, event.timestamp)
        if self.first is None or event.timestamp < self.first.event.timestamp:
            self.first = digested
        if self.last is None or event.timestamp >= self.last.event.timestamp:
            self.last = digested
        if digested.diagnosis is not None:
            self.cause = digested.diagnosis.cause
            if self.diagnosed is None or event.timestamp >= self.diagnosed.event.timestamp:
                self.diagnosed = digested
        hour = int(event.timestamp // 3600)
        self.hours[hour] += 1
        self.causes[hour, self.cause] += 1
        self.impact = heavier(self.impact, 1.0, event.timestamp)
        if event.user and event.user.identity:
            self.identities.add(identity_of(event.user.identity))
        for value in values_of(digested):
            events, first_seen = self.values.get(value, (0, event.timestamp))
            self.values[value] = (events + 1, min(first_seen, event.timestamp))
        if self.state == "resolved" and event.timestamp > (self.resolved_at or 0) and self._should_be_fixed(digested):
            self.state, self.regressed_at, self.regressed = "open", event.timestamp, True
            self.changes.append((event.timestamp, f"regressed in {event.release}" if event.release else "regressed"))
        return self._nth(int(digested.received_at // 3600))

    def _should_be_fixed(self, digested: Digested) -> bool:
        """Whether its release is one that no longer has the fault. One without a name is taken for the newest."""
        fixed_in, release = self.resolved_in, digested.event.release
        if not fixed_in or not release:
            return True
        if release == fixed_in:
            return not self.resolved_next
        sql = "SELECT value, first_seen FROM project_value WHERE project = ? AND name = 'release' AND value IN (?, ?)"
        seen = dict(self.db.rows(sql, (digested.project, fixed_in, release)))
        return release not in seen or bool(seen[release] > seen.get(fixed_in, math.inf))

    def _nth(self, hour: int) -> int:
        known = self.arrived.get(hour)
        if known is None:
            sql = "SELECT arrived FROM fault_hour WHERE fault = ? AND hour = ?"
            known = self.db.number(sql, (self.fault, hour)) or 0
        self.arrived[hour] = known + 1
        return known + 1


def create(db: Database, digested: Digested, now: float) -> Delta:
    """A new fault, with no events yet."""
    event = digested.event
    row = {
        "project": digested.project,
        "state": "open",
        "events": 0,
        "users": 0,
        "first_seen": event.timestamp,
        "last_seen": event.timestamp,
        "first_release": event.release,
        "last_release": event.release,
        "changed_at": now,
        "impact": 0.0,
        "last_event_id": bytes.fromhex(event.event_id),  # the first of a fault in an hour is always kept
        **face(digested, Requested()),
        **verdict(digested),
    }
    fault, cause = db.insert("fault", row), str(row["cause"])
    seen = Requested(str(row["method"]), str(row["route"]), summary_of(digested).status)
    made = Delta(db, fault, "open", None, None, 0.0, 0, event.timestamp, cause, seen)
    made.arrived[int(digested.received_at // 3600)] = 0
    return made


def load(db: Database, faults: Iterable[int], hours: Iterable[int]) -> dict[int, Delta]:
    """Of many faults at once, with what arrived in these hours. Their rows stay as they are until the transaction ends.

    In the order of their ids: two that each wait for what the other has would wait for ever.
    """
    numbers, hours = sorted(set(faults)), sorted(set(hours))
    locked = " ORDER BY id FOR UPDATE" if db.dialect == "postgresql" else ""
    sql = (
        "SELECT id, state, resolved_at, regressed_at, impact, users, last_seen, cause, method, route, status"
        " FROM fault WHERE id IN ({keys})"
    )
    found: dict[int, Delta] = {}
    for row in among(db, sql + locked, [(number,) for number in numbers]):
        fault, state, resolved_at, regressed_at, impact, users, last_seen, cause, *request = row
        known = Requested(*request)
        found[fault] = Delta(db, fault, state, resolved_at, regressed_at, impact, users, last_seen, cause, known)
    for delta in found.values():
        delta.arrived = dict.fromkeys(hours, 0)
    arrived = "SELECT fault, hour, arrived FROM fault_hour WHERE (fault, hour) IN ({keys})"
    for fault, hour, count in among(db, arrived, [(fault, hour) for fault in found for hour in hours]):
        found[fault].arrived[hour] = count
    resolved = [(fault,) for fault, delta in found.items() if delta.state == "resolved"]
    depends = "SELECT fault, resolved_in, resolved_next FROM triage WHERE fault IN ({keys})"
    for fault, release, after in among(db, depends, resolved):
        found[fault].resolved_in, found[fault].resolved_next = release, bool(after)
    return found


def identity_of(identity: str) -> bytes:
    """What tells users apart: a digest, so that who it was stands in the payloads alone."""
    return hashlib.blake2b(identity.encode(errors="replace"), digest_size=8).digest()


def tell_request(db: Database, fault: int, digested: Digested) -> str:
    """A second report of a failure may know the request that the first did not: a span after a log record. What can be
    searched for now and could not before; empty when it told nothing new."""
    s = summary_of(digested)
    if not (s.route and s.status):
        return ""
    asked = f"{s.method} {s.route}"
    told = db.execute(
        "UPDATE fault SET method = ?, route = ?, status = ?, search = search || ? WHERE id = ? AND route = ''",
        (s.method, s.route, s.status, f"\n{asked}".casefold(), fault),
    )
    return asked if told else ""


def face(digested: Digested, before: Requested) -> dict[str, Value]:
    """What a fault shows of its newest event; one that knows no request takes none away."""
    event, s, fp = digested.event, summary_of(digested), digested.fingerprint
    seen = Requested(s.method, s.route, s.status) if s.route or not before.route else before
    return {
        "title": fp.title,
        "message": s.message,
        "culprit": fp.culprit,
        "method": seen.method,
        "route": seen.route,
        "status": seen.status,
        "platform": event.platform,
        "level": event.level,
        "environment": event.environment,
        "search": "\n".join((fp.title, s.message, fp.culprit, f"{seen.method} {seen.route}")).casefold(),
        "fingerprint": _encode(fp).decode(),
    }


def verdict(digested: Digested) -> dict[str, Value]:
    """Why it failed, as far as that was asked: the sampling always keeps, and so diagnoses, the first of a fault."""
    d = digested.diagnosis or not_asked
    return {
        "cause": d.cause,
        "confidence": d.confidence,
        "transient": d.transient,
        "sentence": d.sentence,
        "diagnosis": _encode(d).decode(),
    }


def heavier(impact: float, weight: float, at: float) -> float:
    """The impact with one more weight at a time: log2 of a sum in which every weight halves each half-life.

    Counted forward (later weights grow instead of earlier ones shrinking), so the order between two faults needs no
    update as time passes. 0 is the impact of nothing.
    """
    more = at / half_life_s + math.log2(weight)
    if impact == 0.0:
        return more
    high, low = max(impact, more), min(impact, more)
    return high + math.log2(1.0 + 2.0 ** max(low - high, -1000.0))


def values_of(digested: Digested) -> list[tuple[str, str]]:
    """Name and value of what the event is counted under: its tags and what every event has."""
    event, s = digested.event, summary_of(digested)
    known = {
        **event.tags,
        "release": s.release,
        "environment": s.environment,
        "host": s.host,
        "route": s.route,
        "method": s.method,
        "level": event.level,
        "sdk": s.sdk,
        "status": "" if s.status is None else str(s.status),
        "runtime": _versioned(event, "runtime"),
        "os": _versioned(event, "os"),
        "browser": _versioned(event, "browser"),
    }
    return [(name, value) for name, value in known.items() if value]


def _versioned(event: Event, name: str) -> str:
    context = event.contexts.get(name)
    if not context:
        return ""
    return f"{context.get('name') or ''} {context.get('version') or ''}".strip()[: limits.tag_chars_max]
