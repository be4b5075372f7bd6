"""A fault's circumstances: what else failed then, how often its route fails, what differs, who changed the line."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fivehundred.console import commits
from fivehundred.console.access.identity import current
from fivehundred.console.access.visible_incidents import seen
from fivehundred.console.site import Site
from fivehundred.console.store.base import FaultDetail, NotFound
from fivehundred.console.store.commits import Commits, Suspects
from fivehundred.console.store.incidents import Incident, Incidents, Involved
from fivehundred.console.store.rates import Rate, Rates, value_names
from fivehundred.diagnosis.differs import Difference, differs
from fivehundred.event import parse

_hour_s = 3600.0
_day_s = 86_400.0


@dataclass(frozen=True, slots=True)
class Began:
    """When it began, against what else is known of that time."""

    sentence: str
    last_good_release: str


@dataclass(frozen=True, slots=True)
class Context:
    incidents: tuple[Incident, ...]
    also: tuple[Involved, ...]  # what else failed in the fault's last hour
    began: Began
    rates: tuple[Rate, ...]  # of its route, in the last 24 hours
    differences: tuple[Difference, ...]
    suspects: Suspects | None  # None: no repository is named


def context_of(site: Site, detail: FaultDetail) -> Context:
    database, fault = site.store().database, detail.fault
    desk = Incidents(database)
    start = max(fault.first_seen, fault.last_seen - _hour_s)
    also = desk.failed_between([fault.project], {fault.id}, start, fault.last_seen, limit=6)
    now, rates = time.time(), Rates(database)
    of_route = rates.rates(fault.project, route=fault.route, since=now - _day_s, until=now) if fault.route else []
    good = rates.good_by(fault.project, fault.route, since=fault.first_seen, until=now) if fault.route else {}
    return Context(
        incidents=tuple(seen(desk, desk.of_fault(fault.id), current.get())),
        also=tuple(also),
        began=_began(Commits(database), detail),
        rates=tuple(of_route),
        differences=tuple(differs(_failing(detail), good)[:6]),
        suspects=_suspects(site, detail),
    )


def _failing(detail: FaultDetail) -> dict[str, dict[str, int]]:
    """What its events were seen with, by the names that good requests are counted under."""
    found = {name: dict(values) for name, values in detail.tags.items() if name in value_names}
    found["host"] = dict(detail.hosts)
    found["release"] = {release: events for release, events, _ in detail.releases}
    return {name: values for name, values in found.items() if values}


def _began(desk: Commits, detail: FaultDetail) -> Began:
    fault = detail.fault
    good = desk.last_good_release(fault.project, fault.id)
    hosts = len([host for host, _ in detail.hosts if host])
    where = f"on {detail.hosts[0][0]} alone" if hosts == 1 else f"on {hosts} hosts" if hosts else ""
    when = f"It began with {fault.first_release}" if good and fault.first_release else "It began without a new release"
    if not fault.first_release:
        when = "Its events name no release"
    after = f", the first after {good}" if good and fault.first_release else ""
    back = " It came back after it was resolved." if fault.regressed_at is not None else ""
    return Began(f"{when}{after}{', ' + where if where else ''}.{back}", good)


def _suspects(site: Site, detail: FaultDetail) -> Suspects | None:
    """Looked for once for each newest kept event."""
    store, fault = site.store(), detail.fault
    desk = Commits(store.database)
    path = desk.repository(fault.project)
    if not path:
        return None
    known = desk.known(fault.id, fault.last_event_id)
    if known is not None:
        return known
    try:
        stored = store.event(fault.last_event_id, project=fault.project)
    except NotFound:
        return Suspects((), "", "no event of it is kept, so there is no line to look for")
    event = parse(stored.payload, received_at=stored.summary.received_at, event_id=stored.summary.event_id)
    place = (_number(detail.fingerprint.get("root")), _number(detail.fingerprint.get("frame")))
    found = commits.suspects(path, event, place, desk.last_good_release(fault.project, fault.id))
    desk.keep(fault.id, fault.last_event_id, found, now=time.time())
    return found


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1
