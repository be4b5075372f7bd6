"""The list of faults, one fault's page, its Markdown, and the changes of state that both offer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.site import Site
from fivehundred.console.store.base import (
    EventSummary,
    FaultDetail,
    FaultState,
    NotFound,
    Order,
    Project,
    Store,
    StoredEvent,
)
from fivehundred.console.web import copies, edge, render, search
from fivehundred.console.web.view import event_view

order_names: dict[Order, str] = {
    "impact": "impact now",
    "last_seen": "last seen",
    "first_seen": "first seen",
    "events": "events",
    "users": "users",
}
tab_names: dict[search.State, str] = {"open": "Open", "muted": "Muted", "resolved": "Resolved", "any": "All"}
_ACTS: dict[str, FaultState] = {"resolve": "resolved", "mute": "muted", "reopen": "open"}


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    url: str
    count: int | None
    current: bool


def routes(site: Site) -> list[Route]:
    faults = Faults(site)
    return [
        Route("/faults", edge.page(faults.list)),
        Route("/faults/state", edge.post(faults.change), methods=["POST"]),
        Route("/faults/{fault:int}.md", edge.page(faults.markdown)),
        Route("/faults/{fault:int}", edge.page(faults.show)),
        Route("/faults/{fault:int}/events", edge.page(faults.events)),
    ]


class Faults:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> Response:
        store = self._site.store()
        line = request.query_params.get("q", "")
        found = _jump(store, line)
        if found:
            return RedirectResponse(found, 303, render.headers)
        projects = store.projects()
        asked = search.parse(line, projects)
        order: Order = next((o for o in search.orders if o == request.query_params.get("order")), "impact")
        query = asked.query(order=order, cursor=request.query_params.get("cursor", ""), limit=limits.rows_max)
        shown = store.faults(query, now=time.time())
        values = {
            "nav": "faults",
            "line": line,
            "asked": asked,
            "reference": search.reference(line),
            "tabs": _tabs(store, asked, order, shown.total),
            "orders": [(name, words, _link(asked.spelled, name), name == order) for name, words in order_names.items()],
            "order": order,
            "faults": shown.faults,
            "total": shown.total,
            "older": _link(asked.spelled, order, shown.next) if shown.next else "",
            "newest": _link(asked.spelled, order) if query.cursor else "",
            "projects": {p.id: p.name for p in projects},
            "filters": _filters(asked, projects, order),
            "acts": _acts("resolved" if asked.state == "resolved" else "muted" if asked.state == "muted" else "open"),
        }
        return render.page(request, "faults.html", values)

    def show(self, request: Request) -> Response:
        store = self._site.store()
        detail = store.fault(edge.fault_of(request), now=time.time())
        stored = newest(store, detail)
        recent, _ = store.events(detail.fault.id, project=None, cursor="", limit=8)
        projects = {p.id: p.name for p in store.projects()}
        values = {
            "nav": "faults",
            "line": "",
            "fault": detail.fault,
            "detail": detail,
            "diagnosis": detail.diagnosis,
            "view": event_view(stored) if stored else None,
            "stored": stored,
            "events": recent,
            "marks": _marks(detail),
            "project": projects.get(detail.fault.project, detail.fault.project),
            "acts": _acts(detail.fault.state),
            "link": f"{self._site.public_url}/faults/{detail.fault.id}",
        }
        return render.page(request, "fault.html", values)

    def markdown(self, request: Request) -> Response:
        store = self._site.store()
        detail = store.fault(edge.fault_of(request), now=time.time())
        body = copies.markdown(detail, newest(store, detail), self._site.public_url)
        return render.plain(request, body, kind="text/markdown")

    def events(self, request: Request) -> Response:
        store = self._site.store()
        fault = store.fault(edge.fault_of(request), now=time.time()).fault
        cursor = request.query_params.get("cursor", "")
        events, after = store.events(fault.id, project=None, cursor=cursor, limit=limits.rows_max)
        older = f"/faults/{fault.id}/events?{urlencode({'cursor': after})}" if after else ""
        values = {"nav": "faults", "line": "", "fault": fault, "events": events, "older": older, "cursor": cursor}
        return render.page(request, "events.html", values)

    def change(self, request: Request, fields: edge.Fields) -> Response:
        """Resolve, mute or reopen one or many faults."""
        state = _ACTS.get(fields.get("act", [""])[0])
        numbers = [int(n) for n in fields.get("fault", []) if n.isascii() and n.isdecimal() and len(n) < 16]
        if state is None:
            return edge.problem(request, 400, "Nothing was changed", "The act is one of resolve, mute, reopen.")
        if not numbers:
            return edge.problem(request, 400, "Nothing was changed", "Select at least one fault first.")
        self._site.store().set_state(numbers[: limits.rows_max * 4], state, by="a person", now=time.time())
        return edge.back(fields)


def newest(store: Store, detail: FaultDetail) -> StoredEvent | None:
    """The newest event whose payload is kept; None when all of them are only counted."""
    try:
        stored = store.event(detail.fault.last_event_id, project=detail.fault.project)
        if stored.summary.kept:
            return stored
    except NotFound:
        pass  # counted only: the next newest will do
    recent, _ = store.events(detail.fault.id, project=None, cursor="", limit=limits.rows_max)
    return _first_kept(store, recent)


def _first_kept(store: Store, recent: Sequence[EventSummary]) -> StoredEvent | None:
    kept = next((e for e in recent if e.kept), None)
    return store.event(kept.event_id, project=kept.project) if kept else None


def _jump(store: Store, line: str) -> str:
    """Where a reference or ``#12`` leads to; empty when it is neither or is not known here."""
    number = search.fault_number(line)
    try:
        if number is not None:
            return f"/faults/{store.fault(number, now=time.time()).fault.id}"
        event = search.reference(line)
        return f"/events/{store.event(event).summary.event_id}" if event else ""
    except NotFound:
        return ""


