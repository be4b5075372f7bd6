"""The desk of what people decide about grouping: merges, splits and rules, all of which can be taken back.

A merge moves keys, kept payloads and counts to one fault and leaves the other one empty, with its own rows as they were
so that taking it back can subtract them again. How what is decided here changes a fingerprint is in
``fingerprint.choices``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from fivehundred import limits
from fivehundred.console.store.base import NotFound, StoreError
from fivehundred.console.store.database import Database, Value
from fivehundred.event import Json
from fivehundred.fingerprint.choices import Book, Lesson, Matcher, Rule, Split, book, fields, lessons_of
from fivehundred.fingerprint.suggest import Keys, Suggestion, suggested

ChoiceKind: TypeAlias = Literal["merge", "split"]
choice_kinds: Final[tuple[ChoiceKind, ...]] = get_args(ChoiceKind)

_encode = msgspec.json.Encoder().encode


class ChoiceRefused(StoreError):
    """What was asked for cannot be done; the text says why and what can."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A merge or a split, as history shows it."""

    id: int
    project: str
    kind: ChoiceKind
    fault: int  # that the other one was merged into, or that was split
    other: int | None  # that was merged
    field: str  # that it was split by
    value: str
    at: float
    by: str
    undone_at: float | None
    undone_by: str


@dataclass(frozen=True, slots=True)
class GroupingRule:
    id: int
    project: str  # empty: all
    matchers: tuple[tuple[str, str], ...]  # (field, pattern)
    fingerprint: str
    enabled: bool
    created_at: float
    created_by: str


@dataclass(frozen=True, slots=True)
class _Fault:
    id: int
    project: str
    state: str
    events: int
    users: int
    first_seen: float
    last_seen: float
    first_release: str
    impact: float
    fingerprint: str


