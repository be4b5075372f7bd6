"""The desk of triage: what people decide about faults, and what comes of it by itself when events arrive.

Every act is one transaction over many faults and leaves a line in each fault's history. That a resolved fault comes
back is decided where its events are counted (``delta``); that a muted one does, here: ``follow`` within each batch,
``wake`` as time passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from fivehundred.console.store.base import FaultNews, FaultState, NotFound, StoreError
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.narrowing import priority_of

OwnerKind: TypeAlias = Literal["", "member", "team"]
Priority: TypeAlias = Literal["", "high", "medium", "low"]
FixedIn: TypeAlias = Literal["", "this", "next"]
priorities: Final[tuple[Priority, ...]] = get_args(Priority)

faults_at_once_max: Final = 200
comment_chars_max: Final = 4_000
owner_chars_max: Final = 100
_more_max: Final = 10_000_000  # events or users that a mute waits for
_mute_s_max: Final = 366 * 86_400.0
_state_words: Final[dict[FaultState, str]] = {"open": "reopened", "muted": "muted", "resolved": "resolved"}


class TriageRefused(StoreError):
    """The act makes no sense for these faults; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a fault is assigned to: a member or a team, by its id where there are accounts."""

    name: str
    kind: OwnerKind = "member"
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """When a muted fault comes back by itself; whichever is met first. Without any: never."""

    seconds: float | None = None
    events: int | None = None  # so many more
    users: int | None = None


@dataclass(frozen=True, slots=True)
class Triaged:
    """What is decided about one fault."""

    fault: int
    reviewed_at: float | None = None
    owner: Owner | None = None
    priority: Priority = ""  # empty: by its impact
    mute_until: float | None = None
    mute_events: int | None = None  # the counts at which it comes back
    mute_users: int | None = None
    resolved_in: str = ""
    resolved_next: bool = False  # in the release after that one
    impact: float = 0.0

    def urgency(self, now: float) -> str:
        """The priority: as somebody set it, else by the impact."""
        return self.priority or priority_of(self.impact, now)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a fault's history: an act, or what somebody wrote."""

    at: float
    by: str
    what: str
    comment: int | None = None  # its number
    body: str = ""
    author: int | None = None  # the account that wrote it


