"""Writing a digested batch into SQLite: one transaction, whatever the batch holds.

Per event only what must be exact is written (that it was seen) and, when the sampling keeps it, its payload. All
counters of a fault are added up over the batch first, so that a storm costs a few rows and not a few rows an event.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

import apsw
import msgspec

from fivehundred import limits
from fivehundred.console.store.base import Batch, Digested, FaultNews, Feedback, Malformed, Tally, Within
from fivehundred.console.store.bodies import Body, Segments
from fivehundred.console.store.delta import Delta, summary_of, tell_request
from fivehundred.console.store.dictionaries import Dictionaries
from fivehundred.console.store.sampling import keeps
from fivehundred.console.store.schema import Value, immediate, insert, number, rows

_encode = msgspec.json.Encoder().encode


class Writer:
    """Writes batches over one connection; keeps nothing between two batches that another process could change."""

    def __init__(self, db: apsw.Connection, segments: Segments) -> None:
        self._db = db
        self._segments = segments
        self._dictionaries = Dictionaries(db)
        self._tallies: Counter[tuple[str, str, str, str, str]] = Counter()
        self._deltas: dict[int, Delta] = {}
        self._faults: dict[tuple[str, str], int] = {}  # (project, primary key) of this batch
        self._created: set[int] = set()  # faults that this batch began
        self._repeated: dict[int, Digested] = {}  # fault -> the last event of this batch that was known before

    def write(self, batch: Batch, *, now: float, within: Within | None = None) -> None:
        self._tallies, self._deltas, self._faults, self._repeated = Counter(), {}, {}, {}
        self._created.clear()
        with immediate(self._db):
            segment, start = self._open_segment()
            at, kept = start, 0
            for digested in batch.events:
                length = self._event(digested, segment, at, now)
                at, kept = at + length, kept + (length > 0)
            for malformed in batch.malformed:
                self._malformed(malformed)
            for feedback in batch.feedback:
                self._feedback(feedback)
            for tally in batch.tallies:
                self._count(tally)
            for delta in self._deltas.values():
                delta.save(self._db, now)
            for fault, repeated in self._repeated.items():
                tell_request(self._db, fault, repeated)
            self._save_project_values()
            self._save_tallies()
            if kept:
                self._segments.sync()
                self._db.execute(
                    "UPDATE segment SET bytes = ?, events = events + ?, newest_at = ? WHERE id = ?",
                    (at, kept, now, segment),
                )
            for project, memory in batch.memories.items():
                self._db.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (project, _encode(memory).decode()))
            if batch.offset:
                self._db.execute("UPDATE mark SET value = ? WHERE name = 'offset'", (batch.offset,))
            self._db.execute("UPDATE mark SET value = value + 1 WHERE name = 'version'")
            if within is not None:
                within([news for delta in self._deltas.values() if (news := self._news(delta)) is not None])
        self._dictionaries.learn(now)

    def _news(self, delta: Delta) -> FaultNews | None:
        if delta.first is None or delta.last is None:
            return None
        return FaultNews(
            fault=delta.fault,
            project=delta.last.project,
            created=delta.fault in self._created,
            regressed=delta.regressed,
            events=delta.events,
            users=delta.users,
            first=delta.first,
            newest=delta.last,
            diagnosed=delta.diagnosed,
        )

    def _event(self, digested: Digested, segment: int, at: int, now: float) -> int:
        """Counts one event and keeps its payload when the sampling says so; how many bytes were appended."""
        event, project = digested.event, digested.project
        event_id = bytes.fromhex(event.event_id)
        known = number(self._db, "SELECT fault FROM seen WHERE event_id = ? AND project = ?", (event_id, project))
        if known is not None:
            self._repeated[known] = digested
            self._count(Tally(project, "duplicate", event.type, "event_id seen before", _sdk(digested), 1))
            return 0
        fault = self._fault_of(digested, now)
        delta = self._deltas.get(fault)
        if delta is None:
            delta = self._deltas[fault] = Delta.load(self._db, fault)
        nth = delta.add(digested)
        row, length = None, 0
        if digested.diagnosis is not None and keeps(nth):
            row, length = self._keep(digested, fault, event_id, segment, at)
            delta.last_kept = event_id
        self._db.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", (event_id, project, fault, event.timestamp, row))
        outcome, reason = ("kept", "") if row is not None else ("counted", "payload sampled away")
        self._tallies[project, outcome, event.type, reason, _sdk(digested)] += 1
        return length

    def _keep(self, digested: Digested, fault: int, event_id: bytes, segment: int, at: int) -> tuple[int, int]:
        body = Body(digested.payload, _encode(digested.diagnosis), _encode(digested.fingerprint))
        dictionary, data = self._dictionaries.pack(digested.project, body)
        place = self._segments.append(segment, at, data)
        s = summary_of(digested)
        row: dict[str, Value] = {
            "project": digested.project,
            "event_id": event_id,
            "fault": fault,
            "timestamp": digested.event.timestamp,
            "received_at": digested.received_at,
            "message": s.message,
            "release": s.release,
            "environment": s.environment,
            "host": s.host,
            "method": s.method,
            "url": s.url,
            "user": s.user,
            "sdk": s.sdk,
            "segment": place.segment,
            "offset": place.offset,
            "length": place.length,
            "dictionary": dictionary,
        }
        return insert(self._db, "event", row), place.length

    def _fault_of(self, digested: Digested, now: float) -> int:
        """The fault with this primary key; else the one that it continues; else a new one."""
        project, fp = digested.project, digested.fingerprint
        known = self._faults.get((project, fp.primary.value))
        if known is not None:
            return known
        found = number(
            self._db,
            "SELECT fault FROM fault_key WHERE project = ? AND key = ? AND groups = 1",
            (project, fp.primary.value),
        )
        if found is None and fp.continues:
            found = self._continued(project, fp.continues)
            if found is not None:
                self._change(found, digested.event.timestamp, _continues(digested))
        fault = self._create(digested, now) if found is None else found
        self._save_keys(digested, fault)
        self._faults[project, fp.primary.value] = fault
        return fault

    def _create(self, digested: Digested, now: float) -> int:
        fault = Delta.create(self._db, digested, now)
        self._created.add(fault)
        return fault

    def _continued(self, project: str, key: str) -> int | None:
        return number(
            self._db,
            "SELECT k.fault FROM fault_key k JOIN fault f ON f.id = k.fault WHERE k.project = ? AND k.key = ?"
            " ORDER BY k.groups DESC, f.last_seen DESC LIMIT 1",
            (project, key),
        )

    def _save_keys(self, digested: Digested, fault: int) -> None:
        primary = digested.fingerprint.primary.value
        for key in digested.fingerprint.keys:
            self._db.execute(
                "INSERT INTO fault_key VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET groups = max(groups, excluded.groups)",
                (digested.project, key.value, fault, key.value == primary),
            )

    def _change(self, fault: int, at: float, what: str) -> None:
        self._db.execute("INSERT INTO change (fault, at, by, what) VALUES (?, ?, 'console', ?)", (fault, at, what))

    def _malformed(self, m: Malformed) -> None:
        data = m.data[: limits.malformed_bytes_max]
        self._db.execute(
            "INSERT OR IGNORE INTO malformed (project, event_id, received_at, reason, data) VALUES (?, ?, ?, ?, ?)",
            (m.project, bytes.fromhex(m.event_id), m.received_at, m.reason, data),
        )
        self._tallies[m.project, "malformed", "event", m.reason, ""] += 1
        self._db.execute(
            "DELETE FROM malformed WHERE project = ?1 AND id <= (SELECT id FROM malformed WHERE project = ?1"
            " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (m.project, limits.malformed_kept_max),
        )

    def _feedback(self, f: Feedback) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO feedback (project, event_id, received_at, name, email, message)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (f.project, bytes.fromhex(f.event_id), f.received_at, f.name, f.email, f.message),
        )
        is_new = self._db.changes() > 0
        outcome: Literal["kept", "duplicate"] = "kept" if is_new else "duplicate"
        reason = "" if is_new else "the same words about the same event"
        self._count(Tally(f.project, outcome, "feedback", reason, "", 1))
        self._db.execute(
            "DELETE FROM feedback WHERE project = ?1 AND id <= (SELECT id FROM feedback WHERE project = ?1"
            " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (f.project, limits.feedback_kept_max),
        )

    def _save_project_values(self) -> None:
        found: dict[tuple[str, str, str], tuple[int, float, float]] = {}
        for delta in self._deltas.values():
            for (name, value), (events, first_seen) in delta.values.items():
                if delta.last is not None and name in ("release", "host", "environment"):
                    key, last_seen = (delta.last.project, name, value), delta.last.event.timestamp
                    before, first, last = found.get(key, (0, first_seen, last_seen))
                    found[key] = (before + events, min(first, first_seen), max(last, last_seen))
        for (project, name, value), (events, first, last) in found.items():
            self._save_project_value(project, name, value, events, first, last)

    def _save_project_value(self, project: str, name: str, value: str, events: int, first: float, last: float) -> None:
        self._db.execute(
            "UPDATE project_value SET events = events + ?, last_seen = max(last_seen, ?)"
            " WHERE project = ? AND name = ? AND value = ?",
            (events, last, project, name, value),
        )
        if self._db.changes():
            return
        known = (
            number(self._db, "SELECT count(*) FROM project_value WHERE project = ? AND name = ?", (project, name)) or 0
        )
        if known < limits.values_a_project_max:
            self._db.execute(
                "INSERT INTO project_value VALUES (?, ?, ?, ?, ?, ?)", (project, name, value, events, first, last)
            )

    def _count(self, t: Tally) -> None:
        self._tallies[t.project, t.outcome, t.item, t.reason, t.sdk] += t.quantity

    def _save_tallies(self) -> None:
        for (project, outcome, item, reason, sdk), quantity in self._tallies.items():
            row = (project, outcome, item, reason, sdk)
            self._db.execute(
                "UPDATE tally SET quantity = quantity + ? WHERE project = ? AND outcome = ? AND item = ?"
                " AND reason = ? AND sdk = ?",
                (quantity, *row),
            )
            if not self._db.changes():
                self._new_tally(row, quantity)

    def _new_tally(self, row: tuple[str, str, str, str, str], quantity: int) -> None:
        project, outcome, _, _, _ = row
        rows = number(self._db, "SELECT count(*) FROM tally WHERE project = ?", (project,)) or 0
        if rows >= limits.tally_rows_max:  # the words come from senders: past the bound they are one row an outcome
            row = (project, outcome, "…", "…", "…")
        self._db.execute(
            "INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity",
            (*row, quantity),
        )

    def _open_segment(self) -> tuple[int, int]:
        """(number, committed end) of the segment that is appended to."""
        found = rows(self._db, "SELECT id, bytes FROM segment ORDER BY id DESC LIMIT 1")
        if found and found[0][1] < limits.body_segment_bytes_max:
            return found[0][0], found[0][1]
        self._db.execute("INSERT INTO segment DEFAULT VALUES")
        return self._db.last_insert_rowid(), 0


def _continues(digested: Digested) -> str:
    release = digested.event.release
    return f"continued by {digested.fingerprint.culprit or digested.fingerprint.title}" + (
        f" in {release}" if release else ""
    )


def _sdk(digested: Digested) -> str:
    sdk = digested.event.sdk
    return f"{sdk.name}/{sdk.version}" if sdk.name else ""
