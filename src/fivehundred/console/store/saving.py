"""Saving what a batch adds to its faults: a few statements for all of them, however many faults and events there are.

A storm costs a few rows and not a few rows an event. Within the transaction of the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fivehundred import limits
from fivehundred.console.store.base import Digested
from fivehundred.console.store.database import Database, Value, among
from fivehundred.console.store.delta import Delta, face, heavier, new_user_weight, verdict


def save(db: Database, deltas: Sequence[Delta], now: float) -> None:
    """``deltas`` have at least one event each; one a fault, in the order of their faults."""
    _save_users(db, deltas)
    _save_hours(db, deltas)
    _save_values(db, deltas)
    said = [(delta.fault, at, "console", what) for delta in deltas for at, what in delta.changes]
    db.many("INSERT INTO change (fault, at, by, what) VALUES (?, ?, ?, ?)", said)
    _save_faults(db, deltas, now)
    _save_project_values(db, deltas)


def _save_users(db: Database, deltas: Sequence[Delta]) -> None:
    keys = [(delta.fault, identity) for delta in deltas for identity in delta.identities]
    known = set(among(db, "SELECT fault, identity FROM fault_user WHERE (fault, identity) IN ({keys})", keys))
    new: list[tuple[Value, ...]] = []
    for delta in deltas:
        if delta.last is None:
            continue
        for identity in delta.identities:
            if (delta.fault, identity) in known or delta.users >= limits.users_a_fault_max:
                continue
            delta.users += 1
            delta.impact = heavier(delta.impact, new_user_weight, delta.last.event.timestamp)
            new.append((delta.fault, identity))
    db.bulk("fault_user", "fault, identity", new)


def _save_hours(db: Database, deltas: Sequence[Delta]) -> None:
    hours: dict[tuple[int, int], tuple[int, int | None]] = {}  # (fault, hour) -> events to add, arrived to set
    causes: Counter[tuple[str, int, str]] = Counter()
    for delta in deltas:
        for hour, events in delta.hours.items():
            hours[delta.fault, hour] = (events, None)
        for hour, arrived in delta.arrived.items():
            hours[delta.fault, hour] = (hours.get((delta.fault, hour), (0, None))[0], arrived)
        for (hour, cause), events in delta.causes.items():
            causes[delta.last.project if delta.last else "", hour, cause] += events
    db.many(
        "INSERT INTO fault_hour (fault, hour, events, arrived) VALUES (?, ?, ?, ?) ON CONFLICT (fault, hour)"
        " DO UPDATE SET events = fault_hour.events + excluded.events,"
        " arrived = CASE WHEN excluded.arrived > fault_hour.arrived THEN excluded.arrived ELSE fault_hour.arrived END",
        [
            (fault, hour, events, arrived or 0)
            for (fault, hour), (events, arrived) in hours.items()
            if events or arrived
        ],
    )
    db.many(
        "INSERT INTO project_hour (project, hour, cause, events) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (project, hour, cause) DO UPDATE SET events = project_hour.events + excluded.events",
        [(*key, events) for key, events in causes.items()],
    )


# ---- what it was seen with -------------------------------------------------------------------------


def _save_values(db: Database, deltas: Sequence[Delta]) -> None:
    known = _counted(db, [(delta.fault, *key) for delta in deltas for key in delta.values])
    new = [delta for delta in deltas if any((delta.fault, *key) not in known for key in delta.values)]
    held: dict[int, Counter[str]] = {delta.fault: Counter() for delta in new}  # fault -> name -> values
    sql = "SELECT fault, name, count(*) FROM fault_value WHERE fault IN ({keys}) GROUP BY fault, name"
    for fault, name, count in among(db, sql, [(delta.fault,) for delta in new]):
        held[fault][name] = count
    rows: dict[tuple[int, str, str], tuple[int, float]] = {}
    for delta in deltas:
        for (name, value), (events, first_seen) in delta.values.items():
            if (delta.fault, name, value) not in known:
                place = _room(held[delta.fault], name, value)
                if place is None:
                    continue
                value = place
            before, first = rows.get((delta.fault, name, value), (0, first_seen))
            rows[delta.fault, name, value] = (before + events, min(first, first_seen))
    db.many(
        "INSERT INTO fault_value (fault, name, value, events, first_seen) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (fault, name, value) DO UPDATE SET events = fault_value.events + excluded.events",
        [(*key, *row) for key, row in rows.items()],
    )


def _counted(db: Database, keys: Sequence[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    sql = "SELECT fault, name, value FROM fault_value WHERE (fault, name, value) IN ({keys})"
    return {(fault, name, value) for fault, name, value in among(db, sql, keys)}


def _room(held: Counter[str], name: str, value: str) -> str | None:
    """Under which a new value is counted: itself, "…" when there are too many, or not at all."""
    if not held[name] and len(+held) >= limits.tags_a_fault_max:
        return None
    if held[name] >= limits.values_a_tag_max:
        return "…"
    held[name] += 1
    return value


def _save_project_values(db: Database, deltas: Sequence[Delta]) -> None:
    """Releases, hosts and environments of each project, the first ones up to a bound."""
    found: dict[tuple[str, str, str], tuple[int, float, float]] = {}
    for delta in deltas:
        for (name, value), (events, first_seen) in delta.values.items():
            if delta.last is not None and name in ("release", "host", "environment"):
                key, last_seen = (delta.last.project, name, value), delta.last.event.timestamp
                before, first, last = found.get(key, (0, first_seen, last_seen))
                found[key] = (before + events, min(first, first_seen), max(last, last_seen))
    sql = "SELECT project, name, value FROM project_value WHERE (project, name, value) IN ({keys})"
    known = set(among(db, sql, found))
    db.many(
        "UPDATE project_value SET events = events + ?, last_seen = CASE WHEN last_seen > ? THEN last_seen ELSE ? END"
        " WHERE project = ? AND name = ? AND value = ?",
        [(events, last, last, *key) for key, (events, _, last) in found.items() if key in known],
    )
    new = [(*key, *row) for key, row in found.items() if key not in known]
    for project, name in dict.fromkeys(row[:2] for row in new):
        count = "SELECT count(*) FROM project_value WHERE project = ? AND name = ?"
        room = limits.values_a_project_max - (db.number(count, (project, name)) or 0)
        rows = [row for row in new if row[:2] == (project, name)][: max(0, room)]
        db.bulk("project_value", "project, name, value, events, first_seen, last_seen", rows)


# ---- the faults themselves -------------------------------------------------------------------------


def _save_faults(db: Database, deltas: Sequence[Delta], now: float) -> None:
    """One statement a fault. The face of a fault is its newest event; late arrivals are counted."""
    alike: dict[str, list[tuple[Value, ...]]] = {}
    for d in deltas:
        row: dict[str, Value] = {
            "events = events + ?": d.events,
            "users = ?": d.users,
            "first_seen = CASE WHEN first_seen < ? THEN first_seen": d.first_seen,
            "ELSE ? END": d.first_seen,
            "impact = ?": d.impact,
            "state = ?": d.state,
            "regressed_at = ?": d.regressed_at,
            "changed_at = ?": now,
        }
        if d.last_kept:
            row["last_event_id = ?"] = d.last_kept
        if d.last is not None and d.last.event.timestamp >= d.last_seen:
            row |= _newest(d, d.last)
        sets = ", ".join(row).replace("first_seen, ELSE", "first_seen ELSE")
        sql = f"UPDATE fault SET {sets} WHERE id = ?"  # noqa: S608 - our own words
        alike.setdefault(sql, []).append((*row.values(), d.fault))
    for sql, rows in alike.items():
        db.many(sql, rows)


def _newest(d: Delta, last: Digested) -> dict[str, Value]:
    row: dict[str, Value] = {"last_seen = ?": last.event.timestamp}
    shown = {**face(last, d.request), **(verdict(d.diagnosed) if d.diagnosed else {})}
    row |= {f"{name} = ?": value for name, value in shown.items()}
    if last.event.release:
        row["last_release = ?"] = last.event.release
        row["first_release = CASE WHEN first_release = '' THEN ? ELSE first_release END"] = last.event.release
    return row
