"""The list of faults, one fault's page, its Markdown, and what could come next in a search line.

What people do with faults is in ``triage``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.site import Site
from fivehundred.console.store import reading
from fivehundred.console.store.base import (
    Fault,
    FaultDetail,
    FaultState,
    NotFound,
    Order,
    Store,
)
from fivehundred.console.store.triage import Triage, Triaged
from fivehundred.console.web import copies, edge, render, search, triage
from fivehundred.console.web.actor import actor, owners, seen_projects, seen_views
from fivehundred.console.web.context import context_of
from fivehundred.console.web.grouping import grouping_of
from fivehundred.console.web.kept import newest
from fivehundred.console.web.suggest import suggestions
from fivehundred.console.web.trackers import links_of
from fivehundred.console.web.view import event_view

order_names: dict[Order, str] = {
    "impact": "impact now",
    "last_seen": "last seen",
    "first_seen": "first seen",
    "events": "events",
    "users": "users",
}
tab_names: dict[search.State, str] = {
    "review": "For review",
    "open": "Open",
    "muted": "Muted",
    "resolved": "Resolved",
    "any": "All",
}


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
        Route("/faults/suggest", edge.page(faults.suggest)),
        Route("/faults/{fault:int}.md", edge.page(faults.markdown)),
        Route("/faults/{fault:int}", edge.page(faults.show)),
        Route("/faults/{fault:int}/events", edge.page(faults.events)),
    ]


class Faults:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> Response:
        store = self._site.store()
        line, now, who = request.query_params.get("q", ""), time.time(), actor(request)
        found = _jump(store, line)
        if found:
            return RedirectResponse(found, 303, render.headers)
        projects = store.projects()
        asked = search.parse(line, projects)
        order: Order = next((o for o in search.orders if o == request.query_params.get("order")), "impact")
        cursor = request.query_params.get("cursor", "")
        query = asked.query(order=order, cursor=cursor, limit=limits.rows_max, me=who.names)
        shown = store.faults(query, now=now)
        desk = Triage(store.database)
        values = {
            "nav": "faults",
            "line": line,
            "asked": asked,
            "reference": search.reference(line),
            "tabs": _tabs(store, asked, order, shown.total, who.names),
            "orders": [(name, words, _link(asked.spelled, name), name == order) for name, words in order_names.items()],
            "order": order,
            "faults": shown.faults,
            "triaged": desk.of([f.id for f in shown.faults]),
            "now": now,
            "total": shown.total,
            "older": _link(asked.spelled, order, shown.next) if shown.next else "",
            "newest": _link(asked.spelled, order) if query.cursor else "",
            "projects": {p.id: p.name for p in projects},
            "filters": _filters(asked, {p.id: p.name for p in projects}, order),
            "views": [(v, _link(v.line, _order(v.order))) for v in seen_views(store, who.id)],
            "may_own": who.id is not None,
            "acts": triage.acts_on(
                _state_of(asked.state), release=_newest(desk, shown.faults), owners=owners(store.database), who=who
            ),
        }
        return render.page(request, "faults.html", values)

    def suggest(self, request: Request) -> Response:
        """Lines that the search box offers; JSON for the pages' script."""
        store = self._site.store()
        found = suggestions(request.query_params.get("q", ""), store.database, store.projects(), seen_projects())
        return render.plain(request, json.dumps(found), kind="application/json")

    def show(self, request: Request) -> Response:
        store, now, who = self._site.store(), time.time(), actor(request)
        detail = store.fault(edge.fault_of(request), now=now)
        fault, desk = detail.fault, Triage(store.database)
        triaged = desk.of([fault.id])[fault.id]
        stored = newest(store, detail)
        recent, _ = store.events(fault.id, project=None, cursor="", limit=8)
        projects = {p.id: p.name for p in store.projects()}
        links, trackers = links_of(self._site, fault.id)
        acts = triage.acts_on(
            fault.state, release=desk.newest_release(fault.project), owners=owners(store.database), who=who
        )
        values = {
            "nav": "faults",
            "line": "",
            "fault": fault,
            "detail": detail,
            "diagnosis": detail.diagnosis,
            "triaged": triaged,
            "until": triage.until_words(triaged, fault, now),
            "conversation": desk.conversation(fault.id, limit=60),
            "now": now,
            "view": event_view(stored) if stored else None,
            "stored": stored,
            "events": recent,
            "marks": _marks(detail),
            "context": context_of(self._site, detail),
            "grouping": grouping_of(self._site, detail),
            "links": links,
            "trackers": trackers,
            "project": projects.get(fault.project, fault.project),
            "acts": acts,
            "link": f"{self._site.public_url}/faults/{fault.id}",
        }
        answer = render.page(request, "fault.html", values)
        if _unseen(triaged, detail) and request.method == "GET" and "x-live" not in request.headers:
            desk.review([fault.id], now=now)  # opened by somebody: it leaves the list of what is for review
        return answer

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


def _tabs(store: Store, asked: search.Search, order: Order, total: int, me: tuple[str, ...]) -> list[Tab]:
    tabs: list[Tab] = []
    for state, name in tab_names.items():
        count: int | None = total
        if state != asked.state:
            query = replace(replace(asked, state=state).query(limit=1, me=me), projects=seen_projects())
            database, now = store.database, time.time()
            count = None if state == "any" else reading.fault_count(database, query, now=now)
        tabs.append(Tab(name, _link(asked.with_state(state), order), count, state == asked.state))
    return tabs


def _order(name: str) -> Order:
    return next((o for o in search.orders if o == name), "impact")


def _state_of(state: search.State) -> FaultState:
    """What can be done with what a tab shows."""
    return state if state in ("muted", "resolved") else "open"


def _newest(desk: Triage, faults: Sequence[Fault]) -> str:
    """The release that all of them could be fixed in; none when they are of several projects."""
    projects = {fault.project for fault in faults}
    return desk.newest_release(projects.pop()) if len(projects) == 1 else ""


def _unseen(triaged: Triaged, detail: FaultDetail) -> bool:
    return triaged.reviewed_at is None or triaged.reviewed_at < (detail.fault.regressed_at or 0)


def _filters(asked: search.Search, projects: dict[str, str], order: Order) -> list[tuple[str, str, str]]:
    """(what narrows the list, its value, the link that takes it away)."""
    return [
        (name, projects.get(value, value) if name == "project" else value, _link(without, order))
        for name, value, without in asked.parts
    ]


def _marks(detail: FaultDetail) -> list[tuple[int, str]]:
    """Releases that came after the fault's first one and in the last 24 hours, as marks on the trend."""
    hour = 3600
    now = int(time.time()) // hour
    found = [(23 - (now - int(seen) // hour), f"first event in {release}") for release, _, seen in detail.releases[1:]]
    return [(at, text) for at, text in found if 0 <= at <= 23]
