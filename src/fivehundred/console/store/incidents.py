"""The desk of the incidents: what faults did in the last minutes, the incidents made of it, and their blast radius.

What is decided stands in ``console.incidents``; here rows become its values, and its decisions become rows. All of it
is called inside the transaction of a batch, except reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeAlias

from fivehundred import limits
from fivehundred.console.store.base import FaultNews, NotFound
from fivehundred.console.store.database import Database, Value, among
from fivehundred.diagnosis.index import labels
from fivehundred.fingerprint.model import Fingerprint

Kind: TypeAlias = Literal["resource", "release", "host", "time", "group"]
State: TypeAlias = Literal["open", "resolved"]

_minute_s: Final = 60.0
_day_hours: Final = 24
_values: Final = ("route", "host", "release", "environment")


# ---- what a decision reads and says -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signal:
    """What one fault did within the window."""

    fault: int
    project: str
    first_at: float
    last_at: float
    events: int
    normal: float = 0.0  # events that it has in such a span otherwise
    began: bool = False  # it was new, or came back, within the window
    resource: str = ""  # what failed wherever it was used: "postgresql at db:5432"
    host: str = ""  # the only one it was seen on; empty: several, or not known
    release: str = ""  # that it was first seen in
    twin: str = ""  # the event whose exception group it is a part of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a project."""

    new_releases: frozenset[str] = frozenset()  # first seen a short while ago, after others
    hosts: int = 0  # seen in the last day
    settled: bool = False  # old enough for "new" to mean something


@dataclass(frozen=True, slots=True)
class Known:
    """An incident as a decision sees it."""

    id: int
    kind: Kind
    subject: str
    projects: frozenset[str]
    faults: frozenset[int]
    opened_at: float
    last_at: float
    resolved_at: float | None = None
    unresolved: int = 1  # of its faults, those that are open


@dataclass(frozen=True, slots=True)
class Opened:
    kind: Kind
    subject: str
    project: str
    faults: tuple[int, ...]
    opened_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Continued:
    incident: int
    faults: tuple[int, ...]
    last_at: float
    subject: str = ""  # where it says more than the one that there is


@dataclass(frozen=True, slots=True)
class Closed:
    incident: int
    why: str
    at: float


# ---- what pages and API read ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Incident:
    """A span of time in which faults fail beyond normal."""

    id: int
    project: str  # of the heaviest fault when it opened
    kind: Kind
    subject: str  # what its faults share: a resource, a release, a host; empty when it is only the time
    state: State
    sentence: str
    opened_at: float
    last_at: float
    resolved_at: float | None
    resolved_why: str
    acknowledged_at: float | None
    acknowledged_by: str
    events: int
    faults: tuple[int, ...]
    projects: tuple[str, ...]
    users: int  # told apart, up to a bound; 0 when a part of it is in projects that are not seen


@dataclass(frozen=True, slots=True)
class Involved:
    """A fault within an incident, or one that failed in the same hours."""

    fault: int
    project: str
    title: str
    message: str
    culprit: str
    cause: str
    state: str
    events: int  # within the incident, or in its hours
    joined_at: float  # when it became part of it, or was first seen


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    incident: Incident
    faults: tuple[Involved, ...]  # the heaviest first
    routes: tuple[tuple[str, int], ...]
    hosts: tuple[tuple[str, int], ...]
    releases: tuple[tuple[str, int], ...]
    environments: tuple[tuple[str, int], ...]
    also: tuple[Involved, ...]  # what else failed in these hours and is no part of it
    hidden_faults: int = 0  # in projects that whoever asks does not see
    hidden_projects: int = 0


@dataclass(slots=True)
class _Spread:
    """With what and whom a fault was seen, as the news of a batch say it."""

    fault: int
    values: dict[tuple[str, str], tuple[int, float]]
    identities: set[bytes]


