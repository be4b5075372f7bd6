"""The store as one request may see it: of somebody who sees some projects, the others do not exist.

Who is asking is taken from ``identity.current``. What a handler asks of the whole Console is asked of the visible
projects alone; what it asks by number of something in another project is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fivehundred.console.access.identity import Identity
from fivehundred.console.store.base import (
    EventSummary,
    FaultDetail,
    FaultPage,
    FaultQuery,
    FaultState,
    NotFound,
    Project,
    Stats,
    Store,
    StoredEvent,
    Tally,
)

if TYPE_CHECKING:
    from fivehundred.console.store.event_search import EventQuery, EventsFound


def seen_by(store: Store, identity: Identity) -> Store:
    """The store itself for whoever sees every project."""
    if identity.projects is None:
        return store
    narrowed: Any = VisibleStore(store, identity)
    found: Store = narrowed
    return found


class VisibleStore:
    """See ``Store``. Everything that it does not narrow is the store's own: the digest's part asks for no identity."""

    def __init__(self, store: Store, identity: Identity) -> None:
        self._store = store
        self._identity = identity
        self._projects = tuple(sorted(identity.projects or ()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    # ---- projects

    def projects(self) -> Sequence[Project]:
        return [p for p in self._store.projects() if self._identity.sees(p.id)]

    def project(self, project: str) -> Project:
        self._check(project)
        return self._store.project(project)

    def create_project(self, name: str, *, now: float) -> Project:
        raise NotFound("projects are made by admins")

    # ---- reading

    def faults(self, query: FaultQuery, *, now: float) -> FaultPage:
        if query.project is not None:
            self._check(query.project)
            return self._store.faults(query, now=now)
        return self._store.faults(replace(query, projects=self._projects), now=now)

    def fault(self, fault: int, *, now: float) -> FaultDetail:
        found = self._store.fault(fault, now=now)
        self._check(found.fault.project, f"there is no fault {fault}")
        return found

    def events(
        self, fault: int | None, *, project: str | None, cursor: str, limit: int
    ) -> tuple[Sequence[EventSummary], str]:
        if fault is None and project is None:
            return self._merged_events(limit)
        if project is not None:
            self._check(project)
        found, following = self._store.events(fault, project=project, cursor=cursor, limit=limit)
        return [event for event in found if self._identity.sees(event.project)], following

    def _merged_events(self, limit: int) -> tuple[Sequence[EventSummary], str]:
        found = [e for p in self._projects for e in self._store.events(None, project=p, cursor="", limit=limit)[0]]
        return sorted(found, key=lambda e: -e.received_at)[:limit], ""

    def find_events(self, query: EventQuery) -> EventsFound:
        wanted = self._projects if query.projects is None else tuple(p for p in query.projects if p in self._projects)
        return self._store.find_events(replace(query, projects=wanted))

    def malformed(self, project: str | None, *, limit: int) -> Sequence[EventSummary]:
        if project is not None:
            self._check(project)
            return self._store.malformed(project, limit=limit)
        found = [e for p in self._projects for e in self._store.malformed(p, limit=limit)]
        return sorted(found, key=lambda e: -e.received_at)[:limit]

    def event(self, event_id: str, *, project: str | None = None) -> StoredEvent:
        if project is not None:
            self._check(project)
            return self._store.event(event_id, project=project)
        for visible in self._projects:  # the same id may be in a project that is not seen
            try:
                return self._store.event(event_id, project=visible)
            except NotFound:
                continue
        raise NotFound(f"there is no event {event_id[:64]}")

    def stats(self, project: str | None, *, hours: int, now: float) -> Stats:
        if project is not None:
            self._check(project)
            return self._store.stats(project, hours=hours, now=now)
        return _added([self._store.stats(p, hours=hours, now=now) for p in self._projects], hours)

    def changed_since(self, seen_at: float, *, project: str | None) -> int:
        if project is not None:
            self._check(project)
            return self._store.changed_since(seen_at, project=project)
        return sum(self._store.changed_since(seen_at, project=p) for p in self._projects)

    # ---- triage

    def set_state(self, faults: Iterable[int], state: FaultState, *, by: str, now: float) -> int:
        numbers = list(faults)
        for fault in numbers:
            self._identity.check("act", self.fault(fault, now=now).fault.project)  # raises NotFound, MayNot
        return self._store.set_state(numbers, state, by=by, now=now)

    def _check(self, project: str, words: str = "") -> None:
        if not self._identity.sees(project):
            raise NotFound(words or f"there is no project {project}")


def _added(found: list[Stats], hours: int) -> Stats:
    causes: dict[str, int] = {}
    faults: dict[str, int] = {"open": 0, "muted": 0, "resolved": 0}
    by_hour = [0] * (len(found[0].by_hour) if found else hours)
    tallies: list[Tally] = []
    for stats in found:
        for cause, events in stats.causes.items():
            causes[cause] = causes.get(cause, 0) + events
        for state, count in stats.faults.items():
            faults[state] = faults.get(state, 0) + count
        by_hour = [a + b for a, b in zip(by_hour, stats.by_hour, strict=True)]
        tallies += stats.tallies
    return Stats(hours, sum(by_hour), faults, causes, tuple(by_hour), tuple(tallies))