class Triage:
    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- the state of faults

    def set_state(
        self, faults: Iterable[int], state: FaultState, *, by: str, now: float, words: str = "", **row: Value
    ) -> int:
        """How many changed. What an earlier act made it depend on is forgotten; ``row`` is what it depends on now."""
        changed = 0
        with self._db.transaction():
            for fault in faults:
                known = self._db.rows("SELECT state FROM fault WHERE id = ?", (fault,))
                if not known or (known[0][0] == state and not row and not self._conditional(fault)):
                    continue
                self._db.execute(
                    "UPDATE fault SET state = ?, resolved_at = ?, regressed_at = CASE WHEN ? = 'open'"
                    " THEN regressed_at END WHERE id = ?",
                    (state, now if state == "resolved" else None, state, fault),
                )
                self._save(fault, {**_unconditional, "reviewed_at": now, **row})
                self._tell(fault, now, by, words or _state_words[state])
                changed += 1
            if changed:
                self._db.changed()
        return changed

    def resolve(self, faults: Iterable[int], *, by: str, now: float, fixed_in: FixedIn = "", release: str = "") -> int:
        """Fixed: now; in this release or in ``release`` (older ones may still fail); in the next one after it.

        Raises TriageRefused when a project has no release to speak of.
        """
        if not fixed_in:
            return self.set_state(faults, "resolved", by=by, now=now)
        changed = 0
        with self._db.transaction():
            for fault in faults:
                named = release or self._release_of(fault)
                words = f"resolved in {named}" if fixed_in == "this" else f"resolved in the release after {named}"
                depends: dict[str, Value] = {"resolved_in": named, "resolved_next": int(fixed_in == "next")}
                changed += self.set_state([fault], "resolved", by=by, now=now, words=words, **depends)
        return changed

    def reopen(self, faults: Iterable[int], *, by: str, now: float) -> int:
        return self.set_state(faults, "open", by=by, now=now)

    def mute(self, faults: Iterable[int], *, by: str, now: float, until: Until = Until()) -> int:
        """Raises TriageRefused for an end that is none."""
        _check(until)
        changed = 0
        with self._db.transaction():
            for fault in faults:
                found = self._db.rows("SELECT events, users FROM fault WHERE id = ?", (fault,))
                if not found:
                    continue
                events, users = found[0]
                row: dict[str, Value] = {}
                if until.seconds is not None:
                    row["mute_until"] = now + until.seconds
                if until.events is not None:
                    row["mute_events"] = events + until.events
                if until.users is not None:
                    row["mute_users"] = users + until.users
                changed += self.set_state([fault], "muted", by=by, now=now, words=f"muted{_end(until)}", **row)
        return changed

    # ---- whose it is, how urgent, who has looked at it

    def assign(self, faults: Iterable[int], owner: Owner | None, *, by: str, now: float) -> int:
        """To nobody with None. How many changed."""
        row: dict[str, Value] = {"owner_kind": "", "owner_id": None, "owner": ""}
        if owner is not None:
            if not owner.name.strip() or len(owner.name) > owner_chars_max:
                raise TriageRefused(f"a fault is assigned to a name of 1 to {owner_chars_max} characters")
            row = {"owner_kind": owner.kind, "owner_id": owner.id, "owner": owner.name}
        kind = "team " if owner and owner.kind == "team" else ""
        words = f"assigned it to {kind}{owner.name}" if owner else "assigned it to nobody"
        return self._set(faults, row, lambda known: known.owner != owner, words, by, now)

    def prioritise(self, faults: Iterable[int], priority: Priority, *, by: str, now: float) -> int:
        words = f"set the priority to {priority}" if priority else "left the priority to the impact"
        return self._set(faults, {"priority": priority}, lambda known: known.priority != priority, words, by, now)

    def review(self, faults: Iterable[int], *, now: float) -> None:
        """Somebody has looked at them: they leave the list of what is for review."""
        with self._db.transaction():
            for fault in faults:
                self._save(fault, {"reviewed_at": now})
            self._db.changed()

    # ---- what is said about it

    def comment(self, fault: int, body: str, *, by: str, now: float, author: int | None = None) -> int:
        body = body.replace("\0", "").strip()
        if not body or len(body) > comment_chars_max:
            raise TriageRefused(f"a comment has 1 to {comment_chars_max:,} characters, and this one has {len(body):,}")
        with self._db.transaction():
            if self._db.number("SELECT id FROM fault WHERE id = ?", (fault,)) is None:
                raise NotFound(f"there is no fault {fault}")
            row: dict[str, Value] = {"fault": fault, "at": now, "author": by, "author_id": author, "body": body}
            number = self._db.insert("comment", row)
            self._save(fault, {"reviewed_at": now})
            self._db.changed()
        return number

    def author_of(self, fault: int, comment: int) -> int | None:
        """The number of the account that wrote it; None: it was written without one. Raises NotFound."""
        found = self._db.rows("SELECT author_id FROM comment WHERE id = ? AND fault = ?", (comment, fault))
        if not found:
            raise NotFound(f"fault {fault} has no comment {comment}")
        author: int | None = found[0][0]
        return author

    def remove_comment(self, fault: int, comment: int) -> None:
        """Raises NotFound."""
        with self._db.transaction():
            if not self._db.execute("DELETE FROM comment WHERE id = ? AND fault = ?", (comment, fault)):
                raise NotFound(f"fault {fault} has no comment {comment}")
            self._db.changed()

    def conversation(self, fault: int, *, limit: int = 200) -> list[Entry]:
        """Acts and comments, the newest first."""
        acts = self._db.rows("SELECT at, by, what FROM change WHERE fault = ? ORDER BY id DESC LIMIT ?", (fault, limit))
        said = self._db.rows(
            "SELECT at, author, id, body, author_id FROM comment WHERE fault = ? ORDER BY id DESC LIMIT ?",
            (fault, limit),
        )
        found = [Entry(at, by, what) for at, by, what in acts]
        found += [Entry(at, by, "commented", number, body, author) for at, by, number, body, author in said]
        return sorted(found, key=lambda entry: -entry.at)[:limit]

    def of(self, faults: Sequence[int]) -> dict[int, Triaged]:
        """What is decided about each of them that exists."""
        if not faults:
            return {}
        sql = (
            f"SELECT {_columns}, f.impact FROM fault f LEFT JOIN triage t ON t.fault = f.id"  # noqa: S608 - our own words
            f" WHERE f.id IN ({_marks(faults)})"
        )
        return {row[0]: _triaged(row) for row in self._db.rows(sql, faults)}

    def owners(self) -> list[str]:
        """Names that faults are assigned to, for a list of suggestions."""
        return [owner.name for owner in self.known_owners()]

    def known_owners(self) -> list[Owner]:
        sql = (
            "SELECT owner, owner_kind, owner_id FROM triage WHERE owner <> ''"
            " GROUP BY owner, owner_kind, owner_id ORDER BY owner LIMIT 200"
        )
        return [Owner(*row) for row in self._db.rows(sql)]

    def newest_release(self, project: str) -> str:
        """By when it was first seen; empty when the project names none."""
        sql = (
            "SELECT value FROM project_value WHERE project = ? AND name = 'release'"
            " ORDER BY first_seen DESC, value DESC LIMIT 1"
        )
        found = self._db.rows(sql, (project,))
        return str(found[0][0]) if found else ""

    # ---- what happens by itself

    def follow(self, news: Sequence[FaultNews], *, now: float) -> int:
        """Within a batch: muted faults that met their end are open again. How many."""
        faults = [one.fault for one in news]
        if not faults:
            return 0
        return self._wake(f"f.id IN ({_marks(faults)})", faults, now)

    def wake(self, *, now: float) -> int:
        """Muted faults whose time is over are open again."""
        if self._db.number("SELECT count(*) FROM triage WHERE mute_until <= ?", (now,)) == 0:
            return 0
        with self._db.transaction():
            return self._wake("t.mute_until <= ?", [now], now)

    def _wake(self, which: str, values: Sequence[Value], now: float) -> int:
        sql = (
            "SELECT f.id, t.mute_until, t.mute_events, t.mute_users, f.events, f.users FROM fault f"  # noqa: S608
            f" JOIN triage t ON t.fault = f.id WHERE {which} AND f.state = 'muted'"
            " AND (t.mute_until <= ? OR f.events >= t.mute_events OR f.users >= t.mute_users)"
        )
        found = self._db.rows(sql, (*values, now))
        for fault, until, at_events, at_users, events, users in found:
            self._db.execute("UPDATE fault SET state = 'open' WHERE id = ?", (fault,))
            self._save(fault, {**_unconditional, "reviewed_at": None})
            self._tell(fault, now, "console", f"unmuted: {_met(until, at_events, at_users, events, users, now)}")
        if found:
            self._db.changed()
        return len(found)

    # ---- rows

    def _set(
        self,
        faults: Iterable[int],
        row: dict[str, Value],
        differs: Callable[[Triaged], bool],
        words: str,
        by: str,
        now: float,
    ) -> int:
        numbers = list(faults)[:faults_at_once_max]
        with self._db.transaction():
            known = self.of(numbers)
            changed = [fault for fault, triaged in known.items() if differs(triaged)]
            for fault in changed:
                self._save(fault, {**row, "reviewed_at": now} if by != "console" else row)
                self._tell(fault, now, by, words)
            if changed:
                self._db.changed()
        return len(changed)

    def _save(self, fault: int, row: dict[str, Value]) -> None:
        names = ", ".join(row)
        sets = ", ".join(f"{name} = excluded.{name}" for name in row)
        self._db.execute(
            f"INSERT INTO triage (fault, {names}) VALUES (?, {_marks(list(row))})"  # noqa: S608 - our own names
            f" ON CONFLICT (fault) DO UPDATE SET {sets}",
            (fault, *row.values()),
        )

    def _tell(self, fault: int, at: float, by: str, what: str) -> None:
        self._db.insert("change", {"fault": fault, "at": at, "by": by, "what": what})

    def _conditional(self, fault: int) -> bool:
        known = self.of([fault])[fault]  # exists: its state was just read
        return bool(known.resolved_in) or (known.mute_until, known.mute_events, known.mute_users) != (None,) * 3

    def _release_of(self, fault: int) -> str:
        found = self._db.rows("SELECT project FROM fault WHERE id = ?", (fault,))
        release = self.newest_release(found[0][0]) if found else ""
        if found and not release:
            raise TriageRefused(
                f"the project of fault {fault} has no release yet: set one in the application"
                ' (Guard(release="2.4.0")), or resolve without naming a release'
            )
        return release


