"""Export: what a store knows, as JSON lines that any store can take in again (``importing``).

One object a line, by its one name: ``export``, ``project``, ``fault`` with all its counters, states and history, and
behind each fault its ``event`` lines with payloads; then ``malformed`` and ``feedback``. Bytes are base64. A text
database, a spreadsheet or another error tracker can read it. Accounts, secrets, rules and alerts are not in it: a
backup holds those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import msgspec

from fivehundred.console.store.base import Project, Store

export_format: Final = 1
fault_columns: Final = (
    "id", "project", "title", "message", "culprit", "method", "route", "status", "platform", "level", "state", "cause",
    "confidence", "transient", "sentence", "events", "users", "first_seen", "last_seen", "first_release",
    "last_release", "environment", "resolved_at", "regressed_at", "changed_at", "impact", "last_event_id", "search",
    "diagnosis", "fingerprint",
)  # fmt: skip
# what hangs on a fault: table -> columns besides "fault"
fault_tables: Final[dict[str, tuple[str, ...]]] = {
    "fault_key": ("key", "groups"),
    "fault_value": ("name", "value", "events", "first_seen"),
    "fault_user": ("identity",),
    "fault_hour": ("hour", "events", "arrived"),
    "change": ("at", "by", "what"),
    "triage": (
        "reviewed_at", "owner_kind", "owner", "priority", "mute_until", "mute_events", "mute_users", "resolved_in",
        "resolved_next",
    ),
    "comment": ("at", "author", "body"),
    "fault_words": ("words",),
}  # fmt: skip
event_columns: Final = (
    "event_id", "timestamp", "received_at", "message", "release", "environment", "host", "method", "url", "user", "sdk",
)  # fmt: skip
_at_once: Final = 500
_ids_at_once: Final = 1_000

Line = dict[str, Any]


@dataclass(slots=True)
class Exported:
    projects: int = 0
    faults: int = 0
    events: int = 0  # with their payloads
    counted: int = 0  # ids of events whose payload is not kept
    damaged: int = 0  # payloads that could not be read; their events are among ``counted``


def export(store: Store, out: IO[bytes], *, now: float) -> Exported:
    """Writes every line. What changes meanwhile is in it or not, but each fault is whole."""
    done, encode = Exported(), msgspec.json.Encoder().encode  # bytes become base64
    for line in _lines(store, done, now):
        out.write(encode(line))
        out.write(b"\n")
    return done


def _lines(store: Store, done: Exported, now: float) -> Iterator[Line]:
    yield {"export": {"format": export_format, "at": now}}
    for project in store.projects():
        done.projects += 1
        yield {"project": {**_project(project), "memory": store.memory(project.id)}}
        for outcome, item, reason, sdk, quantity in store.database.rows(
            "SELECT outcome, item, reason, sdk, quantity FROM tally WHERE project = ?", (project.id,)
        ):
            yield {"tally": {"project": project.id, "outcome": outcome, "item": item, "reason": reason, "sdk": sdk,
                             "quantity": quantity}}  # fmt: skip
    last = 0
    while found := store.database.rows("SELECT id FROM fault WHERE id > ? ORDER BY id LIMIT ?", (last, _at_once)):
        for (fault,) in found:
            yield from _fault(store, fault, done)
        last = found[-1][0]
    yield from _counted(store, done)
    yield from _others(store)


def _fault(store: Store, fault: int, done: Exported) -> Iterator[Line]:
    db = store.database
    rows = db.rows(f"SELECT {', '.join(fault_columns)} FROM fault WHERE id = ?", (fault,))  # noqa: S608 - our names
    if not rows:
        return  # deleted in this moment
    line = dict(zip(fault_columns, rows[0], strict=True))
    for table, columns in fault_tables.items():
        hangs = db.rows(f"SELECT {', '.join(columns)} FROM {table} WHERE fault = ?", (fault,))  # noqa: S608 - our names
        line[table] = [dict(zip(columns, row, strict=True)) for row in hangs]
    done.faults += 1
    yield {"fault": line}
    yield from _events(store, fault, line["project"], done)


def _events(store: Store, fault: int, project: str, done: Exported) -> Iterator[Line]:
    """Those with payloads one by one, the oldest first; of the others their ids."""
    names = ", ".join('"user"' if name == "user" else name for name in event_columns)
    last = 0
    while True:
        sql = f"SELECT id, {names} FROM event WHERE fault = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608 - our names
        found = store.database.rows(sql, (fault, last, _at_once))
        for _, *row in found:
            line = {"fault": fault, "project": project, **dict(zip(event_columns, row, strict=True))}
            stored = store.event(line["event_id"].hex(), project=project)
            done.damaged += stored.diagnosis is None
            done.events += stored.diagnosis is not None
            if stored.diagnosis is not None:
                line |= {"payload": stored.payload, "diagnosis": stored.diagnosis.to_json(),
                         "fingerprint": stored.fingerprint}  # fmt: skip
                yield {"event": line}
        if len(found) < _at_once:
            break
        last = found[-1][0]


def _counted(store: Store, done: Exported) -> Iterator[Line]:
    """Ids of events whose payload is not kept, by which a second delivery is known."""
    last = b""
    sql = "SELECT event_id, project, fault, timestamp, event FROM seen WHERE event_id > ? ORDER BY event_id LIMIT ?"
    while found := store.database.rows(sql, (last, _ids_at_once)):
        last = found[-1][0]
        ids = [[fault, event_id, at] for event_id, _, fault, at, event in found if event is None]
        done.counted += len(ids)
        if ids:
            yield {"seen": ids}


def _others(store: Store) -> Iterator[Line]:
    columns: Sequence[str] = ("project", "event_id", "received_at", "reason", "data")
    for row in store.database.rows(f"SELECT {', '.join(columns)} FROM malformed ORDER BY id"):  # noqa: S608 - our names
        yield {"malformed": dict(zip(columns, row, strict=True))}
    columns = ("project", "event_id", "received_at", "name", "email", "message")
    for row in store.database.rows(f"SELECT {', '.join(columns)} FROM feedback ORDER BY id"):  # noqa: S608 - our names
        yield {"feedback": dict(zip(columns, row, strict=True))}


def _project(project: Project) -> Line:
    return {"id": project.id, "name": project.name, "key": project.key, "created_at": project.created_at}
