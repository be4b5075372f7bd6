"""Delta: what one batch adds to one fault, added up in memory and saved once."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field

import apsw
import msgspec

from fivehundred import limits
from fivehundred.console.store.base import Digested
from fivehundred.console.store.schema import Value, insert, number, rows, update
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


def summary_of(digested: Digested) -> Summary:
    event = digested.event
    ours, request = event.ours, event.request
    status = ours.get("status")
    method = (text(ours.get("method")) or (request.method if request else ""))[:32]
    # SDKs write a transaction as "GET /path" or as "/path": the method stands beside it in any case
    route = text(ours.get("route")) or event.transaction.removeprefix(f"{method} ")
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
    db: apsw.Connection
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

    @classmethod
    def create(cls, db: apsw.Connection, digested: Digested, now: float) -> int:
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
            **_face(digested, Requested()),
            **_verdict(digested),
        }
        return insert(db, "fault", row)

    @classmethod
    def load(cls, db: apsw.Connection, fault: int) -> Delta:
        sql = (
            "SELECT state, resolved_at, regressed_at, impact, users, last_seen, cause, method, route, status"
            " FROM fault WHERE id = ?"
        )
        state, resolved_at, regressed_at, impact, users, last_seen, cause, *request = rows(db, sql, (fault,))[0]
        known = Requested(*request)
        found = cls(db, fault, state, resolved_at, regressed_at, impact, users, last_seen, cause, known)
        if state == "resolved":
            depends = rows(db, "SELECT resolved_in, resolved_next FROM triage WHERE fault = ?", (fault,))
            found.resolved_in, found.resolved_next = depends[0] if depends else ("", False)
        return found

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
            self.identities.add(hashlib.blake2b(event.user.identity.encode(), digest_size=8).digest())
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
        seen = dict(rows(self.db, sql, (digested.project, fixed_in, release)))
        return release not in seen or bool(seen[release] > seen.get(fixed_in, math.inf))

    def save(self, db: apsw.Connection, now: float) -> None:
        last = self.last
        if last is None:
            return
        self._save_users(db, last.event.timestamp)
        for hour, events in self.hours.items():
            _add_hour(db, self.fault, hour, events=events)
        for (hour, cause), events in self.causes.items():
            db.execute(
                "INSERT INTO project_hour VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET events = events + excluded.events",
                (last.project, hour, cause, events),
            )
        for hour, arrived in self.arrived.items():
            db.execute(
                "INSERT INTO fault_hour (fault, hour, arrived) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET arrived = excluded.arrived",
                (self.fault, hour, arrived),
            )
        for (name, value), (events, first_seen) in self.values.items():
            self._save_value(db, name, value, events, first_seen)
        for at, what in self.changes:
            db.execute("INSERT INTO change (fault, at, by, what) VALUES (?, ?, 'console', ?)", (self.fault, at, what))
        self._save_fault(db, last, now)

    def _save_fault(self, db: apsw.Connection, last: Digested, now: float) -> None:
        db.execute(
            "UPDATE fault SET events = events + ?, users = ?, first_seen = min(first_seen, ?), impact = ?, state = ?,"
            " regressed_at = ?, changed_at = ? WHERE id = ?",
            (self.events, self.users, self.first_seen, self.impact, self.state, self.regressed_at, now, self.fault),
        )
        if self.last_kept:
            update(db, "fault", {"last_event_id": self.last_kept}, self.fault)
        if last.event.timestamp < self.last_seen:
            return  # late arrivals are counted; the face of a fault is its newest event
        face = {**_face(last, self.request), **(_verdict(self.diagnosed) if self.diagnosed else {})}
        update(db, "fault", {"last_seen": last.event.timestamp, **face}, self.fault)
        if last.event.release:
            db.execute(
                "UPDATE fault SET last_release = ?1,"
                " first_release = CASE WHEN first_release = '' THEN ?1 ELSE first_release END WHERE id = ?2",
                (last.event.release, self.fault),
            )

    def _nth(self, hour: int) -> int:
        known = self.arrived.get(hour)
        if known is None:
            sql = "SELECT arrived FROM fault_hour WHERE fault = ? AND hour = ?"
            known = number(self.db, sql, (self.fault, hour)) or 0
        self.arrived[hour] = known + 1
        return known + 1

    def _save_users(self, db: apsw.Connection, at: float) -> None:
        for identity in self.identities:
            if self.users >= limits.users_a_fault_max:
                return
            db.execute("INSERT OR IGNORE INTO fault_user VALUES (?, ?)", (self.fault, identity))
            if db.changes():
                self.users += 1
                self.impact = heavier(self.impact, new_user_weight, at)

    def _save_value(self, db: apsw.Connection, name: str, value: str, events: int, first_seen: float) -> None:
        if _more(db, self.fault, name, value, events):
            return
        known = number(db, "SELECT count(*) FROM fault_value WHERE fault = ? AND name = ?", (self.fault, name)) or 0
        names = number(db, "SELECT count(DISTINCT name) FROM fault_value WHERE fault = ?", (self.fault,)) or 0
        if known == 0 and names >= limits.tags_a_fault_max:
            return
        if known >= limits.values_a_tag_max:
            value = "…"
            if _more(db, self.fault, name, value, events):
                return
        row = (self.fault, name, value, events, first_seen)
        db.execute("INSERT INTO fault_value VALUES (?, ?, ?, ?, ?)", row)


def tell_request(db: apsw.Connection, fault: int, digested: Digested) -> None:
    """A second report of a failure may know the request that the first did not: a span after a log record."""
    s = summary_of(digested)
    if s.route and s.status:
        db.execute(
            "UPDATE fault SET method = ?, route = ?, status = ?, search = search || ? WHERE id = ? AND route = ''",
            (s.method, s.route, s.status, f"\n{s.method} {s.route}".casefold(), fault),
        )


def _face(digested: Digested, before: Requested) -> dict[str, Value]:
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


def _verdict(digested: Digested) -> dict[str, Value]:
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


def _add_hour(db: apsw.Connection, fault: int, hour: int, *, events: int) -> None:
    db.execute(
        "INSERT INTO fault_hour (fault, hour, events) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET events = events + excluded.events",
        (fault, hour, events),
    )


def _more(db: apsw.Connection, fault: int, name: str, value: str, events: int) -> bool:
    db.execute(
        "UPDATE fault_value SET events = events + ? WHERE fault = ? AND name = ? AND value = ?",
        (events, fault, name, value),
    )
    return db.changes() > 0
