"""SqliteStore: the Store in one folder, ``console.db`` (SQLite) and ``bodies/`` (segment files of payloads).

One process writes batches (the digest); pages and API read over their own connections and change the state of faults.
What is done in detail stands in ``writing`` and ``reading``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
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
from fivehundred.console.store.bodies import Body, BodyError, Place, Segments
from fivehundred.console.store.database import Database, SqliteDatabase
from fivehundred.console.store.dictionaries import Dictionaries
from fivehundred.console.store.past import Past
from fivehundred.console.store.retention import Keeper
from fivehundred.console.store.schema import Value, connect, immediate, insert, number, rows
from fivehundred.console.store.triage import Triage
from fivehundred.console.store.writing import Writer
from fivehundred.diagnosis.model import Diagnosis, History
from fivehundred.event import Event, Json, clean_id, tree


class SqliteStore:
    """See ``Store``. ``path`` is the database file, or the folder that holds it as ``console.db``.

    What is missing is made, readable by its owner only. The payloads lie beside the database in ``bodies/``.
    """

    def __init__(self, path: Path | str, *, readonly: bool = False) -> None:
        file = Path(path) if Path(path).suffix == ".db" else Path(path) / "console.db"
        self._db = connect(file, readonly=readonly)
        self._database = SqliteDatabase(self._db)
        self._segments = Segments(file.parent / "bodies")
        self._dictionaries = Dictionaries(self._db)
        self._writer = Writer(self._db, self._segments)
        self._past = Past(self._db)
        self._keeper = Keeper(self._db, self._segments, file)

    @property
    def database(self) -> Database:
        return self._database

    def close(self) -> None:
        self._segments.close()
        self._db.close()

    # ---- projects

    def projects(self) -> Sequence[Project]:
        return [Project(*row) for row in rows(self._db, f"{_PROJECT} ORDER BY created_at, id")]

    def project(self, project: str) -> Project:
        found = rows(self._db, f"{_PROJECT} WHERE id = ?", (project,))
        if not found:
            raise NotFound(f"there is no project {project}")
        return Project(*found[0])

    def create_project(self, name: str, *, now: float) -> Project:
        with immediate(self._db):
            newest = number(self._db, "SELECT max(CAST(id AS INTEGER)) FROM project") or 0
            project = Project(str(newest + 1), name, secrets.token_hex(16), now)
            row: dict[str, Value] = {"id": project.id, "name": name, "key": project.key, "created_at": now}
            insert(self._db, "project", row)
            self._changed()
        return project

    # ---- the digest

    def offset(self) -> str:
        return str(rows(self._db, "SELECT value FROM mark WHERE name = 'offset'")[0][0])

    def write(self, batch: Batch, *, now: float, within: Within | None = None) -> None:
        self._past.forget()
        self._writer.write(batch, now=now, within=within)

    def retain(self, rules: Retention, *, now: float, busy: bool) -> bool:
        return self._keeper.step(rules, now=now, busy=busy)

    def wants(self, project: str, key: str, received_at: float) -> bool:
        return self._past.wants(project, key, received_at)

    def history(self, project: str, key: str, event: Event) -> History:
        return self._past.history(project, key, event)

    def memory(self, project: str) -> dict[str, Json]:
        found = rows(self._db, "SELECT json FROM memory WHERE project = ?", (project,))
        return msgspec.json.decode(found[0][0], type=dict[str, Any]) if found else {}

    # ---- pages and API

    def version(self) -> int:
        return number(self._db, "SELECT value FROM mark WHERE name = 'version'") or 0

    def faults(self, query: FaultQuery, *, now: float) -> FaultPage:
        return reading.fault_page(self._database, query, now=now)

    def fault(self, fault: int, *, now: float) -> FaultDetail:
        return reading.fault_detail(self._database, fault, now=now)

    def events(
        self, fault: int | None, *, project: str | None, cursor: str, limit: int
    ) -> tuple[Sequence[EventSummary], str]:
        return reading.event_page(self._database, fault, project, cursor, limit)

    def malformed(self, project: str | None, *, limit: int) -> Sequence[EventSummary]:
        return reading.malformed_page(self._database, project, limit)

    def event(self, event_id: str, *, project: str | None = None) -> StoredEvent:
        wanted = bytes.fromhex(clean_id(event_id))
        sql = (
            "SELECT s.project, s.event FROM seen s JOIN fault f ON f.id = s.fault"
            " WHERE s.event_id = ? AND (?2 IS NULL OR s.project = ?2) LIMIT 1"
        )
        found = rows(self._db, sql, (wanted, project)) if wanted else []
        if not found:
            return self._malformed_event(event_id, wanted, project)
        owner, event = found[0]
        if event is None:
            stored = self._counted_event(reading.counted_summary(self._database, wanted, owner))
        else:
            stored = self._kept_event(event)
        return replace(stored, feedback=reading.feedback(self._database, wanted, owner))

    def stats(self, project: str | None, *, hours: int, now: float) -> Stats:
        return reading.stats(self._database, project, hours=hours, now=now)

    def changed_since(self, seen_at: float, *, project: str | None) -> int:
        sql = "SELECT count(*) FROM fault WHERE changed_at > ? AND (?2 IS NULL OR project = ?2)"
        return number(self._db, sql, (seen_at, project)) or 0

    # ---- triage

    def set_state(self, faults: Iterable[int], state: FaultState, *, by: str, now: float) -> int:
        return Triage(self._database).set_state(faults, state, by=by, now=now)

    def _changed(self) -> None:
        self._db.execute("UPDATE mark SET value = value + 1 WHERE name = 'version'")

    # ---- one event

    def _kept_event(self, event: int) -> StoredEvent:
        summary = reading.kept_summary(self._database, event)
        sql = "SELECT segment, offset, length, dictionary, fault FROM event WHERE id = ?"
        segment, offset, length, dictionary, fault = rows(self._db, sql, (event,))[0]
        newer = "SELECT hex(event_id) FROM event WHERE fault = ? AND id > ? ORDER BY id LIMIT 1"
        older = "SELECT hex(event_id) FROM event WHERE fault = ? AND id < ? ORDER BY id DESC LIMIT 1"
        body = self._body(Place(segment, offset, length), dictionary)
        return StoredEvent(
            summary=summary,
            payload=_object(body.event),
            diagnosis=Diagnosis.from_json(_object(body.diagnosis)) if body.diagnosis else None,
            fingerprint=_object(body.fingerprint),
            malformed="" if body.diagnosis else "its payload on disk is damaged; restore the data folder from a backup",
            newer=_first(rows(self._db, newer, (fault, event))),
            older=_first(rows(self._db, older, (fault, event))),
        )

    def _body(self, place: Place, dictionary: int) -> Body:
        """An empty one when the file is gone or damaged: the page must still say what the index knows."""
        try:
            return self._dictionaries.unpack(dictionary, self._segments.read(place))
        except (OSError, BodyError):
            return Body(b"{}", b"", b"{}")

    def _counted_event(self, summary: EventSummary) -> StoredEvent:
        diagnosis, fingerprint, newest = rows(
            self._db, "SELECT diagnosis, fingerprint, hex(last_event_id) FROM fault WHERE id = ?", (summary.fault,)
        )[0]
        return StoredEvent(
            summary=summary,
            payload={},
            diagnosis=Diagnosis.from_json(_object(diagnosis)),
            fingerprint=_object(fingerprint),
            malformed="",
            newer=newest.lower() if newest.lower() != summary.event_id else "",
            older="",
        )

    def _malformed_event(self, event_id: str, wanted: bytes, project: str | None) -> StoredEvent:
        sql = (
            "SELECT event_id, project, received_at, reason, data FROM malformed"
            " WHERE event_id = ? AND (?2 IS NULL OR project = ?2) LIMIT 1"
        )
        found = rows(self._db, sql, (wanted, project)) if wanted else []
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
    return str(found[0][0]).lower() if found else ""