def _link(line: str, order: Order, cursor: str = "") -> str:
    values = {"q": line, "order": order if order != "impact" else "", "cursor": cursor}
    query = urlencode({k: v for k, v in values.items() if v})
    return f"/faults?{query}" if query else "/faults"


def _tabs(store: Store, asked: search.Search, order: Order, total: int) -> list[Tab]:
    tabs: list[Tab] = []
    for state, name in tab_names.items():
        count: int | None = total
        if state != asked.state:
            count = None if state == "any" else _count(store, asked, state)
        tabs.append(Tab(name, _link(asked.with_state(state), order), count, state == asked.state))
    return tabs


def _count(store: Store, asked: search.Search, state: FaultState) -> int:
    return store.faults(replace(asked.query(limit=1), state=state), now=time.time()).total


def _filters(asked: search.Search, projects: Sequence[Project], order: Order) -> list[tuple[str, str, str]]:
    """(what narrows the list, its value, the link that takes it away)."""
    names = {p.id: p.name for p in projects}
    found: list[tuple[str, str, str]] = []
    for name, value, without in (
        ("cause", asked.cause or "", replace(asked, cause=None)),
        ("release", asked.release, replace(asked, release="")),
        ("environment", asked.environment, replace(asked, environment="")),
        ("project", names.get(asked.project or "", asked.project or ""), replace(asked, project=None)),
        ("text", asked.text, replace(asked, text="")),
    ):
        if value:
            found.append((name, value, _link(without.spelled, order)))
    return found


def _acts(state: FaultState) -> list[tuple[str, str, str]]:
    """(act, words, key): the first one is the one that is meant most of the time."""
    acts = {
        "open": [("resolve", "Resolve", "e"), ("mute", "Mute", "m")],
        "muted": [("resolve", "Resolve", "e"), ("reopen", "Unmute", "m")],
        "resolved": [("reopen", "Reopen", "e")],
    }
    return acts[state]


def _marks(detail: FaultDetail) -> list[tuple[int, str]]:
    """Releases that came after the fault's first one and in the last 24 hours, as marks on the trend."""
    hour = 3600
    now = int(time.time()) // hour
    found = [(23 - (now - int(seen) // hour), f"first event in {release}") for release, _, seen in detail.releases[1:]]
    return [(at, text) for at, text in found if 0 <= at <= 23]
