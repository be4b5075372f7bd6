"""RelationalStore: what every Store does that is built on a ``Database`` and ``Bodies``, in portable SQL.

What is done in detail stands in ``writing``, ``reading`` and ``retention``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from fivehundred import limits
from fivehundred.console.store import reading
from fivehundred.console.store.base import (
    Batch,
    EventSummary,
    FaultDetail,
    FaultPage,
    FaultQuery,
    FaultState,
    NotFound,
    Project,
    Retention,
    Stats,
    StoredEvent,
    Within,
)
from fivehundred.console.store.bodies import Bodies, Body, BodyError, Place
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.dictionaries import Dictionaries
from fivehundred.console.store.erasing import Eraser
from fivehundred.console.store.event_search import EventQuery, EventSearch, EventsFound
from fivehundred.console.store.intake import Intake
from fivehundred.console.store.past import Past
from fivehundred.console.store.retention import Keeper
from fivehundred.console.store.triage import Triage
from fivehundred.console.store.writing import Writer
from fivehundred.diagnosis.model import Diagnosis, History
from fivehundred.event import Event, Json, clean_id, tree


class RelationalStore:
    """See ``Store``. Whoever makes one says where rows and bodies are; see ``sqlite`` and ``postgres``."""

    def __init__(self, database: Database, bodies: Bodies, keeper: Keeper, *, offset: str = "offset") -> None:
        self._db = database
        self._bodies = bodies
        self._keeper = keeper
        self._offset = offset
        self._dictionaries = Dictionaries(database)
        self._writer = Writer(database, bodies, self._dictionaries, offset)
        self._past = Past(database)

    @property
    def database(self) -> Database:
        return self._db

    @property
    def intake(self) -> Intake:
        """For what another store exported."""
        return Intake(self._db, self._bodies, self._dictionaries)

    @property
    def eraser(self) -> Eraser:
        """For what is known of one person."""
        return Eraser(self._db, self._bodies, self._dictionaries)

    def tidy(self) -> None:
        """After something was erased."""

    def close(self) -> None:
        self._bodies.close()

    # ---- projects

    def projects(self) -> Sequence[Project]:
        return [Project(*row) for row in self._db.rows(f"{_PROJECT} ORDER BY created_at, id")]

    def project(self, project: str) -> Project:
        found = self._db.rows(f"{_PROJECT} WHERE id = ?", (project,))
        if not found:
            raise NotFound(f"there is no project {project}")
        return Project(*found[0])

    def create_project(self, name: str, *, now: float) -> Project:
        with self._db.transaction():
            self._db.lock(["projects"])
            newest = self._db.number("SELECT max(CAST(id AS INTEGER)) FROM project") or 0
            project = Project(str(newest + 1), name, secrets.token_hex(16), now)
            row = (project.id, name, project.key, now)
            self._db.execute("INSERT INTO project (id, name, key, created_at) VALUES (?, ?, ?, ?)", row)
            self._db.changed()
        return project

    # ---- the digest

    def offset(self) -> str:
        return str(self._db.rows("SELECT value FROM mark WHERE name = ?", (self._offset,))[0][0])

    def write(self, batch: Batch, *, now: float, within: Within | None = None) -> None:
        self._past.forget()
        self._writer.write(batch, now=now, within=within)

    def retain(self, rules: Retention, *, now: float, busy: bool) -> bool:
        return self._keeper.step(rules, now=now, busy=busy)

    def wants(self, project: str, key: str, received_at: float, *, pressed: bool = False) -> bool:
        return self._past.wants(project, key, received_at, pressed=pressed)

    def history(self, project: str, key: str, event: Event) -> History:
        return self._past.history(project, key, event)

    def memory(self, project: str) -> dict[str, Json]:
        found = self._db.rows("SELECT json FROM memory WHERE project = ?", (project,))
        return msgspec.json.decode(found[0][0], type=dict[str, Any]) if found else {}

    # ---- pages and API

    def version(self) -> int:
        return int(self._db.rows("SELECT value FROM mark WHERE name = 'version'")[0][0])

    def faults(self, query: FaultQuery, *, now: float) -> FaultPage:
        return reading.fault_page(self._db, query, now=now)

    def fault(self, fault: int, *, now: float) -> FaultDetail:
        return reading.fault_detail(self._db, fault, now=now)

    def events(
        self, fault: int | None, *, project: str | None, cursor: str, limit: int
    ) -> tuple[Sequence[EventSummary], str]:
        return reading.event_page(self._db, fault, project, cursor, limit)

    def find_events(self, query: EventQuery) -> EventsFound:
        return EventSearch(self._db, self._bodies, self._dictionaries).find(query)

    def malformed(self, project: str | None, *, limit: int) -> Sequence[EventSummary]:
        return reading.malformed_page(self._db, project, limit)

    def event(self, event_id: str, *, project: str | None = None) -> StoredEvent:
        wanted = bytes.fromhex(clean_id(event_id))
        sql = "SELECT s.project, s.event FROM seen s JOIN fault f ON f.id = s.fault WHERE s.event_id = ?"
        found = self._db.rows(*_narrowed(sql, "s.project", wanted, project)) if wanted else []
        if not found:
            return self._malformed_event(event_id, wanted, project)
        owner, event = found[0]
        if event is None:
            stored = self._counted_event(reading.counted_summary(self._db, wanted, owner))
        else:
            stored = self._kept_event(event)
        return replace(stored, feedback=reading.feedback(self._db, wanted, owner))

    def stats(self, project: str | None, *, hours: int, now: float) -> Stats:
        return reading.stats(self._db, project, hours=hours, now=now)

    def changed_since(self, seen_at: float, *, project: str | None) -> int:
        sql = "SELECT count(*) FROM fault WHERE changed_at > ?"
        if project is None:
            return self._db.number(sql, (seen_at,)) or 0
        return self._db.number(f"{sql} AND project = ?", (seen_at, project)) or 0

    # ---- triage

    def set_state(self, faults: Iterable[int], state: FaultState, *, by: str, now: float) -> int:
        return Triage(self._db).set_state(faults, state, by=by, now=now)

    # ---- one event

    def _kept_event(self, event: int) -> StoredEvent:
        summary = reading.kept_summary(self._db, event)
        sql = 'SELECT segment, "offset", length, dictionary, fault FROM event WHERE id = ?'
        segment, offset, length, dictionary, fault = self._db.rows(sql, (event,))[0]
        newer = "SELECT event_id FROM event WHERE fault = ? AND id > ? ORDER BY id LIMIT 1"
        older = "SELECT event_id FROM event WHERE fault = ? AND id < ? ORDER BY id DESC LIMIT 1"
        body = self._body(Place(segment, offset, length), dictionary)
        return StoredEvent(
            summary=summary,
            payload=_object(body.event),
            diagnosis=Diagnosis.from_json(_object(body.diagnosis)) if body.diagnosis else None,
            fingerprint=_object(body.fingerprint),
            malformed="" if body.diagnosis else "its payload on disk is damaged; restore the data folder from a backup",
            newer=_first(self._db.rows(newer, (fault, event))),
            older=_first(self._db.rows(older, (fault, event))),
        )

    def _body(self, place: Place, dictionary: int) -> Body:
        """An empty one when the file is gone or damaged: the page must still say what the index knows."""
        try:
            return self._dictionaries.unpack(dictionary, self._bodies.read(place))
        except (OSError, BodyError):
            return Body(b"{}", b"", b"{}")

    def _counted_event(self, summary: EventSummary) -> StoredEvent:
        diagnosis, fingerprint, newest = self._db.rows(
            "SELECT diagnosis, fingerprint, last_event_id FROM fault WHERE id = ?", (summary.fault,)
        )[0]
        return StoredEvent(
            summary=summary,
            payload={},
            diagnosis=Diagnosis.from_json(_object(diagnosis)),
            fingerprint=_object(fingerprint),
            malformed="",
            newer=newest.hex() if newest.hex() != summary.event_id else "",
            older="",
        )

    def _malformed_event(self, event_id: str, wanted: bytes, project: str | None) -> StoredEvent:
        sql = "SELECT event_id, project, received_at, reason, data FROM malformed WHERE event_id = ?"
        found = self._db.rows(*_narrowed(sql, "project", wanted, project)) if wanted else []
        if not found:
            raise NotFound(f"there is no event {event_id[:64]}")
        *row, data = found[0]
        return StoredEvent(
            summary=reading.malformed_summary(*row),
            payload={"data": data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")},
            diagnosis=None,
            fingerprint={},
            malformed=row[3],
            newer="",
            older="",
        )


_PROJECT = "SELECT id, name, key, created_at FROM project"


def _object(data: bytes | str) -> dict[str, Json]:
    """A JSON object of our own making, cleaned once more for the page."""
    found = tree(msgspec.json.decode(data), limits.json_depth_max)
    return found if isinstance(found, dict) else {}


def _first(found: list[tuple[Any, ...]]) -> str:
    return bytes(found[0][0]).hex() if found else ""


def _narrowed(sql: str, column: str, event_id: bytes, project: str | None) -> tuple[str, tuple[Value, ...]]:
    """The statement for one event id, of one project or of any."""
    if project is None:
        return f"{sql} LIMIT 1", (event_id,)
    return f"{sql} AND {column} = ? LIMIT 1", (event_id, project)
