"""The JSON API under /api/v1/: what the pages show, for programs. Described by its own /api/v1/openapi.json.

Every answer is one of the ``shapes``; every refusal is ``application/problem+json`` and says what to send instead.
Changes are JSON only, which no foreign page can post without being asked first by the browser.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from fivehundred import limits
from fivehundred.console.api import incidents, openapi, shapes
from fivehundred.console.site import Site
from fivehundred.console.store.base import BadCursor, NotFound, Order, Tally
from fivehundred.console.web import actor, edge, forms, search

Reader: TypeAlias = Callable[[Request], object]
Changer: TypeAlias = Callable[[Request, bytes], object]


def routes(site: Site) -> list[BaseRoute]:
    """One mount: inside it every answer is JSON, whatever is asked for."""
    api, incident = Api(site), incidents.IncidentApi(site)
    inner = [
        Route("/openapi.json", _reads(lambda _: openapi.document(site.public_url))),
        Route("/faults", _reads(api.faults, "query", "order", "cursor", "limit"), methods=["GET"]),
        Route("/faults", _changes(api.change_faults), methods=["PATCH"]),
        Route("/faults/{fault:int}", _reads(api.fault), methods=["GET"]),
        Route("/faults/{fault:int}", _changes(api.change_fault), methods=["PATCH"]),
        Route("/faults/{fault:int}/events", _reads(api.fault_events, "cursor", "limit")),
        Route("/events/{event_id}", _reads(api.event)),
        Route("/projects", _reads(api.projects)),
        Route("/stats", _reads(api.stats, "hours", "project")),
        Route("/incidents", _reads(incident.list, "state", "project", "cursor", "limit")),
        Route("/incidents/{incident:int}", _reads(incident.one), methods=["GET"]),
        Route("/incidents/{incident:int}", _changes(api.change_incident), methods=["PATCH"]),
    ]
    return [Mount("/api/v1", app=Starlette(routes=inner, exception_handlers={HTTPException: _refused}))]


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
        query = asked.query(order=order, cursor=sent.get("cursor", ""), limit=_limit(request))
        found = store.faults(query, now=time.time())
        return shapes.FaultList(found.faults, found.next, found.total)

    def fault(self, request: Request) -> shapes.FaultAnswer:
        detail = self._site.store().fault(edge.fault_of(request), now=time.time())
        return shapes.FaultAnswer.of(detail, f"{self._site.public_url}/faults/{detail.fault.id}")

    def fault_events(self, request: Request) -> shapes.EventList:
        store, fault = self._site.store(), edge.fault_of(request)
        store.fault(fault, now=time.time())  # raises NotFound: no events and no such fault are two answers
        cursor = request.query_params.get("cursor", "")
        events, following = store.events(fault, project=None, cursor=cursor, limit=_limit(request))
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
        hours = _number(request, "hours", 24, limits.stats_hours_max)
        backlog = self._site.backlog()
        refused = tuple(
            Tally(p, "refused", "request", reason, "", count)
            for (p, reason), count in sorted(self._site.refused().items())
            if project in (None, p)
        )
        found = store.stats(project, hours=hours, now=time.time())
        return shapes.StatsAnswer.of(found, refused, backlog.records, backlog.bytes)

    def change_fault(self, request: Request, body: bytes) -> shapes.FaultAnswer:
        sent = _decoded(body, shapes.StateChange)
        self._site.store().fault(edge.fault_of(request), now=time.time())  # raises NotFound
        self._site.store().set_state([edge.fault_of(request)], sent.state, by="API", now=time.time())
        return self.fault(request)

    def change_faults(self, request: Request, body: bytes) -> shapes.Changed:
        sent = _decoded(body, shapes.ManyStates)
        if len(sent.faults) > limits.page_rows_max:
            raise HTTPException(422, f"at most {limits.page_rows_max} faults at once; nothing was changed")
        if any(not 0 < f < 2**63 for f in sent.faults):
            raise HTTPException(422, "the number of a fault is a positive integer; nothing was changed")
        return shapes.Changed(self._site.store().set_state(sent.faults, sent.state, by="API", now=time.time()))

    def change_incident(self, request: Request, body: bytes) -> incidents.IncidentAnswer:
        sent = _decoded(body, incidents.IncidentChange)
        return incidents.IncidentApi(self._site).change(request, sent, by=actor.actor(request).name)


# ---- the edge ------------------------------------------------------------------------------------


def _reads(reader: Reader, *known: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        unknown = sorted(set(request.query_params) - set(known))
        if unknown:  # ignored silently, a misspelled filter would answer with everything
            takes = f"this path takes {', '.join(known)}" if known else "this path takes none"
            raise HTTPException(400, f"unknown parameter {', '.join(unknown)[:100]}; {takes}")
        return await _answer(request, lambda: reader(request))

    return endpoint


def _changes(changer: Changer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not forms.same_site(request):
            raise HTTPException(403, "changes are taken from programs and from this Console's own pages only")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, 'send a JSON object with "Content-Type: application/json"')
        try:
            body = await forms.bounded(request)
        except forms.FormRefused as e:
            raise HTTPException(e.status, str(e)) from e
        return await _answer(request, lambda: changer(request, body))

    return endpoint


async def _answer(request: Request, work: Callable[[], object]) -> Response:
    try:
        body = await run_in_threadpool(lambda: msgspec.json.encode(work()))
    except HTTPException:
        raise
    except NotFound as e:
        raise HTTPException(404, str(e)) from e
    except BadCursor as e:
        raise HTTPException(400, str(e)) from e
    except Exception as e:  # whatever an event makes an answer stumble over
        return edge.failed(request, e)
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    if request.method in ("GET", "HEAD") and tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


def _refused(request: Request, e: Exception) -> Response:
    status = e.status_code if isinstance(e, HTTPException) else 500
    title = {400: "Bad request", 403: "Forbidden", 404: "Not found", 405: "Method not allowed"}.get(status, "Refused")
    detail = e.detail if isinstance(e, HTTPException) else ""
    if status == 404 and detail == "Not Found":
        detail = "there is nothing at this path; /api/v1/openapi.json lists what there is"
    headers = dict(e.headers or {}) if isinstance(e, HTTPException) else {}
    body = msgspec.json.encode(shapes.Problem("about:blank", title, status, detail))
    headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(body, status, headers, "application/problem+json")


def _decoded(body: bytes, kind: type[shapes.T]) -> shapes.T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise HTTPException(422, f"{e}; nothing was changed") from e


def _limit(request: Request) -> int:
    return _number(request, "limit", limits.rows_max, limits.page_rows_max)


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise HTTPException(400, f"{name} is a number from 1 to {most}")
    return int(text)
