"""Intake: what another store exported, taken in so that doing it twice doubles nothing. One transaction a call.

A fault that is not known comes with all its counts, and its events are then only stored. Of a fault that this store
has of its own, the events of the export are new ones and are counted as such by ``Store.write``: see ``importing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fivehundred.console.store.bodies import Bodies, Body
from fivehundred.console.store.database import Database, Value, among
from fivehundred.console.store.dictionaries import Dictionaries

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    fault: int  # here
    project: str  # here
    columns: Row  # of ``export.event_columns``
    body: Body


class Intake:
    def __init__(self, db: Database, bodies: Bodies, dictionaries: Dictionaries) -> None:
        self._db = db
        self._bodies = bodies
        self._dictionaries = dictionaries

    def project(self, row: Row) -> tuple[str, bool]:
        """(its id here, whether it is new). The same key is the same project; another one's id is not taken."""
        with self._db.transaction():
            self._db.lock(["projects"])
            known = self._db.rows("SELECT id FROM project WHERE key = ?", (row["key"],))
            if known:
                return str(known[0][0]), False
            name = str(row["id"])
            if self._db.rows("SELECT 1 FROM project WHERE id = ?", (name,)):
                name = str((self._db.number("SELECT max(CAST(id AS INTEGER)) FROM project") or 0) + 1)
            sql = "INSERT INTO project (id, name, key, created_at) VALUES (?, ?, ?, ?)"
            self._db.execute(sql, (name, row["name"], row["key"], row["created_at"]))
            self._db.changed()
        return name, True

    def fault(self, row: Row, hangs: dict[str, list[Row]], *, now: float) -> tuple[int, bool]:
        """(its id here, whether its counts are the export's). ``row["project"]`` is the project here."""
        keys = [(row["project"], one["key"]) for one in hangs["fault_key"] if one["groups"]]
        sql = "SELECT fault FROM fault_key WHERE (project, key) IN ({keys}) AND groups = 1"
        with self._db.transaction():
            self._db.lock([row["project"]])
            for (known,) in among(self._db, sql, keys):
                return known, self._db.number("SELECT fault FROM imported WHERE fault = ?", (known,)) is not None
            fault = self._db.insert("fault", row)
            with_project = [{"project": row["project"], **one} for one in hangs["fault_key"]]
            for table, rows in {**hangs, "fault_key": with_project}.items():
                if rows:
                    columns = ", ".join(("fault", *rows[0]))
                    self._db.bulk(table, columns, [(fault, *one.values()) for one in rows])
            self._add_to_project(row, hangs)
            self._db.execute("INSERT INTO imported (fault, at) VALUES (?, ?)", (fault, now))
            self._db.changed()
        return fault, True

    def _add_to_project(self, row: Row, hangs: dict[str, list[Row]]) -> None:
        self._db.many(
            "INSERT INTO project_hour (project, hour, cause, events) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project, hour, cause) DO UPDATE SET events = project_hour.events + excluded.events",
            [(row["project"], one["hour"], row["cause"], one["events"]) for one in hangs["fault_hour"]],
        )
        self._db.many(
            "INSERT INTO project_value (project, name, value, events, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project, name, value) DO UPDATE SET events = project_value.events + excluded.events",
            [(row["project"], one["name"], one["value"], one["events"], one["first_seen"], row["last_seen"])
             for one in hangs["fault_value"] if one["name"] in ("release", "host", "environment")],
        )  # fmt: skip

    def tallies(self, rows: Sequence[tuple[Value, ...]]) -> None:
        sql = (
            "INSERT INTO tally (project, outcome, item, reason, sdk, quantity) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING"
        )
        with self._db.transaction():
            self._db.many(sql, rows)

    def events(self, events: Sequence[ExportedEvent], *, now: float) -> int:
        """Payloads of imported faults; those that are here stay as they are. How many were new."""
        with self._db.transaction():
            self._db.lock({one.project for one in events})
            keys = [(one.columns["event_id"], one.project) for one in events]
            sql = "SELECT event_id, project FROM seen WHERE (event_id, project) IN ({keys}) AND event IS NOT NULL"
            known = set(among(self._db, sql, keys))
            new = list({key: one for key, one in zip(keys, events, strict=True) if key not in known}.values())
            if new:
                self._store(new, now)
        self._dictionaries.learn(now)
        return len(new)

    def _store(self, events: Sequence[ExportedEvent], now: float) -> None:
        segment, at = start = self._bodies.start()
        rows: list[tuple[Value, ...]] = []
        for number, one in zip(self._db.ids("event", len(events)), events, strict=True):
            dictionary, data = self._dictionaries.pack(one.project, one.body)
            place = self._bodies.append(segment, at, data)
            at += place.length
            rows.append((number, one.project, one.fault, *one.columns.values(), segment, place.offset, place.length,
                         dictionary))  # fmt: skip
        self._bodies.sync()
        names = ", ".join('"user"' if name == "user" else name for name in events[0].columns)
        columns = f'id, project, fault, {names}, segment, "offset", length, dictionary'
        self._db.bulk("event", columns, rows)
        self._db.many(
            "INSERT INTO seen (event_id, project, fault, timestamp, event) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (event_id, project) DO UPDATE SET event = excluded.event",
            [(one.columns["event_id"], one.project, one.fault, one.columns["timestamp"], row[0])
             for one, row in zip(events, rows, strict=True)],
        )  # fmt: skip
        sql = "UPDATE segment SET bytes = bytes + ?, events = events + ?, newest_at = ? WHERE id = ?"
        self._db.execute(sql, (at - start[1], len(rows), now, segment))
        self._db.changed()

    def seen(self, rows: Sequence[tuple[bytes, str, int, float]]) -> None:
        """(id, project, fault, timestamp) of events that are counted in an imported fault."""
        sql = "INSERT INTO seen (event_id, project, fault, timestamp) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        with self._db.transaction():
            self._db.many(sql, rows)

    def malformed(self, row: Sequence[Value]) -> None:
        self._once("malformed", "project, event_id, received_at, reason, data", row)

    def feedback(self, row: Sequence[Value]) -> None:
        self._once("feedback", "project, event_id, received_at, name, email, message", row)

    def _once(self, table: str, columns: str, row: Sequence[Value]) -> None:
        marks = ", ".join("?" * len(row))
        self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING", row)  # noqa: S608

    def memory(self, project: str, json: str) -> None:
        """Unless grouping has learned something of its own here."""
        self._db.execute("INSERT INTO memory (project, json) VALUES (?, ?) ON CONFLICT DO NOTHING", (project, json))