_columns: Final = (
    "f.id, t.reviewed_at, t.owner_kind, t.owner_id, t.owner, t.priority, t.mute_until, t.mute_events, t.mute_users,"
    " t.resolved_in, t.resolved_next"
)
_unconditional: Final[dict[str, Value]] = {
    "mute_until": None,
    "mute_events": None,
    "mute_users": None,
    "resolved_in": "",
    "resolved_next": 0,
}


def _triaged(row: tuple[Any, ...]) -> Triaged:
    fault, reviewed_at, kind, owner_id, owner, priority, until, events, users, release, after, impact = row
    whose = Owner(owner, kind, owner_id) if owner else None
    return Triaged(fault, reviewed_at, whose, priority or "", until, events, users, release or "", bool(after), impact)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _check(until: Until) -> None:
    if until.seconds is not None and not 60 <= until.seconds <= _mute_s_max:
        raise TriageRefused("a fault is muted for at least a minute and at most a year")
    for name, count in (("events", until.events), ("users", until.users)):
        if count is not None and not 1 <= count <= _more_max:
            raise TriageRefused(f"a fault is muted until 1 to {_more_max:,} more {name} were seen, not {count:,}")


def _end(until: Until) -> str:
    parts = []
    if until.seconds is not None:
        parts.append(f"for {_span(until.seconds)}")
    if until.events is not None:
        parts.append(f"until {until.events:,} more {'event' if until.events == 1 else 'events'}")
    if until.users is not None:
        parts.append(f"until {until.users:,} more {'user' if until.users == 1 else 'users'}")
    return "".join(f" {part}" if n == 0 else f" or {part}" for n, part in enumerate(parts))


def _span(seconds: float) -> str:
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{int(seconds)} seconds"


def _met(until: float | None, at_events: int | None, at_users: int | None, events: int, users: int, now: float) -> str:
    if at_events is not None and events >= at_events:
        return f"{events:,} events by now"
    if at_users is not None and users >= at_users:
        return f"{users:,} users by now"
    return "its time is over"
