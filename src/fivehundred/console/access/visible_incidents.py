"""Incidents as one request may see them: the faults of visible projects, and how many there are in others.

What reaches into several projects is told in part to whoever sees some of them: that it is there, what they share, and
what is theirs. Words, routes and hosts of the others are not told. Who sees all gets all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fivehundred.console.access.identity import Identity
from fivehundred.console.store.incidents import Incident, IncidentDetail, Incidents, Involved


def seen(desk: Incidents, found: Iterable[Incident], identity: Identity) -> list[Incident]:
    """Each as far as it is seen; what is not seen at all is left out."""
    some = [one for one in found if any(identity.sees(p) for p in one.projects)]
    partly = {one.id for one in some if not all(identity.sees(p) for p in one.projects)}
    if not partly:
        return some
    members: dict[int, list[tuple[int, int]]] = {}
    for incident, fault, project, events in desk.members(partly):
        if identity.sees(project):
            members.setdefault(incident, []).append((fault, events))
    return [_part(one, members.get(one.id, []), identity) if one.id in partly else one for one in some]


def seen_detail(desk: Incidents, detail: IncidentDetail, identity: Identity) -> IncidentDetail:
    hidden = [project for project in detail.incident.projects if not identity.sees(project)]
    if not hidden:
        return detail
    (part,) = seen(desk, [detail.incident], identity)
    return IncidentDetail(
        incident=part,
        faults=_within(detail.faults, identity),
        routes=(),  # counted over all of its projects, and so are these
        hosts=(),
        releases=(),
        environments=(),
        also=_within(detail.also, identity),
        hidden_faults=len(detail.incident.faults) - len(part.faults),
        hidden_projects=len(hidden),
    )


def _within(found: Iterable[Involved], identity: Identity) -> tuple[Involved, ...]:
    return tuple(one for one in found if identity.sees(one.project))


def _part(one: Incident, members: list[tuple[int, int]], identity: Identity) -> Incident:
    projects = tuple(project for project in one.projects if identity.sees(project))
    others = len(one.projects) - len(projects)
    what = f"{one.subject} fails" if one.kind == "resource" else "Parts of one task group failed together"
    faults, events = len(members), sum(count for _, count in members)
    amounts = f"{events:,} {'event' if events == 1 else 'events'} of {faults:,} {'fault' if faults == 1 else 'faults'}"
    return replace(
        one,
        project=projects[0],
        projects=projects,
        sentence=f"{what}: {amounts}, and more in {others:,} other {'project' if others == 1 else 'projects'}.",
        faults=tuple(fault for fault, _ in members),
        events=events,
        users=0,  # counted over all of its projects
    )
