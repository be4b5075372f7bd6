"""Reading a store for pages and API: faults in order, one fault, events, figures. Portable SQL; nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from fivehundred import limits
from fivehundred.console.store import narrowing
from fivehundred.console.store.base import (
    BadCursor,
    Change,
    EventSummary,
    Fault,
    FaultDetail,
    FaultPage,
    FaultQuery,
    Feedback,
    NotFound,
    Order,
    Stats,
    Tally,
)
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.words import condition
from fivehundred.diagnosis.model import Diagnosis

_FAULT: Final = (
    "last_event_id, id, project, title, message, culprit, method, route, status, platform, level, state, cause,"
    " confidence, transient, sentence, events, users, first_seen, last_seen, first_release, last_release, environment,"
    " regressed_at"
)
_EVENT: Final = (
    "e.event_id, e.fault, e.project, e.timestamp, e.received_at, f.title, e.message, e.release, e.environment,"
    ' e.host, e.method, e.url, e."user", e.sdk'
)
_ORDERS: Final[dict[Order, str]] = {
    "impact": "impact",
    "last_seen": "last_seen",
    "first_seen": "first_seen",
    "events": "events",
    "users": "users",
}


# ---- faults --------------------------------------------------------------------------------------


def fault_page(db: Database, query: FaultQuery, *, now: float) -> FaultPage:
    where, values = _conditions(db, query, now)
    total = fault_count(db, query, now=now)
    order = _ORDERS[query.order]
    if query.cursor:
        where += f" AND ({order}, id) < (?, ?)"
        values = [*values, *_cursor(query.cursor, query.order)]
    limit = _bounded(query.limit)
    sql = f"SELECT {order}, id, {_FAULT} FROM fault WHERE {where} ORDER BY {order} DESC, id DESC LIMIT ?"  # noqa: S608
    found = db.rows(sql, (*values, limit + 1))
    page = found[:limit]
    following = f"{query.order}:{page[-1][0]!r}:{page[-1][1]}" if len(found) > limit else ""
    trends = _trends(db, [row[1] for row in page], now)
    return FaultPage(tuple(_fault(row[2:], trends[row[1]]) for row in page), following, total)


def fault_count(db: Database, query: FaultQuery, *, now: float) -> int:
    """How many match, for the tabs of a list."""
    where, values = _conditions(db, query, now)
    return db.number(f"SELECT count(*) FROM fault WHERE {where}", values) or 0  # noqa: S608 - our own words only


def fault_detail(db: Database, fault: int, *, now: float) -> FaultDetail:
    found = db.rows(f"SELECT diagnosis, fingerprint, {_FAULT} FROM fault WHERE id = ?", (fault,))  # noqa: S608
    if not found:
        raise NotFound(f"there is no fault {fault}")
    diagnosis, fingerprint, *row = found[0]
    counted = _values(db, fault)
    history = db.rows("SELECT at, by, what FROM change WHERE fault = ? ORDER BY id DESC LIMIT 200", (fault,))
    return FaultDetail(
        fault=_fault(row, _trends(db, [fault], now)[fault]),
        diagnosis=Diagnosis.from_json(msgspec.json.decode(diagnosis)),
        fingerprint=msgspec.json.decode(fingerprint),
        tags={name: tuple((value, events) for value, events, _ in found) for name, found in counted.items()},
        releases=tuple(sorted(counted.get("release", ()), key=lambda row: row[2])),
        hosts=tuple((value, events) for value, events, _ in counted.get("host", ())),
        history=tuple(Change(*row) for row in history),
        trend_daily=_daily(db, fault, now),
    )


def _conditions(db: Database, query: FaultQuery, now: float) -> tuple[str, list[Value]]:
    where, values = ["1 = 1"], list[Value]()
    for name, value in (("project", query.project), ("state", query.state), ("cause", query.cause)):
        if value is not None:
            where.append(f"{name} = ?")
            values.append(value)
    more, theirs = narrowing.conditions(query, now=now)
    where += more
    values += theirs
    for word in query.text.split()[:8]:
        found, value = condition(db, word[:200])
        where.append(found)
        values.append(value)
    return " AND ".join(where), values


def _cursor(cursor: str, order: Order) -> tuple[float, int]:
    try:
        name, value, fault = cursor.split(":")
        if name == order and fault.isascii() and len(fault) < 19:
            return float(value), int(fault)
    except ValueError:
        pass
    raise BadCursor("the cursor is none of this list and order; start again without one")


def _fault(row: Sequence[Any], trend: tuple[int, ...]) -> Fault:
    """From the columns of ``_FAULT``."""
    return Fault(*(*row[1:], trend, row[0].hex()))


def _trends(db: Database, faults: list[int], now: float) -> dict[int, tuple[int, ...]]:
    """The last 24 hours of each fault."""
    last = int(now // 3600)
    found = {fault: [0] * 24 for fault in faults}
    marks = ",".join("?" * len(faults)) or "NULL"
    sql = f"SELECT fault, hour, events FROM fault_hour WHERE fault IN ({marks}) AND hour > ? AND hour <= ?"  # noqa: S608
    for fault, hour, events in db.rows(sql, (*faults, last - 24, last)):
        found[fault][23 - (last - hour)] = events
    return {fault: tuple(trend) for fault, trend in found.items()}


def _daily(db: Database, fault: int, now: float) -> tuple[int, ...]:
    last = int(now // 86400)
    days = [0] * 30
    sql = "SELECT hour, events FROM fault_hour WHERE fault = ? AND hour >= ? AND hour < ?"
    for hour, events in db.rows(sql, (fault, (last - 29) * 24, (last + 1) * 24)):
        days[29 - (last - hour // 24)] += events
    return tuple(days)


def _values(db: Database, fault: int) -> dict[str, list[tuple[str, int, float]]]:
    """name -> (value, events, first seen), the most frequent first."""
    found: dict[str, list[tuple[str, int, float]]] = {}
    sql = "SELECT name, value, events, first_seen FROM fault_value WHERE fault = ? ORDER BY name, events DESC, value"
    for name, value, events, first_seen in db.rows(sql, (fault,)):
        found.setdefault(name, []).append((value, events, first_seen))
    return found


# ---- events --------------------------------------------------------------------------------------


def event_page(
    db: Database, fault: int | None, project: str | None, cursor: str, limit: int
) -> tuple[list[EventSummary], str]:
    """Kept events, the newest to arrive first."""
    where, values = ["1 = 1"], list[Value]()
    for name, value in (("fault", fault), ("project", project)):
        if value is not None:
            where.append(f"e.{name} = ?")
            values.append(value)
    if cursor:
        if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
            raise BadCursor("the cursor is none of this list; start again without one")
        where.append("e.id < ?")
        values.append(int(cursor))
    limit = _bounded(limit)
    sql = (
        f"SELECT e.id, {_EVENT} FROM event e JOIN fault f ON f.id = e.fault"  # noqa: S608
        f" WHERE {' AND '.join(where)} ORDER BY e.id DESC LIMIT ?"
    )
    found = db.rows(sql, (*values, limit + 1))
    following = str(found[limit - 1][0]) if len(found) > limit else ""
    return [_summary(row[1:]) for row in found[:limit]], following


def kept_summary(db: Database, event: int) -> EventSummary:
    """Of the row with that id, which exists."""
    sql = f"SELECT {_EVENT} FROM event e JOIN fault f ON f.id = e.fault WHERE e.id = ?"  # noqa: S608
    return _summary(db.rows(sql, (event,))[0])


def counted_summary(db: Database, event_id: bytes, project: str) -> EventSummary:
    """Of an event that was counted only: what its fault says, and its own time."""
    sql = (
        "SELECT s.event_id, s.fault, s.project, s.timestamp, s.timestamp, f.title, f.message, f.last_release,"
        " f.environment, '', f.method, '', '', '' FROM seen s JOIN fault f ON f.id = s.fault"
        " WHERE s.event_id = ? AND s.project = ?"
    )
    return _summary(db.rows(sql, (event_id, project))[0], kept=False)


def feedback(db: Database, event_id: bytes, project: str) -> tuple[Feedback, ...]:
    """What users wrote about one event."""
    sql = (
        "SELECT received_at, name, email, message FROM feedback WHERE event_id = ? AND project = ? ORDER BY id LIMIT ?"
    )
    found = db.rows(sql, (event_id, project, limits.feedback_of_an_event_max))
    return tuple(Feedback(project, event_id.hex(), *row) for row in found)


def malformed_page(db: Database, project: str | None, limit: int) -> list[EventSummary]:
    where, values = _of(project)
    sql = (
        f"SELECT event_id, project, received_at, reason FROM malformed WHERE {where}"  # noqa: S608
        " ORDER BY id DESC LIMIT ?"
    )
    return [malformed_summary(*row) for row in db.rows(sql, (*values, _bounded(limit)))]


def malformed_summary(event_id: bytes, project: str, received_at: float, reason: str) -> EventSummary:
    return EventSummary(
        event_id=event_id.hex(),
        fault=None,
        project=project,
        timestamp=received_at,
        received_at=received_at,
        title="Malformed event",
        message=reason,
        release="",
        environment="",
        host="",
        method="",
        url="",
        user="",
        sdk="",
        kept=True,
    )


def _summary(row: Sequence[Any], *, kept: bool = True) -> EventSummary:
    """From the columns of ``_EVENT``."""
    return EventSummary(*(row[0].hex(), *row[1:], kept))


# ---- figures -------------------------------------------------------------------------------------


def stats(db: Database, project: str | None, *, hours: int, now: float) -> Stats:
    hours = max(1, min(hours, limits.stats_hours_max))
    last = int(now // 3600)
    where, values = _of(project)
    by_hour, causes = [0] * hours, dict[str, int]()
    hourly = (
        f"SELECT hour, cause, sum(events) FROM project_hour WHERE {where}"  # noqa: S608
        " AND hour > ? AND hour <= ? GROUP BY hour, cause"
    )
    for hour, cause, events in db.rows(hourly, (*values, last - hours, last)):
        by_hour[hours - 1 - (last - hour)] += events
        causes[cause] = causes.get(cause, 0) + events
    states = dict(db.rows(f"SELECT state, count(*) FROM fault WHERE {where} GROUP BY state", values))  # noqa: S608
    tallies = (
        f"SELECT project, outcome, item, reason, sdk, quantity FROM tally WHERE {where}"  # noqa: S608
        " ORDER BY outcome, item, reason, sdk"
    )
    return Stats(
        hours=hours,
        events=sum(by_hour),
        faults={state: states.get(state, 0) for state in ("open", "muted", "resolved")},
        causes=causes,
        by_hour=tuple(by_hour),
        tallies=tuple(Tally(*row) for row in db.rows(tallies, values)),
    )


def _of(project: str | None) -> tuple[str, tuple[str, ...]]:
    return ("1 = 1", ()) if project is None else ("project = ?", (project,))


def _bounded(limit: int) -> int:
    return max(1, min(limit, limits.page_rows_max))