class Choices:
    def __init__(self, database: Database) -> None:
        self._db = database

    def book(self, project: str) -> Book:
        """All that stands, for the digest."""
        rules = [
            Rule(r.id, tuple(Matcher(*m) for m in r.matchers), r.fingerprint)
            for r in self.rules()
            if r.enabled and r.project in ("", project)
        ]
        splits: list[Split] = []
        lessons: list[Lesson] = []
        sql = "SELECT id, kind, field, value, data FROM choice WHERE project = ? AND undone_at IS NULL ORDER BY id DESC"
        for number, kind, field, value, data in self._db.rows(sql, (project,)):
            found = msgspec.json.decode(data)
            if kind == "split":
                splits += [Split(number, key, field, value) for key in found.get("keys", ())]
            else:
                lessons += [Lesson(number, one["key"], one["kind"], one["parts"]) for one in found.get("lessons", ())]
        return book(rules, splits, lessons)

    # ---- merging

    def merge(self, into: int, other: int, *, by: str, now: float) -> int:
        """For ever, until it is taken back. Raises NotFound and ChoiceRefused."""
        with self._db.transaction():
            a, b = self._fault(into), self._fault(other)
            self._refuse_merge(a, b)
            learned = lessons_of(0, _primary(a), _primary(b))
            data: dict[str, Json] = {
                "keys": self._move_keys(a, b),
                "state": b.state,
                "lessons": [{"key": le.key, "kind": le.kind, "parts": dict(le.parts)} for le in learned],
                "first_seen": a.first_seen,
                "first_release": a.first_release,
            }
            row: dict[str, Value] = {"project": a.project, "kind": "merge", "fault": a.id, "other": b.id}
            number = self._record({**row, "data": _encode(data).decode(), "at": now, "by": by})
            self._note_shared(number, a, b)
            self._add_counts(a, b)
            self._db.execute("UPDATE event SET fault = ? WHERE fault = ?", (a.id, b.id))
            state = "open" if "open" in (a.state, b.state) else a.state
            self._gather(a, b, state, now)
            self._db.execute(
                "UPDATE fault SET state = 'resolved', resolved_at = ?, changed_at = ? WHERE id = ?", (now, now, b.id)
            )
            self._say(a.id, f"took #{b.id} in", by, now)
            self._say(b.id, f"merged into #{a.id}", by, now)
            self._db.changed()
        return number

    def _refuse_merge(self, a: _Fault, b: _Fault) -> None:
        if a.id == b.id:
            raise ChoiceRefused("a fault cannot be merged into itself; name two different ones")
        if a.project != b.project:
            raise ChoiceRefused(f"#{a.id} and #{b.id} are of different projects; only faults of one can be merged")
        for one in (a, b):
            gone = self.merged_into(one.id)
            if gone is not None:
                raise ChoiceRefused(f"#{one.id} was merged into #{gone} already; merge that one instead")
        self._refuse_too_many(a.project)

    def _move_keys(self, a: _Fault, b: _Fault) -> list[Json]:
        """What is needed to move them back: (key, whether it grouped b, whether a had it, whether it grouped a)."""
        own = dict(self._db.rows("SELECT key, groups FROM fault_key WHERE fault = ?", (a.id,)))
        keys = self._db.rows("SELECT key, groups FROM fault_key WHERE fault = ?", (b.id,))
        self._db.many(
            "INSERT INTO fault_key (project, key, fault, groups) VALUES (?, ?, ?, ?) ON CONFLICT (project, key, fault)"
            " DO UPDATE SET groups = CASE WHEN excluded.groups > fault_key.groups THEN excluded.groups"
            " ELSE fault_key.groups END",
            [(a.project, key, a.id, groups) for key, groups in keys],
        )
        self._db.execute("DELETE FROM fault_key WHERE fault = ?", (b.id,))
        return [[key, groups, key in own, own.get(key, 0)] for key, groups in keys]

    def _note_shared(self, choice: int, a: _Fault, b: _Fault) -> None:
        self._db.execute(
            "INSERT INTO choice_user (choice, identity) SELECT ?, identity FROM fault_user WHERE fault = ?"
            " AND identity IN (SELECT identity FROM fault_user WHERE fault = ?)",
            (choice, a.id, b.id),
        )

    def _add_counts(self, a: _Fault, b: _Fault) -> None:
        self._db.execute(
            "INSERT INTO fault_hour (fault, hour, events, arrived) SELECT ?, hour, events, arrived FROM fault_hour"
            " WHERE fault = ? ON CONFLICT (fault, hour) DO UPDATE SET events = fault_hour.events + excluded.events,"
            " arrived = fault_hour.arrived + excluded.arrived",
            (a.id, b.id),
        )
        self._db.execute(
            "INSERT INTO fault_value (fault, name, value, events, first_seen)"
            " SELECT ?, name, value, events, first_seen FROM fault_value WHERE fault = ?"
            " ON CONFLICT (fault, name, value) DO UPDATE SET events = fault_value.events + excluded.events,"
            " first_seen = CASE WHEN excluded.first_seen < fault_value.first_seen THEN excluded.first_seen"
            " ELSE fault_value.first_seen END",
            (a.id, b.id),
        )
        self._db.execute(
            "INSERT INTO fault_user (fault, identity) SELECT ?, identity FROM fault_user WHERE fault = ?"
            " ON CONFLICT (fault, identity) DO NOTHING",
            (a.id, b.id),
        )

    def _gather(self, a: _Fault, b: _Fault, state: str, now: float) -> None:
        older = a if a.first_seen <= b.first_seen else b
        high, low = max(a.impact, b.impact), min(a.impact, b.impact)
        impact = high + math.log2(1.0 + 2.0 ** max(low - high, -1000.0)) if low else high
        self._db.execute(
            "UPDATE fault SET events = ?, users = (SELECT count(*) FROM fault_user WHERE fault = ?), first_seen = ?,"
            " first_release = ?, last_seen = ?, impact = ?, state = ?, changed_at = ? WHERE id = ?",
            (
                a.events + b.events,
                a.id,
                older.first_seen,
                older.first_release,
                max(a.last_seen, b.last_seen),
                impact,
                state,
                now,
                a.id,
            ),
        )

    # ---- splitting

    def split(self, fault: int, field: str, value: str = "", *, by: str, now: float) -> int:
        """From now on: events of the fault go apart by the field; with a value, only those that have it leave."""
        if field not in fields and not (field.startswith("tag:") and len(field) > 4):
            raise ChoiceRefused(f"a fault is split by one of {', '.join(fields)} or tag:NAME, not by {field[:40]!r}")
        with self._db.transaction():
            found = self._fault(fault)
            gone = self.merged_into(fault)
            if gone is not None:
                raise ChoiceRefused(f"#{fault} was merged into #{gone}; split that one, or take the merge back")
            self._refuse_too_many(found.project)
            keys = [
                row[0] for row in self._db.rows("SELECT key FROM fault_key WHERE fault = ? AND groups = 1", (fault,))
            ]
            row: dict[str, Value] = {"project": found.project, "kind": "split", "fault": fault}
            row |= {"field": field[:200], "value": value[:1_000], "data": _encode({"keys": keys}).decode()}
            number = self._record({**row, "at": now, "by": by})
            self._say(fault, f"split by {field}" + (f": {value}" if value else ""), by, now)
            self._db.changed()
        return number

    # ---- taking back

    def undo(self, choice: int, *, by: str, now: float) -> Choice:
        """Raises NotFound and ChoiceRefused."""
        with self._db.transaction():
            found = self.choice(choice)
            if found.undone_at is not None:
                raise ChoiceRefused("it was taken back already")
            if found.kind == "merge":
                self._take_apart(found, now)
            else:
                self._take_in(found, by, now)
            self._db.execute("UPDATE choice SET undone_at = ?, undone_by = ? WHERE id = ?", (now, by, choice))
            for fault in (found.fault, found.other):
                if fault is not None:
                    self._say(fault, f"took {found.kind} {choice} back", by, now)
            self._db.changed()
        return self.choice(choice)

    def _take_apart(self, merged: Choice, now: float) -> None:
        a, b = self._fault(merged.fault), self._fault(merged.other or 0)
        data = self._db.rows("SELECT data FROM choice WHERE id = ?", (merged.id,))[0][0]
        before = msgspec.json.decode(data)
        for key, groups, both, own in before["keys"]:
            self._db.execute(
                "INSERT INTO fault_key (project, key, fault, groups) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (project, key, fault) DO NOTHING",
                (b.project, key, b.id, groups),
            )
            if both:
                self._db.execute("UPDATE fault_key SET groups = ? WHERE fault = ? AND key = ?", (own, a.id, key))
            else:
                self._db.execute("DELETE FROM fault_key WHERE fault = ? AND key = ?", (a.id, key))
        self._db.execute(
            "UPDATE event SET fault = ? WHERE fault = ? AND EXISTS (SELECT 1 FROM seen"
            " WHERE seen.event_id = event.event_id AND seen.project = event.project AND seen.fault = ?)",
            (b.id, a.id, b.id),
        )
        self._subtract(a, b)
        self._give_users_back(merged.id, a, b)
        self._db.execute(
            "UPDATE fault SET events = ?, users = (SELECT count(*) FROM fault_user WHERE fault = ?), first_seen = ?,"
            " first_release = ?, changed_at = ? WHERE id = ?",
            (
                max(a.events - b.events, 0),
                a.id,
                before["first_seen"],
                before["first_release"],
                now,
                a.id,
            ),
        )
        self._db.execute(
            "UPDATE fault SET state = ?, resolved_at = NULL, changed_at = ? WHERE id = ?", (before["state"], now, b.id)
        )

    def _subtract(self, a: _Fault, b: _Fault) -> None:
        """What b's own rows say was added; b got nothing since."""
        self._db.execute(
            "UPDATE fault_hour SET events = events - (SELECT b.events FROM fault_hour b WHERE b.fault = ?"
            " AND b.hour = fault_hour.hour) WHERE fault = ? AND hour IN (SELECT hour FROM fault_hour WHERE fault = ?)",
            (b.id, a.id, b.id),
        )
        self._db.execute(
            "UPDATE fault_value SET events = events - (SELECT b.events FROM fault_value b WHERE b.fault = ?"
            " AND b.name = fault_value.name AND b.value = fault_value.value) WHERE fault = ? AND EXISTS (SELECT 1"
            " FROM fault_value b WHERE b.fault = ? AND b.name = fault_value.name AND b.value = fault_value.value)",
            (b.id, a.id, b.id),
        )
        self._db.execute("DELETE FROM fault_value WHERE fault = ? AND events <= 0", (a.id,))
        self._db.execute("DELETE FROM fault_hour WHERE fault = ? AND events <= 0 AND arrived <= 0", (a.id,))

    def _give_users_back(self, choice: int, a: _Fault, b: _Fault) -> None:
        """Those that only b had met; who came since stays, because nobody knows by which of the two."""
        self._db.execute(
            "DELETE FROM fault_user WHERE fault = ? AND identity IN (SELECT identity FROM fault_user WHERE fault = ?)"
            " AND identity NOT IN (SELECT identity FROM choice_user WHERE choice = ?)",
            (a.id, b.id, choice),
        )
        self._db.execute("DELETE FROM choice_user WHERE choice = ?", (choice,))

    def _take_in(self, split: Choice, by: str, now: float) -> None:
        """Faults that the split made are merged back: as merges of their own, each of which can be taken back."""
        sql = "SELECT id, fingerprint FROM fault WHERE project = ? AND id > ? ORDER BY id"
        for fault, fingerprint in self._db.rows(sql, (split.project, split.fault)):
            why = " ".join(str(w) for w in msgspec.json.decode(fingerprint).get("why", ()))
            if f"a person split the fault ({split.id})" in why and self.merged_into(fault) is None:
                self.merge(split.fault, fault, by=by, now=now)

    # ---- rules

    def rules(self) -> list[GroupingRule]:
        """In their order: the first that fits decides."""
        sql = (
            "SELECT id, project, matchers, fingerprint, enabled, created_at, created_by FROM grouping_rule ORDER BY id"
        )
        return [
            GroupingRule(number, project, tuple((f, p) for f, p in msgspec.json.decode(ms)), fp, bool(on), at, by)
            for number, project, ms, fp, on, at, by in self._db.rows(sql)
        ]

    def add_rule(
        self, project: str, matchers: Sequence[tuple[str, str]], fingerprint: str, *, by: str, now: float
    ) -> int:
        """Raises ChoiceRefused for a rule that is none."""
        made = rule_of(matchers, fingerprint)
        with self._db.transaction():
            if (self._db.number("SELECT count(*) FROM grouping_rule") or 0) >= limits.grouping_rules_max:
                raise ChoiceRefused(f"there are {limits.grouping_rules_max} rules already; remove one first")
            row: dict[str, Value] = {
                "project": project,
                "matchers": _encode([(m.field, m.pattern) for m in made.matchers]).decode(),
                "fingerprint": made.fingerprint,
                "enabled": 1,
                "created_at": now,
                "created_by": by,
            }
            number = self._db.insert("grouping_rule", row)
            self._db.changed()
        return number

    def enable_rule(self, rule: int, enabled: bool) -> None:
        """Raises NotFound."""
        self._one_rule("UPDATE grouping_rule SET enabled = ? WHERE id = ?", (int(enabled), rule), rule)

    def remove_rule(self, rule: int) -> None:
        """Raises NotFound."""
        self._one_rule("DELETE FROM grouping_rule WHERE id = ?", (rule,), rule)

    def _one_rule(self, sql: str, values: tuple[int, ...], rule: int) -> None:
        with self._db.transaction():
            if not self._db.execute(sql, values):
                raise NotFound(f"there is no grouping rule {rule}")
            self._db.changed()

    # ---- reading

    def choice(self, choice: int) -> Choice:
        """Raises NotFound."""
        found = self._db.rows(f"{_CHOICE} WHERE id = ?", (choice,))
        if not found:
            raise NotFound(f"there is no merge or split {choice}")
        return Choice(*found[0])

    def of_fault(self, fault: int) -> list[Choice]:
        """The newest first."""
        rows = self._db.rows(f"{_CHOICE} WHERE fault = ? OR other = ? ORDER BY id DESC LIMIT 50", (fault, fault))
        return [Choice(*row) for row in rows]

    def merged_into(self, fault: int) -> int | None:
        """The fault that has it now."""
        sql = "SELECT fault FROM choice WHERE other = ? AND kind = 'merge' AND undone_at IS NULL ORDER BY id DESC"
        return self._db.number(sql, (fault,))

    def suggestions(self, fault: int) -> list[Suggestion]:
        """Faults that may be the same one, out of those that share a key with it or failed at about the same time."""
        one = self._fault(fault)
        near = (
            "SELECT f.id, f.fingerprint FROM fault f WHERE f.id IN (SELECT b.fault FROM fault_key a"
            " JOIN fault_key b ON b.project = a.project AND b.key = a.key WHERE a.fault = ?) AND f.id <> ? LIMIT ?"
        )
        then = (
            "SELECT id, fingerprint FROM fault WHERE project = ? AND last_seen BETWEEN ? AND ? AND id <> ?"
            " ORDER BY last_seen DESC LIMIT ?"
        )
        most = limits.suggested_from_max
        rows = self._db.rows(near, (fault, fault, most))
        rows += self._db.rows(then, (one.project, one.first_seen - _near_s, one.last_seen + _near_s, fault, most))
        others = {n: _keys(n, raw) for n, raw in rows}
        own = _keys(fault, one.fingerprint)
        found = suggested(own, others.values(), limits.suggestions_max * 2)
        return [s for s in found if self.merged_into(s.fault) is None][: limits.suggestions_max]

    def _fault(self, fault: int) -> _Fault:
        sql = (
            "SELECT id, project, state, events, users, first_seen, last_seen, first_release, impact, fingerprint"
            " FROM fault WHERE id = ?"
        )
        found = self._db.rows(sql, (fault,))
        if not found:
            raise NotFound(f"there is no fault {fault}")
        return _Fault(*found[0])

    def _refuse_too_many(self, project: str) -> None:
        sql = "SELECT count(*) FROM choice WHERE project = ? AND undone_at IS NULL"
        if (self._db.number(sql, (project,)) or 0) >= limits.choices_max:
            raise ChoiceRefused(f"{limits.choices_max} merges and splits stand already; take some back first")

    def _record(self, row: Mapping[str, Value]) -> int:
        return self._db.insert("choice", row)

    def _say(self, fault: int, what: str, by: str, now: float) -> None:
        self._db.execute("INSERT INTO change (fault, at, by, what) VALUES (?, ?, ?, ?)", (fault, now, by, what[:300]))


