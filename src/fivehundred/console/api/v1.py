"""The JSON API under /api/v1/: what the pages show, for programs. Described by its own /api/v1/openapi.json.

Every answer is one of the ``shapes``; every refusal is ``application/problem+json`` and says what to send instead.
Changes are JSON only, which no foreign page can post without being asked first by the browser.
"""

from __future__ import annotations

import time
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route

from fivehundred import limits
from fivehundred.console.access.audited import note
from fivehundred.console.access.identity import current
from fivehundred.console.api import (
    alerts,
    choices,
    context,
    docs,
    events,
    incidents,
    issues,
    openapi,
    people,
    project_rules,
    quotas,
    shapes,
    triage,
)
from fivehundred.console.api.edge import changes, decoded, limit_of, number_of, reads, refused
from fivehundred.console.site import Site
from fivehundred.console.store import acts
from fivehundred.console.store.base import Order, Tally
from fivehundred.console.web import actor, edge, search


def routes(site: Site) -> list[BaseRoute]:
    """One mount: inside it every answer is JSON, whatever is asked for."""
    api, incident = Api(site), incidents.IncidentApi(site)
    inner = [
        Route("/docs", edge.page(lambda request: docs.show(site, request))),
        Route("/docs/shapes", edge.page(lambda request: docs.show(site, request))),
        Route("/openapi.json", reads(lambda _: openapi.document(site.public_url))),
        Route("/faults", reads(api.faults, "query", "order", "cursor", "limit"), methods=["GET"]),
        Route("/faults", changes(api.change_faults), methods=["PATCH"]),
        *triage.routes(site),
        *choices.routes(site),
        *context.routes(site),
        Route("/faults/{fault:int}", reads(api.fault), methods=["GET"]),
        Route("/faults/{fault:int}", changes(api.change_fault), methods=["PATCH"]),
        Route("/faults/{fault:int}/events", reads(api.fault_events, "cursor", "limit")),
        *events.routes(site),
        Route("/events/{event_id}", reads(api.event)),
        Route("/projects", reads(api.projects)),
        *quotas.routes(site),
        *project_rules.routes(site),
        *people.routes(site),
        *alerts.routes(site),
        *issues.routes(site),
        Route("/stats", reads(api.stats, "hours", "project")),
        Route("/incidents", reads(incident.list, "state", "project", "cursor", "limit")),
        Route("/incidents/{incident:int}", reads(incident.one), methods=["GET"]),
        Route("/incidents/{incident:int}", changes(api.change_incident), methods=["PATCH"]),
    ]
    return [Mount("/api/v1", app=Starlette(routes=inner, exception_handlers={HTTPException: refused}))]


class Api:
    def __init__(self, site: Site) -> None:
        self._site = site

    def faults(self, request: Request) -> shapes.FaultList:
        store, sent = self._site.store(), request.query_params
        asked = search.parse(sent.get("query", ""), store.projects())
        if asked.problems:
            raise HTTPException(400, " ".join(asked.problems))
        order: Order | None = next((o for o in search.orders if o == sent.get("order", "impact")), None)
        if order is None:
            raise HTTPException(400, f"order is one of {', '.join(search.orders)}")
        me = actor.actor(request).names
        query = asked.query(order=order, cursor=sent.get("cursor", ""), limit=limit_of(request), me=me)
        found = store.faults(query, now=time.time())
        return shapes.FaultList(found.faults, found.next, found.total)

    def fault(self, request: Request) -> shapes.FaultAnswer:
        detail = self._site.store().fault(edge.fault_of(request), now=time.time())
        return shapes.FaultAnswer.of(detail, f"{self._site.public_url}/faults/{detail.fault.id}")

    def fault_events(self, request: Request) -> shapes.EventList:
        store, fault = self._site.store(), edge.fault_of(request)
        store.fault(fault, now=time.time())  # raises NotFound: no events and no such fault are two answers
        cursor = request.query_params.get("cursor", "")
        events, following = store.events(fault, project=None, cursor=cursor, limit=limit_of(request))
        return shapes.EventList(tuple(events), following)

    def event(self, request: Request) -> shapes.EventAnswer:
        reference = search.reference(request.path_params["event_id"])
        if not reference:
            raise HTTPException(400, "a reference is 32 hexadecimal digits, with or without dashes or urn:uuid:")
        stored = self._site.store().event(reference)
        return shapes.EventAnswer.of(stored, f"{self._site.public_url}/events/{reference}")

    def projects(self, request: Request) -> shapes.ProjectList:
        found = self._site.store().projects()
        return shapes.ProjectList(
            tuple(shapes.ProjectAnswer(p.id, p.name, self._site.dsn(p), p.created_at) for p in found)
        )

    def stats(self, request: Request) -> shapes.StatsAnswer:
        store, project = self._site.store(), request.query_params.get("project")
        if project is not None:
            store.project(project)  # raises NotFound
        hours = number_of(request, "hours", 24, limits.stats_hours_max)
        backlog = self._site.backlog()
        turned_away = tuple(
            Tally(p, "refused", "request", reason, "", count)
            for (p, reason), count in sorted(self._site.refused().items())
            if project in (None, p) and current.get().sees(p)
        )
        found = store.stats(project, hours=hours, now=time.time())
        return shapes.StatsAnswer.of(found, turned_away, backlog.records, backlog.bytes)

    def change_fault(self, request: Request, body: bytes) -> shapes.FaultAnswer:
        sent = decoded(body, shapes.StateChange)
        self._site.store().fault(edge.fault_of(request), now=time.time())  # raises NotFound
        self._site.store().set_state([edge.fault_of(request)], sent.state, by=_by(request), now=time.time())
        note(acts.told(_ACTS[sent.state], [edge.fault_of(request)]))
        return self.fault(request)

    def change_faults(self, request: Request, body: bytes) -> shapes.Changed:
        sent = decoded(body, shapes.ManyStates)
        if len(sent.faults) > limits.page_rows_max:
            raise HTTPException(422, f"at most {limits.page_rows_max} faults at once; nothing was changed")
        if any(not 0 < f < 2**63 for f in sent.faults):
            raise HTTPException(422, "the number of a fault is a positive integer; nothing was changed")
        changed = self._site.store().set_state(sent.faults, sent.state, by=_by(request), now=time.time())
        note(acts.told(_ACTS[sent.state], sent.faults))
        return shapes.Changed(changed)

    def change_incident(self, request: Request, body: bytes) -> incidents.IncidentAnswer:
        sent = decoded(body, incidents.IncidentChange)
        return incidents.IncidentApi(self._site).change(request, sent, by=actor.actor(request).name)


_ACTS: Final[dict[str, str]] = {"open": "reopen", "muted": "mute", "resolved": "resolve"}


def _by(request: Request) -> str:
    found = actor.actor(request)
    return found.name if found != actor.Actor() else "API"