class Incidents:
    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- the digest

    def record(self, news: Sequence[FaultNews], *, keep_s: float) -> float:
        """Adds a batch to the signals and forgets the old ones; the time of the newest event."""
        rows: list[tuple[Value, ...]] = []
        for one in news:
            hosts = {one.first.event.server_name, one.newest.event.server_name}
            hosts |= {value for name, value in one.values if name == "host"}
            host = next(iter(hosts)) if len(hosts) == 1 else "*"
            minute = int(one.newest.event.timestamp // _minute_s)
            resource = resource_of(one.newest.fingerprint, one.newest.event.server_name)
            twin = one.newest.event.tags.get(twin_tag, "")
            rows.append((one.fault, minute, one.project, one.events, resource, host, twin))
        self._db.many(
            "INSERT INTO incident_signal (fault, minute, project, events, resource, host, twin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fault, minute)"
            " DO UPDATE SET events = incident_signal.events + excluded.events, resource = excluded.resource,"
            " host = CASE WHEN excluded.host = incident_signal.host THEN excluded.host ELSE '*' END",
            sorted(rows, key=lambda row: (row[0], row[1])),
        )
        at = max((one.newest.event.timestamp for one in news), default=0.0)
        self._db.execute("DELETE FROM incident_signal WHERE minute < ?", (int((at - keep_s) // _minute_s),))
        return at

    def known(self, *, since: float) -> list[Known]:
        """Open ones, and those that were resolved after ``since``."""
        sql = (
            "SELECT id, kind, subject, opened_at, last_at, resolved_at FROM incident"
            " WHERE state = 'open' OR resolved_at > ? ORDER BY id"
        )
        rows = self._db.rows(sql, (since,))
        faults: dict[int, set[int]] = defaultdict(set)
        projects: dict[int, set[str]] = defaultdict(set)
        unresolved: dict[int, int] = defaultdict(int)
        members = (
            "SELECT m.incident, m.fault, m.project, f.state FROM incident_fault m LEFT JOIN fault f ON f.id = m.fault"
            " WHERE m.incident IN ({keys})"
        )
        for incident, fault, project, state in among(self._db, members, [(row[0],) for row in rows]):
            faults[incident].add(fault)
            projects[incident].add(project)
            unresolved[incident] += state == "open"
        return [
            Known(n, kind, subject, frozenset(projects[n]), frozenset(faults[n]), began, last, resolved, unresolved[n])
            for n, kind, subject, began, last, resolved in rows
        ]

    def signals(self, known: Iterable[Known], *, at: float, window_s: float, events_min: int = 0) -> list[Signal]:
        """What faults did in the window before ``at``. What is normal is only read for those with so many events."""
        since = at - window_s
        sql = (
            "SELECT s.fault, s.project, min(s.minute), max(s.minute), sum(s.events), max(s.resource), min(s.host),"
            " max(s.host), max(s.twin), f.first_seen, f.regressed_at, f.first_release FROM incident_signal s"
            " JOIN fault f ON f.id = s.fault WHERE s.minute BETWEEN ? AND ? AND f.state <> 'muted'"
            " GROUP BY s.fault, s.project, f.first_seen, f.regressed_at, f.first_release"
            " ORDER BY sum(s.events) DESC LIMIT ?"
        )
        values = (int(since // _minute_s), int(at // _minute_s), limits.incident_signals_max)
        rows = self._db.rows(sql, values)
        normal = self._normal([row[0] for row in rows if row[4] >= events_min], known, at=at, window_s=window_s)
        found = []
        for fault, project, first, last, events, resource, host, host2, twin, first_seen, regressed, release in rows:
            began = first_seen > since or (regressed is not None and regressed > since)
            first_at = max(first * _minute_s, min(first_seen, at)) if began else first * _minute_s
            found.append(
                Signal(
                    fault=fault,
                    project=project,
                    first_at=first_at,
                    last_at=min((last + 1) * _minute_s, at),
                    events=events,
                    normal=normal.get(fault, 0.0),
                    began=began,
                    resource=resource,
                    host=host if host == host2 and host != "*" else "",
                    release=release if first_seen > since else "",
                    twin=twin,
                )
            )
        return found

    def _normal(self, faults: Sequence[int], known: Iterable[Known], *, at: float, window_s: float) -> dict[int, float]:
        """Events in a window on the day before: before this hour, or before the incident that a fault is part of."""
        until = {fault: int(k.opened_at // 3600) for k in known for fault in k.faults if k.resolved_at is None}
        hour = int(at // 3600)
        oldest = min((*until.values(), hour)) - _day_hours
        sql = f"SELECT fault, hour, events FROM fault_hour WHERE fault IN ({{keys}}) AND hour >= {oldest}"  # noqa: S608
        counts: dict[int, int] = defaultdict(int)
        for fault, then, events in among(self._db, sql, [(fault,) for fault in faults]):
            end = until.get(fault, hour)
            if end - _day_hours <= then < end:
                counts[fault] += events
        return {fault: count * window_s / (_day_hours * 3600.0) for fault, count in counts.items()}

    def surroundings(self, projects: Iterable[str], *, at: float, new_s: float) -> dict[str, Surroundings]:
        return {project: self._surroundings(project, at, new_s) for project in dict.fromkeys(projects)}

    def _surroundings(self, project: str, at: float, new_s: float) -> Surroundings:
        sql = "SELECT value, first_seen FROM project_value WHERE project = ? AND name = 'release'"
        releases = self._db.rows(sql, (project,))
        eldest = min((first_seen for _, first_seen in releases), default=0.0)
        new = frozenset(value for value, first_seen in releases if first_seen > max(at - new_s, eldest))
        hosts = "SELECT count(*) FROM project_value WHERE project = ? AND name = 'host' AND last_seen > ?"
        oldest = self._db.rows("SELECT min(first_seen) FROM fault WHERE project = ?", (project,))[0][0]
        return Surroundings(
            new_releases=new,
            hosts=self._db.number(hosts, (project, at - 86_400.0)) or 0,
            settled=oldest is not None and oldest < at - new_s,
        )

    def open(self, opened: Opened, news: Sequence[FaultNews]) -> int:
        row: dict[str, Value] = {
            "project": opened.project,
            "kind": opened.kind,
            "subject": opened.subject,
            "state": "open",
            "sentence": "",
            "opened_at": opened.opened_at,
            "last_at": opened.last_at,
        }
        incident = self._db.insert("incident", row)
        counted = dict(among(self._db, _COUNTED, [(fault,) for fault in opened.faults]))
        self._join(incident, opened.faults, counted, opened.opened_at)
        self._db.execute("UPDATE incident SET events = ? WHERE id = ?", (sum(counted.values()), incident))
        begun = self._begun(opened.faults, opened.opened_at)
        self._spread(incident, begun, self._so_far(begun))
        self._spread(incident, set(opened.faults) - begun, news)
        return incident

    def go_on(self, continued: Continued, news: Sequence[FaultNews]) -> None:
        """Adds what the batch brought; one that was resolved is open again."""
        incident = continued.incident
        members = {row[0] for row in self._db.rows("SELECT fault FROM incident_fault WHERE incident = ?", (incident,))}
        counted = {one.fault: one.events for one in news if one.fault in members}
        new = [(fault,) for fault in continued.faults if fault not in members]
        counted |= dict(among(self._db, _COUNTED, new)) if new else {}
        self._join(incident, set(continued.faults) & set(counted), counted, continued.last_at)
        self._db.execute(
            "UPDATE incident SET events = (SELECT sum(events) FROM incident_fault WHERE incident = ?), state = 'open',"
            " resolved_at = NULL, resolved_why = '', last_at = CASE WHEN last_at > ? THEN last_at ELSE ? END,"
            " subject = CASE WHEN ? = '' THEN subject ELSE ? END WHERE id = ?",
            (incident, continued.last_at, continued.last_at, continued.subject, continued.subject, incident),
        )
        begun = self._begun([fault for (fault,) in new], continued.last_at - _begun_s)
        self._spread(incident, begun, self._so_far(begun))
        self._spread(incident, set(continued.faults) - begun, news)

    def _begun(self, faults: Iterable[int], since: float) -> set[int]:
        """Faults that are younger than their incident: all that is known of them belongs to it."""
        rows = among(self._db, "SELECT id, first_seen FROM fault WHERE id IN ({keys})", [(f,) for f in faults])
        return {fault for fault, first_seen in rows if first_seen >= since}

    def _so_far(self, faults: Iterable[int]) -> list[_Spread]:
        keys = [(fault,) for fault in faults]
        found = {fault: _Spread(fault, {}, set()) for (fault,) in keys}
        values = "SELECT fault, name, value, events, first_seen FROM fault_value WHERE fault IN ({keys})"
        for fault, name, value, events, first_seen in among(self._db, values, keys):
            found[fault].values[name, value] = (events, first_seen)
        for fault, identity in among(self._db, "SELECT fault, identity FROM fault_user WHERE fault IN ({keys})", keys):
            found[fault].identities.add(identity)
        return list(found.values())

    def forget(self, kept: int) -> None:
        """All but the newest resolved ones, so many of them."""
        newest = self._db.number("SELECT max(id) FROM incident") or 0
        old = "SELECT id FROM incident WHERE state = 'resolved' AND id <= ?"
        for table in ("incident_fault", "incident_value", "incident_user"):
            self._db.execute(f"DELETE FROM {table} WHERE incident IN ({old})", (newest - kept,))  # noqa: S608 - our names
        self._db.execute("DELETE FROM incident WHERE state = 'resolved' AND id <= ?", (newest - kept,))

    def close(self, closed: Closed) -> None:
        self._db.execute(
            "UPDATE incident SET state = 'resolved', resolved_at = ?, resolved_why = ? WHERE id = ?",
            (closed.at, closed.why, closed.incident),
        )

    def say(self, incident: int, sentence: str) -> None:
        self._db.execute("UPDATE incident SET sentence = ? WHERE id = ?", (sentence, incident))

    def _join(self, incident: int, faults: Iterable[int], counted: dict[int, int], at: float) -> None:
        self._db.many(
            "INSERT INTO incident_fault (incident, fault, project, joined_at, events)"
            " SELECT ?, id, project, ?, ? FROM fault WHERE id = ? ON CONFLICT (incident, fault)"
            " DO UPDATE SET events = incident_fault.events + excluded.events",
            [(incident, at, counted.get(fault, 0), fault) for fault in sorted(faults)],
        )

    def _spread(self, incident: int, faults: Collection[int], news: Sequence[FaultNews | _Spread]) -> None:
        """The blast radius grows by what the batch says of these faults."""
        values: dict[tuple[str, str], int] = defaultdict(int)
        users: set[bytes] = set()
        for one in news:
            if one.fault in faults:
                users |= one.identities
                for (name, value), (events, _) in one.values.items():
                    if name in _values:
                        values[name, value] += events
        have = dict(
            self._db.rows("SELECT name, count(*) FROM incident_value WHERE incident = ? GROUP BY name", (incident,))
        )
        room = {name: limits.incident_values_max - have.get(name, 0) for name in _values}
        rows = [(incident, *key, events) for key, events in sorted(values.items()) if room[key[0]] > 0]
        self._db.many(
            "INSERT INTO incident_value (incident, name, value, events) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (incident, name, value) DO UPDATE SET events = incident_value.events + excluded.events",
            rows,
        )
        if users and (self._users(incident) < limits.incident_users_max):
            sql = "INSERT INTO incident_user (incident, identity) VALUES (?, ?)"
            sql += " ON CONFLICT (incident, identity) DO NOTHING"
            self._db.many(sql, [(incident, user) for user in sorted(users)])

    def _users(self, incident: int) -> int:
        return self._db.number("SELECT count(*) FROM incident_user WHERE incident = ?", (incident,)) or 0

    # ---- people

    def acknowledge(self, incident: int, *, by: str, now: float) -> bool:
        """Somebody looks after it; whether that is new. Raises NotFound."""
        self.incident(incident)
        with self._db.transaction():
            sql = (
                "UPDATE incident SET acknowledged_at = ?, acknowledged_by = ? WHERE id = ? AND acknowledged_at IS NULL"
            )
            changed = self._db.execute(sql, (now, by, incident)) > 0
            if changed:
                self._db.changed()
        return changed

    def resolve(self, incident: int, *, by: str, now: float) -> bool:
        """By a person; whether it was open. Raises NotFound."""
        is_open = self.incident(incident).state == "open"
        if is_open:
            with self._db.transaction():
                self.close(Closed(incident, f"resolved by {by}", now))
                self._db.changed()
        return is_open

    # ---- pages and API

    def incidents(
        self,
        *,
        state: State | None = None,
        project: str | None = None,
        within: Sequence[str] | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Incident]:
        """The newest first; ``project``: those that have a fault of it; ``within``: of one of these."""
        wheres: list[str] = []
        values: list[Value] = []
        if state is not None:
            wheres, values = [*wheres, "state = ?"], [*values, state]
        if project is not None:
            wheres.append("id IN (SELECT incident FROM incident_fault WHERE project = ?)")
            values.append(project)
        if within is not None:
            some = f"project IN ({', '.join('?' * len(within))})" if within else "1 = 0"
            wheres.append(f"id IN (SELECT incident FROM incident_fault WHERE {some})")  # noqa: S608 - our own words
            values += within
        if before is not None:
            wheres, values = [*wheres, "id < ?"], [*values, before]
        where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        return self._read(f"{_INCIDENT}{where} ORDER BY id DESC LIMIT ?", [*values, limit])

    def incident(self, incident: int) -> Incident:
        found = self._read(f"{_INCIDENT} WHERE id = ?", [incident])
        if not found:
            raise NotFound(f"there is no incident {incident}")
        return found[0]

    def detail(self, incident: int) -> IncidentDetail:
        """Raises NotFound."""
        one = self.incident(incident)
        faults = self._db.rows(f"{_MEMBER} ORDER BY m.events DESC, f.id LIMIT 100", (incident,))
        spread: dict[str, list[tuple[str, int]]] = defaultdict(list)
        values = "SELECT name, value, events FROM incident_value WHERE incident = ? ORDER BY events DESC, value"
        for name, value, events in self._db.rows(values, (incident,)):
            spread[name].append((value, events))
        end = one.resolved_at or one.last_at
        return IncidentDetail(
            one,
            tuple(Involved(*row) for row in faults),
            routes=tuple(spread["route"]),
            hosts=tuple(spread["host"]),
            releases=tuple(spread["release"]),
            environments=tuple(spread["environment"]),
            also=tuple(self.failed_between(one.projects, one.faults, one.opened_at, max(end, one.last_at))),
        )

    def members(self, incidents: Iterable[int]) -> list[tuple[int, int, str, int]]:
        """(incident, fault, project, events) of each of their faults."""
        sql = "SELECT incident, fault, project, events FROM incident_fault WHERE incident IN ({keys}) ORDER BY fault"
        return [(i, f, p, n) for i, f, p, n in among(self._db, sql, [(number,) for number in incidents])]

    def failed_between(
        self, projects: Sequence[str], without: Collection[int], start: float, end: float, limit: int = 10
    ) -> list[Involved]:
        """What else failed in the hours of a span, the heaviest first."""
        if not projects:
            return []
        marks = ", ".join("?" * len(projects))
        sql = (
            f"SELECT {_INVOLVED}, sum(h.events), f.first_seen FROM fault_hour h JOIN fault f ON f.id = h.fault"  # noqa: S608 - our names
            " WHERE h.hour BETWEEN ? AND ? AND h.events > 0 AND f.last_seen >= ?"
            f" AND f.project IN ({marks})"
            f" GROUP BY {_INVOLVED}, f.first_seen ORDER BY sum(h.events) DESC LIMIT ?"
        )
        values: list[Value] = [int(start // 3600), int(end // 3600), start - 60.0, *projects, limit + len(without)]
        rows = self._db.rows(sql, values)
        return [Involved(*row) for row in rows if row[0] not in without][:limit]

    def of_fault(self, fault: int, limit: int = 5) -> list[Incident]:
        """The incidents that a fault was part of, the newest first."""
        where = "WHERE id IN (SELECT incident FROM incident_fault WHERE fault = ?)"
        return self._read(f"{_INCIDENT} {where} ORDER BY id DESC LIMIT ?", [fault, limit])

    def open_faults(self) -> set[int]:
        """Faults that are part of an open incident."""
        sql = "SELECT m.fault FROM incident_fault m JOIN incident i ON i.id = m.incident WHERE i.state = 'open'"
        return {row[0] for row in self._db.rows(sql)}

    def figures(self, incident: int) -> dict[str, int]:
        """How many routes, hosts ... it reaches."""
        sql = "SELECT name, count(*) FROM incident_value WHERE incident = ? GROUP BY name"
        return {**dict(self._db.rows(sql, (incident,))), "user": self._users(incident)}

    def heaviest(self, incident: int) -> Involved | None:
        found = self._db.rows(f"{_MEMBER} ORDER BY m.events DESC, f.id LIMIT 1", (incident,))
        return Involved(*found[0]) if found else None

    def values(self, incident: int, name: str) -> tuple[str, ...]:
        sql = "SELECT value FROM incident_value WHERE incident = ? AND name = ? ORDER BY events DESC, value"
        return tuple(row[0] for row in self._db.rows(sql, (incident, name)))

    def causes(self, incident: int) -> tuple[str, ...]:
        sql = (
            "SELECT DISTINCT f.cause FROM incident_fault m JOIN fault f ON f.id = m.fault"
            " WHERE m.incident = ? ORDER BY f.cause"
        )
        return tuple(row[0] for row in self._db.rows(sql, (incident,)))

    def _read(self, sql: str, values: Sequence[Value]) -> list[Incident]:
        rows = self._db.rows(sql, values)
        keys = [(row[0],) for row in rows]
        members = "SELECT incident, fault, project FROM incident_fault WHERE incident IN ({keys}) ORDER BY fault"
        faults: dict[int, list[int]] = defaultdict(list)
        projects: dict[int, dict[str, None]] = defaultdict(dict)
        for incident, fault, project in among(self._db, members, keys):
            faults[incident].append(fault)
            projects[incident][project] = None
        counted = "SELECT incident, count(*) FROM incident_user WHERE incident IN ({keys}) GROUP BY incident"
        users = dict(among(self._db, counted, keys))
        return [_incident(row, faults[row[0]], projects[row[0]], users.get(row[0], 0)) for row in rows]


def _incident(row: tuple[Any, ...], faults: Iterable[int], projects: Iterable[str], users: int) -> Incident:
    values: dict[str, Any] = {f.name: value for f, value in zip(fields(Incident), row, strict=False)}
    return Incident(**values, faults=tuple(faults), projects=tuple(projects), users=users)


twin_tag: Final = "exception_group"  # of events that are the leaves of one exception group: the id of the first

_COUNTED: Final = "SELECT fault, sum(events) FROM incident_signal WHERE fault IN ({keys}) GROUP BY fault"
_INCIDENT: Final = (
    "SELECT id, project, kind, subject, state, sentence, opened_at, last_at, resolved_at, resolved_why,"
    " acknowledged_at, acknowledged_by, events FROM incident"
)
_INVOLVED: Final = "f.id, f.project, f.title, f.message, f.culprit, f.cause, f.state"
_MEMBER: Final = (
    f"SELECT {_INVOLVED}, m.events, m.joined_at FROM incident_fault m JOIN fault f ON f.id = m.fault"  # noqa: S608
    " WHERE m.incident = ?"
)
_MACHINE: Final = ("localhost", "")
_begun_s: Final = 900.0  # the first events of a fault may be so much older than the incident that it joins


machine_words: Final = {
    "disk-full": "disk space",
    "disk-error": "disk",
    "descriptors": "file descriptors",
    "memory": "memory",
    "threads": "threads",
}
_family_words: Final = {
    **dict.fromkeys(("http", "grpc", "socket"), "service"),
    "amqp": "message broker",
    "smtp": "mail server",
    "ldap": "directory",
    "pool": "connection pool",
}


def resource_of(fp: Fingerprint, host: str) -> str:
    """What the fault's key says failed, as people say it: "PostgreSQL at db:5432"; empty when it is about code.

    What only one machine can mean (its disk, its own loopback address) carries the machine's name.
    """
    if fp.primary.kind != "outage":
        outage = next((key for key in fp.keys if key.kind == "outage"), None)
        if outage is None:
            return ""
        parts = dict(outage.parts)
    else:
        parts = dict(fp.primary.parts)
    family, peer = parts.get("family", ""), parts.get("peer", "")
    if not family:
        what = machine_words.get(parts.get("kind", ""), parts.get("kind", "resource"))
        return f"{what} on {host}" if host else what
    family = _family_words.get(family) or labels.get(family, family)
    if not peer:
        return f"{family} used by {host}" if host else family
    own = host if peer.partition(":")[0] in _MACHINE else ""
    return f"{family} at {peer}" + (f" on {own}" if own else "")