def rule_of(matchers: Sequence[tuple[str, str]], fingerprint: str) -> Rule:
    """A rule as a person wrote it. Raises ChoiceRefused."""
    found = [(name.strip(), pattern.replace("\0", "").strip()) for name, pattern in matchers]
    fingerprint = " ".join(fingerprint.replace("\0", "").split())
    if not 1 <= len(found) <= limits.grouping_matchers_max:
        raise ChoiceRefused(f"a rule has 1 to {limits.grouping_matchers_max} matchers, as in type: ConnectionError")
    for name, pattern in found:
        if name not in fields and not (name.startswith("tag:") and 4 < len(name) <= 200):
            raise ChoiceRefused(f"a matcher looks at one of {', '.join(fields)} or tag:NAME, not at {name[:40]!r}")
        if not 1 <= len(pattern) <= limits.grouping_pattern_chars_max:
            raise ChoiceRefused(f"a pattern has 1 to {limits.grouping_pattern_chars_max} characters, as in *timed out*")
    if not any(pattern.strip("*?") for _, pattern in found):
        raise ChoiceRefused("these patterns fit every event, and all of them would be one fault; say which ones")
    if not 1 <= len(fingerprint) <= limits.grouping_name_chars_max:
        raise ChoiceRefused(
            f"a fingerprint has 1 to {limits.grouping_name_chars_max} characters, as in payment-timeout"
        )
    return Rule(0, tuple(Matcher(*m) for m in found), fingerprint)


def _primary(fault: _Fault) -> Mapping[str, object]:
    keys = msgspec.json.decode(fault.fingerprint).get("keys")
    return keys[0] if isinstance(keys, list) and keys and isinstance(keys[0], dict) else {}


_near_s: Final = 86_400.0  # two states of one outage are not further apart
_CHOICE: Final = "SELECT id, project, kind, fault, other, field, value, at, by, undone_at, undone_by FROM choice"


@lru_cache(maxsize=4096)
def _keys(fault: int, fingerprint: str) -> Keys:
    """Read once for each newest fingerprint: every page of a fault compares it with those of hundreds of others."""
    return Keys.of(fault, msgspec.json.decode(fingerprint))
