"""One event's page, the same event as text to be copied, and the list of what could not be read."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound, StoredEvent
from fivehundred.console.web import copies, edge, render, search
from fivehundred.console.web.view import event_view
from fivehundred.event import Event


def routes(site: Site) -> list[Route]:
    events = Events(site)
    return [
        Route("/events/{event}/traceback", edge.page(events.text(copies.traceback))),
        Route("/events/{event}/curl", edge.page(events.text(copies.curl))),
        Route("/events/{event}/pytest", edge.page(events.text(copies.pytest))),
        Route("/events/{event}", edge.page(events.show)),
        Route("/malformed", edge.page(events.malformed)),
    ]


class Events:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request) -> Response:
        asked = request.path_params["event"]
        stored = self._stored(request)
        if asked != stored.summary.event_id:  # dashed, urn:uuid: or in capitals: one event has one address
            return RedirectResponse(f"/events/{stored.summary.event_id}", 308, render.headers)
        values = {"nav": "faults", "line": "", "stored": stored, "link": f"{self._site.public_url}/events/{asked}"}
        if stored.malformed or stored.summary.fault is None:
            return render.page(request, "malformed_event.html", {**values, "raw": _raw(stored)})
        fault = self._site.store().fault(stored.summary.fault, now=time.time()).fault
        more = {"view": event_view(stored), "fault": fault, "diagnosis": stored.diagnosis}
        return render.page(request, "event.html", {**values, **more})

    def text(self, form: Callable[[Event], str]) -> edge.Page:
        def handler(request: Request) -> Response:
            return render.plain(request, form(copies.event_of(self._stored(request))))

        return handler

    def malformed(self, request: Request) -> Response:
        store = self._site.store()
        values = {
            "nav": "settings",
            "line": "",
            "events": store.malformed(None, limit=limits.rows_max),
            "projects": {p.id: p.name for p in store.projects()},
        }
        return render.page(request, "malformed.html", values)

    def _stored(self, request: Request) -> StoredEvent:
        asked = request.path_params["event"]
        event = search.reference(asked)
        if not event:
            raise NotFound("A reference is 32 hexadecimal digits, with or without dashes.")
        return self._site.store().event(event)


def _raw(stored: StoredEvent) -> str:
    """What was received, as far as it was kept."""
    data = stored.payload.get("data", stored.payload)
    return str(data)[: limits.malformed_bytes_max // 4]
