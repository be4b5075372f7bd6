"""Settings: ownership rules and inbound filters with a tester each, saved views, and where the other settings are."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.filters import Filters, filter_fits, filter_kinds
from fivehundred.console.store.ownership import Ownership, owner_of, rule_fits, rule_kinds
from fivehundred.console.store.triage import TriageRefused
from fivehundred.console.store.views import Views
from fivehundred.console.web import edge, render, search
from fivehundred.console.web.actor import actor, owner_named, owners
from fivehundred.event import Event, parse


def routes(site: Site) -> list[Route]:
    pages = SettingsPages(site)
    return [
        Route("/settings", edge.page(pages.show)),
        Route("/settings/owners", edge.page(pages.owners), methods=["GET"]),
        Route("/settings/owners", edge.post(pages.add_owner), methods=["POST"]),
        Route("/settings/owners/{rule:int}/remove", edge.post(pages.remove_owner), methods=["POST"]),
        Route("/settings/filters", edge.page(pages.filters), methods=["GET"]),
        Route("/settings/filters", edge.post(pages.add_filter), methods=["POST"]),
        Route("/settings/filters/{filter:int}", edge.post(pages.change_filter), methods=["POST"]),
        Route("/views", edge.post(pages.save_view), methods=["POST"]),
        Route("/views/{view:int}/remove", edge.post(pages.remove_view), methods=["POST"]),
    ]


class SettingsPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request) -> Response:
        values = {"nav": "settings", "line": "", "projects": self._site.store().projects()}
        return render.page(request, "settings.html", values)

    # ---- ownership

    def owners(self, request: Request, problem: str = "", status: int = 200) -> Response:
        store = self._site.store()
        rules = Ownership(store.database).rules()
        event, project, said = self._event(request)
        decided = owner_of(rules, project, event) if event else None
        values = {
            "nav": "settings",
            "line": "",
            "rules": rules,
            "kinds": rule_kinds,
            "projects": {p.id: p.name for p in store.projects()},
            "known": [owner.name for owner in owners(store.database)],
            "problem": problem,
            "tried": request.query_params.get("event", ""),
            "said": said,
            "fitting": {r.id for r in rules if event and r.project in ("", project) and rule_fits(r, event)},
            "decided": decided,
        }
        return render.page(request, "owners.html", values, status=status)

    def add_owner(self, request: Request, fields: edge.Fields) -> Response:
        kind, pattern, name, who, project = (
            fields.get(n, [""])[0] for n in ("kind", "pattern", "owner", "owner_kind", "project")
        )
        database = self._site.store().database
        try:
            Ownership(database).add(self._project(project), kind, pattern, owner_named(database, name, who))
        except TriageRefused as e:
            return self.owners(request, f"No rule was added: {e}.", 400)
        return _to("/settings/owners")

    def remove_owner(self, request: Request, fields: edge.Fields) -> Response:
        Ownership(self._site.store().database).remove(request.path_params["rule"])
        return _to("/settings/owners")

    # ---- filters

    def filters(self, request: Request, problem: str = "", status: int = 200) -> Response:
        store = self._site.store()
        found = Filters(store.database).filters()
        event, project, said = self._event(request)
        values = {
            "nav": "settings",
            "line": "",
            "filters": found,
            "kinds": filter_kinds,
            "projects": {p.id: p.name for p in store.projects()},
            "problem": problem,
            "tried": request.query_params.get("event", ""),
            "said": said,
            "fitting": {f.id for f in found if event and f.project in ("", project) and filter_fits(f, event)},
        }
        return render.page(request, "filters.html", values, status=status)

    def add_filter(self, request: Request, fields: edge.Fields) -> Response:
        kind, pattern, project = (fields.get(n, [""])[0] for n in ("kind", "pattern", "project"))
        try:
            Filters(self._site.store().database).add(self._project(project), kind, pattern)
        except TriageRefused as e:
            return self.filters(request, f"No filter was added: {e}.", 400)
        return _to("/settings/filters")

    def change_filter(self, request: Request, fields: edge.Fields) -> Response:
        desk, number, act = Filters(self._site.store().database), request.path_params["filter"], fields.get("act", [""])
        if act[0] == "remove":
            desk.remove(number)
        elif act[0] in ("on", "off"):
            desk.enable(number, act[0] == "on")
        else:
            return edge.problem(request, 400, "Nothing was changed", "A filter is turned on, off, or removed.")
        return _to("/settings/filters")

    # ---- views

    def save_view(self, request: Request, fields: edge.Fields) -> Response:
        name, line, order = (fields.get(n, [""])[0] for n in ("name", "line", "order"))
        store, who = self._site.store(), actor(request)
        own = who.id if fields.get("own", [""])[0] == "yes" else None
        spelled = search.parse(line, store.projects()).spelled
        try:
            Views(store.database).save(
                name, spelled, order if order in search.orders else "impact", member=own, now=time.time()
            )
        except TriageRefused as e:
            return edge.problem(request, 400, "No view was saved", f"{e}.")
        return edge.back(fields)

    def remove_view(self, request: Request, fields: edge.Fields) -> Response:
        Views(self._site.store().database).remove(request.path_params["view"], member=actor(request).id)
        return edge.back(fields)

    # ---- what they share

    def _project(self, project: str) -> str:
        """Empty for all. Raises NotFound."""
        return self._site.store().project(project).id if project else ""

    def _event(self, request: Request) -> tuple[Event | None, str, str]:
        """The event that a tester is asked about, its project, and what is said when there is none."""
        asked = request.query_params.get("event", "").strip()
        if not asked:
            return None, "", ""
        store, reference, number = (
            self._site.store(),
            search.reference(asked),
            search.fault_number(f"#{asked.lstrip('#')}"),
        )
        try:
            if not reference and number is not None:
                reference = store.fault(number, now=time.time()).fault.last_event_id
            stored = store.event(reference) if reference else None
        except NotFound:
            stored = None
        if stored is None or not stored.payload:
            return None, "", "No kept event has this reference, and no fault this number."
        event = parse(stored.payload, received_at=stored.summary.received_at, event_id=stored.summary.event_id)
        return event, stored.summary.project, ""


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, render.headers)
