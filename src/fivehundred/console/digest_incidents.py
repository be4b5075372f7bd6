"""Incidents as the digest keeps them: what a batch did goes through the decision, and what is decided is written.

Called inside the batch's transaction; the decision itself is ``console.incidents``, the rows are the desk's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fivehundred import limits
from fivehundred.console import alerts, incidents
from fivehundred.console.alerts import IncidentNews
from fivehundred.console.store.alerts import Kind
from fivehundred.console.store.base import FaultNews
from fivehundred.console.store.database import Database
from fivehundred.console.store.incidents import Incident, Incidents, Known, Signal, machine_words

_new_s: Final = 3600.0  # a release is new, and a project young, for so long
_keep_s: Final = incidents.window_s + 60.0


def follow(database: Database, news: Sequence[FaultNews]) -> list[IncidentNews]:
    """Opens incidents and lets those go on that there are; what is to be told."""
    if not news:
        return []
    desk = Incidents(database)
    at = desk.record(news, keep_s=_keep_s)
    known, signals = _seen(desk, at)
    if not known and not any(incidents.is_beyond_normal(signal) for signal in signals):
        return []
    database.lock(["incidents"])  # two workers that see the same outage must not open it twice
    known, signals = _seen(desk, at)  # with what the other one has written meanwhile
    projects = desk.surroundings([signal.project for signal in signals], at=at, new_s=_new_s)
    decided = incidents.decide(known, signals, projects, now=at)
    touched = [desk.open(opened, news) for opened in decided.opened]
    told = list(touched)
    for continued in decided.continued:
        if any(one.fault in continued.faults for one in news):
            desk.go_on(continued, news)
            touched.append(continued.incident)
    for incident in touched:
        desk.say(incident, sentence(desk, desk.incident(incident)))
    return [_news(desk, incident, "incident_opened") for incident in told]


def _seen(desk: Incidents, at: float) -> tuple[list[Known], list[Signal]]:
    known = desk.known(since=at - incidents.again_s)
    return known, desk.signals(known, at=at, window_s=incidents.window_s, events_min=incidents.events_min)


def settle(database: Database, *, now: float) -> None:
    """Resolves what is over; asked when nothing waits to be digested."""
    desk = Incidents(database)
    if not incidents.over(desk.known(since=now), now=now):
        return
    with database.transaction():
        database.lock(["incidents"])
        closed = incidents.over(desk.known(since=now), now=now)  # another digest may have closed them meanwhile
        for one in closed:
            desk.close(one)
        desk.forget(limits.incidents_kept_max)
        alerts.follow_incidents(database, [_news(desk, one.incident, "incident_closed") for one in closed], now=now)
        database.changed()


def sentence(desk: Incidents, incident: Incident) -> str:
    """What a person reads first: what fails, how much, for whom."""
    reach = desk.figures(incident.id)
    heaviest = desk.heaviest(incident.id)
    amounts = [_count(incident.events, "event")]
    amounts += [_count(reach[n], n) for n in ("route", "user", "host") if reach.get(n, 0) > (n == "host")]
    most = ""
    if heaviest and len(incident.faults) > 1:
        share = "most of them" if 2 * heaviest.events > incident.events else "first of all"
        most = f", {share} {heaviest.title}"
    return f"{_what(incident)}: {', '.join(amounts)}{most}."


def _what(incident: Incident) -> str:
    faults = _count(len(incident.faults), "fault")
    if incident.kind == "resource":
        out = incident.subject.partition(" on ")[0] in _used_up
        return f"{incident.subject} {'runs out' if out else 'fails'} ({faults})"
    if incident.kind == "release":
        return f"{faults} began with release {incident.subject}"
    if incident.kind == "host":
        return f"{faults} on {incident.subject} alone"
    if incident.kind == "group":
        return f"{faults} are parts of one task group that failed together"
    return f"{faults} began to fail within minutes of each other"


_used_up: Final = tuple(words for words in machine_words.values() if words != "disk")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _news(desk: Incidents, number: int, kind: Kind) -> IncidentNews:
    incident = desk.incident(number)
    return IncidentNews(
        incident=number,
        kind=kind,
        project=incident.project,
        sentence=incident.sentence,
        faults=len(incident.faults),
        events=incident.events,
        environments=desk.values(number, "environment"),
        causes=desk.causes(number),
    )
