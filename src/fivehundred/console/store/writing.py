"""Writing a digested batch: one transaction, whatever the batch holds, in the portable SQL of ``Database``.

What is known already (ids of events, keys of faults, their counters) is looked up for the whole batch at once. Per
event only what must be exact is written (that it was seen) and, when the sampling keeps it, its payload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from fivehundred import limits
from fivehundred.console.store import delta as deltas
from fivehundred.console.store.base import Batch, Digested, FaultNews, Feedback, Malformed, Tally, Within
from fivehundred.console.store.bodies import Bodies, Body
from fivehundred.console.store.database import Database, Value, among
from fivehundred.console.store.delta import Delta, summary_of, tell_request
from fivehundred.console.store.dictionaries import Dictionaries
from fivehundred.console.store.sampling import keeps
from fivehundred.console.store.saving import save
from fivehundred.console.store.words import Words

_encode = msgspec.json.Encoder().encode
_event_columns = (
    'id, project, event_id, fault, timestamp, received_at, message, release, environment, host, method, url, "user",'
    ' sdk, segment, "offset", length, dictionary'
)


class Writer:
    """Writes batches over one connection; keeps nothing between two batches that another process could change."""

    def __init__(self, db: Database, bodies: Bodies, dictionaries: Dictionaries, offset: str = "offset") -> None:
        self._db = db
        self._bodies = bodies
        self._dictionaries = dictionaries
        self._words = Words(db)
        self._offset = offset  # the name under which the spool's offset is kept
        self._forget()

    def _forget(self) -> None:
        self._tallies: Counter[tuple[str, str, str, str, str]] = Counter()
        self._deltas: dict[int, Delta] = {}
        self._faults: dict[tuple[str, str], int] = {}  # (project, primary key)
        self._joined: set[tuple[str, str]] = set()  # primary keys whose other keys are to be saved
        self._keys: dict[tuple[str, str, int], int] = {}  # to be saved: (project, key, fault) -> groups
        self._created: set[int] = set()  # faults that this batch began
        self._repeated: dict[int, Digested] = {}  # fault -> the last event of this batch that was known before
        self._seen: dict[tuple[bytes, str], int] = {}  # (event id, project) -> fault
        self._seen_rows: list[tuple[Value, ...]] = []  # event is the number of its row in _event_rows, counted from 0
        self._event_rows: list[tuple[Value, ...]] = []  # without their ids
        self._pressed = False  # as the digest was when it read this batch
        self._appended: tuple[int, int, float, int] | None = None  # bytes, events, now, segment

    def write(self, batch: Batch, *, now: float, within: Within | None = None) -> None:
        self._forget()
        self._pressed = batch.pressed
        with self._db.transaction():
            self._db.lock(_projects(batch))
            if batch.events:
                self._events(batch.events, now)
            for malformed in batch.malformed:
                self._malformed(malformed)
            for feedback in batch.feedback:
                self._feedback(feedback)
            for tally in batch.tallies:
                self._count(tally)
            self._save_tallies()
            for project, memory in batch.memories.items():
                self._db.execute(_memory, (project, _encode(memory).decode()))
            if batch.offset:
                self._db.execute("UPDATE mark SET value = ? WHERE name = ?", (batch.offset, self._offset))
            if within is not None:
                within([news for delta in self._sorted() if (news := self._news(delta)) is not None])
            if self._appended:  # last: all writers add to the same row
                self._db.execute(
                    "UPDATE segment SET bytes = bytes + ?, events = events + ?, newest_at = ? WHERE id = ?",
                    self._appended,
                )
            self._db.changed()
        self._words.done()
        self._dictionaries.learn(now)

    def _sorted(self) -> list[Delta]:
        return [self._deltas[fault] for fault in sorted(self._deltas)]

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
            values=delta.values,
            identities=delta.identities,
        )

    # ---- events

    def _events(self, events: Sequence[Digested], now: float) -> None:
        self._look_up(events)
        segment, at = self._bodies.start()
        start = at
        for digested in events:
            at += self._event(digested, segment, at, now)
        self._save_keys()
        if self._event_rows:
            self._bodies.sync()
            self._appended = (at - start, len(self._event_rows), now, segment)
        ids = self._db.ids("event", len(self._event_rows))
        self._db.bulk("event", _event_columns, [(n, *row) for n, row in zip(ids, self._event_rows, strict=True)])
        seen = [(*row[:4], None if (n := row[4]) is None else ids[int(n)]) for row in self._seen_rows]
        self._db.bulk("seen", "event_id, project, fault, timestamp, event", seen)
        touched = [delta for delta in self._sorted() if delta.events]
        save(self._db, touched, now)
        self._words.save(touched)
        for fault, repeated in self._repeated.items():
            told = tell_request(self._db, fault, repeated)
            if told:
                self._words.add({fault: [told]})

    def _look_up(self, events: Sequence[Digested]) -> None:
        """What is known of the batch: events seen before, the faults of the others."""
        ids = [(bytes.fromhex(digested.event.event_id), digested.project) for digested in events]
        sql = "SELECT event_id, project, fault FROM seen WHERE (event_id, project) IN ({keys})"
        self._seen = {(event_id, project): fault for event_id, project, fault in among(self._db, sql, ids)}
        new = [digested for n, digested in enumerate(events) if ids[n] not in self._seen]
        keys = [(digested.project, digested.fingerprint.primary.value) for digested in new]
        sql = "SELECT project, key, fault FROM fault_key WHERE (project, key) IN ({keys}) AND groups = 1"
        self._faults = {(project, key): fault for project, key, fault in among(self._db, sql, keys)}
        hours = {int(digested.received_at // 3600) for digested in new}
        self._deltas = deltas.load(self._db, self._faults.values(), hours)

    def _event(self, digested: Digested, segment: int, at: int, now: float) -> int:
        """Counts one event and keeps its payload when the sampling says so; how many bytes were appended."""
        event, project = digested.event, digested.project
        event_id = bytes.fromhex(event.event_id)
        known = self._seen.get((event_id, project))
        if known is not None:
            self._repeated[known] = digested
            self._count(Tally(project, "duplicate", event.type, "event_id seen before", _sdk(digested), 1))
            return 0
        fault = self._fault_of(digested, now)
        delta = self._deltas.get(fault)
        if delta is None:
            delta = self._deltas[fault] = deltas.load(self._db, [fault], ())[fault]
        nth = delta.add(digested)
        row, length = None, 0
        if digested.diagnosis is not None and digested.payload and keeps(nth, pressed=self._pressed):
            row, length = len(self._event_rows), self._keep(digested, fault, event_id, segment, at)
            delta.last_kept = event_id
        self._seen[event_id, project] = fault
        self._seen_rows.append((event_id, project, fault, event.timestamp, row))
        outcome: Literal["kept", "counted"] = "counted" if row is None else "kept"
        reason = "payload sampled away" if row is None else ""
        self._count(Tally(project, outcome, event.type, reason, _sdk(digested), 1))
        return length

    def _keep(self, digested: Digested, fault: int, event_id: bytes, segment: int, at: int) -> int:
        body = Body(digested.payload, _encode(digested.diagnosis), _encode(digested.fingerprint))
        dictionary, data = self._dictionaries.pack(digested.project, body)
        place = self._bodies.append(segment, at, data)
        s = summary_of(digested)
        self._event_rows.append(
            (digested.project, event_id, fault, digested.event.timestamp, digested.received_at, s.message, s.release,
             s.environment, s.host, s.method, s.url, s.user, s.sdk, place.segment, place.offset, place.length,
             dictionary)
        )  # fmt: skip
        return place.length

    # ---- which fault

    def _fault_of(self, digested: Digested, now: float) -> int:
        """The fault with this primary key; else the one that it continues; else a new one."""
        project, fp = digested.project, digested.fingerprint
        primary = (project, fp.primary.value)
        found = self._faults.get(primary)
        if found is None and fp.older:  # the algorithm changed: it is the fault that it was before
            found = self._continued(project, fp.older[0].value)
        if found is None and fp.continues:
            found = self._continued(project, fp.continues)
            if found is not None:
                self._change(found, digested.event.timestamp, _continues(digested))
        if found is None:
            found = self._create(digested, now)
        if primary not in self._joined:
            self._joined.add(primary)
            self._faults[primary] = found
            for key in fp.keys:
                known = self._keys.get((project, key.value, found), 0)
                self._keys[project, key.value, found] = max(known, int(key.value == fp.primary.value))
        return found

    def _create(self, digested: Digested, now: float) -> int:
        made = deltas.create(self._db, digested, now)
        self._deltas[made.fault] = made
        self._created.add(made.fault)
        return made.fault

    def _continued(self, project: str, key: str) -> int | None:
        self._save_keys()  # those of this batch may be the ones
        return self._db.number(
            "SELECT k.fault FROM fault_key k JOIN fault f ON f.id = k.fault WHERE k.project = ? AND k.key = ?"
            " ORDER BY k.groups DESC, f.last_seen DESC LIMIT 1",
            (project, key),
        )

    def _save_keys(self) -> None:
        self._db.many(
            "INSERT INTO fault_key (project, key, fault, groups) VALUES (?, ?, ?, ?) ON CONFLICT (project, key, fault)"
            " DO UPDATE SET groups = CASE WHEN excluded.groups > fault_key.groups THEN excluded.groups"
            " ELSE fault_key.groups END",
            [(*key, groups) for key, groups in self._keys.items()],
        )
        self._keys.clear()

    def _change(self, fault: int, at: float, what: str) -> None:
        self._db.insert("change", {"fault": fault, "at": at, "by": "console", "what": what})

    # ---- what is no event

    def _malformed(self, m: Malformed) -> None:
        data = m.data[: limits.malformed_bytes_max]
        self._db.execute(
            "INSERT INTO malformed (project, event_id, received_at, reason, data) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (m.project, bytes.fromhex(m.event_id), m.received_at, m.reason, data),
        )
        self._count(Tally(m.project, "malformed", "event", m.reason, "", 1))
        self._only_newest("malformed", m.project, limits.malformed_kept_max)

    def _feedback(self, f: Feedback) -> None:
        is_new = self._db.execute(
            "INSERT INTO feedback (project, event_id, received_at, name, email, message)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (f.project, bytes.fromhex(f.event_id), f.received_at, f.name, f.email, f.message),
        )
        outcome: Literal["kept", "duplicate"] = "kept" if is_new else "duplicate"
        reason = "" if is_new else "the same words about the same event"
        self._count(Tally(f.project, outcome, "feedback", reason, "", 1))
        self._only_newest("feedback", f.project, limits.feedback_kept_max)

    def _only_newest(self, table: str, project: str, kept_max: int) -> None:
        self._db.execute(
            f"DELETE FROM {table} WHERE project = ? AND id <= (SELECT id FROM {table} WHERE project = ?"  # noqa: S608
            " ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (project, project, kept_max),
        )

    def _count(self, t: Tally) -> None:
        item, reason, sdk = (word[:_tally_chars_max] for word in (t.item, t.reason, t.sdk))
        self._tallies[t.project, t.outcome, item, reason, sdk] += t.quantity

    def _save_tallies(self) -> None:
        sql = (
            "SELECT project, outcome, item, reason, sdk FROM tally WHERE (project, outcome, item, reason, sdk)"
            " IN ({keys})"
        )
        known, rows = set(among(self._db, sql, self._tallies)), Counter[tuple[str, ...]]()
        held: dict[str, int] = {}  # project -> rows
        for row, quantity in self._tallies.items():
            project, outcome, *_ = row
            if row not in known:
                if project not in held:
                    held[project] = self._db.number("SELECT count(*) FROM tally WHERE project = ?", (project,)) or 0
                held[project] += 1
                if held[project] > limits.tally_rows_max:  # the words are a sender's: then one row an outcome
                    row = (project, outcome, "…", "…", "…")
            rows[row] += quantity
        self._db.many(
            "INSERT INTO tally (project, outcome, item, reason, sdk, quantity) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project, outcome, item, reason, sdk)"
            " DO UPDATE SET quantity = tally.quantity + excluded.quantity",
            [(*row, quantity) for row, quantity in rows.items()],
        )


_tally_chars_max = 150  # of a word of a tally: what fits into an index row of PostgreSQL in any script
_memory = "INSERT INTO memory (project, json) VALUES (?, ?) ON CONFLICT (project) DO UPDATE SET json = excluded.json"


def _projects(batch: Batch) -> set[str]:
    """Of everything in the batch: what is counted by project is counted by one writer at a time."""
    rows: list[Digested | Malformed | Tally | Feedback] = [
        *batch.events, *batch.malformed, *batch.tallies, *batch.feedback,
    ]  # fmt: skip
    return {row.project for row in rows} | set(batch.memories)


def _continues(digested: Digested) -> str:
    release = digested.event.release
    return f"continued by {digested.fingerprint.culprit or digested.fingerprint.title}" + (
        f" in {release}" if release else ""
    )


def _sdk(digested: Digested) -> str:
    sdk = digested.event.sdk
    return f"{sdk.name}/{sdk.version}" if sdk.name else ""
