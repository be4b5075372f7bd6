"""Routes: which fail and at what rate, one of them with its faults and trend, objectives and their error budgets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database
from fivehundred.console.store.objectives import Budget, Objectives
from fivehundred.console.store.rates import Rate, Rates
from fivehundred.console.store.releases import Route as SeenRoute
from fivehundred.console.store.releases import Routes
from fivehundred.console.store.triage import TriageRefused
from fivehundred.console.web import edge, render
from fivehundred.console.web.actor import check_project

_faults_max: Final = 20
_day_s: Final = 86_400.0
_hours: Final = 24


def routes(site: Site) -> list[Route]:
    pages = RoutePages(site)
    return [
        Route("/routes", edge.page(pages.list)),
        Route("/route", edge.page(pages.show)),
        Route("/settings/objectives", edge.post(pages.set), methods=["POST"]),
        Route("/settings/objectives/{objective:int}/remove", edge.post(pages.remove), methods=["POST"]),
    ]


def address(project: str, method: str, route: str) -> str:
    return f"/route?{urlencode({'project': project, 'method': method, 'route': route})}"


class RoutePages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> Response:
        store = self._site.store()
        asked = request.query_params.get("project") or None
        if asked is not None:
            check_project(asked)
        projects = {p.id: p.name for p in store.projects()}
        database, now = store.database, time.time()
        found = [r for r in Routes(database).routes(asked) if r.project in projects]
        rates = {
            (r.project, r.method, r.route): r for of in ([asked] if asked else projects) for r in _rates(database, of)
        }
        known = {(r.project, r.method, r.route) for r in found}
        quiet = [r for key, r in rates.items() if key not in known]
        values = {
            "nav": "routes",
            "line": "",
            "routes": [
                (r, address(r.project, r.method, r.route), rates.get((r.project, r.method, r.route))) for r in found
            ],
            "quiet": [(r, address(r.project, r.method, r.route)) for r in quiet[:50]],
            "budgets": budgets(database, [asked] if asked else list(projects), now=now),
            "projects": projects,
            "asked": projects.get(asked or "", ""),
            "rated": bool(rates),
        }
        return render.page(request, "routes.html", values)

    def show(self, request: Request) -> Response:
        store, now = self._site.store(), time.time()
        project, method, name = (request.query_params.get(n, "") for n in ("project", "method", "route"))
        check_project(project)
        database = store.database
        desk = Routes(database)
        rate = next((r for r in _rates(database, project, name) if r.method == method), None)
        route = _route(desk, project, method, name, rate)
        values = {
            "nav": "routes",
            "line": "",
            "route": route,
            "trend": desk.trend(route, now=now),
            "rate": rate,
            "hours": _by_hour(database, project, name, now),
            "budgets": [b for b in budgets(database, [project], now=now) if b.objective.route in ("", name)],
            "faults": [store.fault(fault, now=now).fault for fault in desk.faults(route, limit=_faults_max)],
            "project": store.project(project).name,
            "projects": {project: store.project(project).name},
        }
        return render.page(request, "route.html", values)

    def set(self, request: Request, fields: edge.Fields) -> Response:
        """An objective of a route, or of the whole project."""
        project, route, share = (fields.get(n, [""])[0] for n in ("project", "route", "share"))
        check_project(project, "manage")
        try:
            Objectives(self._site.store().database).set(
                self._site.store().project(project).id, route.replace("\0", ""), _share(share)
            )
        except TriageRefused as e:
            return edge.problem(request, 400, "Nothing was changed", f"{str(e)[:1].upper()}{str(e)[1:]}.")
        return edge.back(fields, "/routes")

    def remove(self, request: Request, fields: edge.Fields) -> Response:
        Objectives(self._site.store().database).remove(request.path_params["objective"])
        return edge.back(fields, "/routes")


def budgets(database: Database, projects: Sequence[str], *, now: float) -> list[Budget]:
    """Of all objectives of these projects, those that burn first."""
    desk = Objectives(database)
    found = [desk.budget(o, now=now) for o in desk.objectives() if o.project in projects]
    return sorted(found, key=lambda b: b.left)


def _rates(database: Database, project: str, route: str | None = None) -> list[Rate]:
    now = time.time()
    return Rates(database).rates(project, since=now - _day_s, until=now, route=route)


def _by_hour(database: Database, project: str, route: str, now: float) -> list[tuple[int, int]]:
    """(requests, failed), 24 hours, the last one is now."""
    last = int(now // 3600)
    hours = [(0, 0)] * _hours
    for minute, requests, failed in Rates(database).by_minute(project, route, since=now - _day_s, until=now):
        at = _hours - 1 - (last - minute // 60)
        if 0 <= at < _hours:
            hours[at] = (hours[at][0] + requests, hours[at][1] + failed)
    return hours


def _route(desk: Routes, project: str, method: str, name: str, rate: Rate | None) -> SeenRoute:
    """Raises NotFound for one that neither failed nor was counted."""
    try:
        return desk.route(project, method, name)
    except NotFound:
        if rate is None:
            raise
        return SeenRoute(project, method, name, 0, 0, 0, None)


def _share(text: str) -> float:
    """ "99.9" percent. Raises TriageRefused."""
    try:
        return round(float(text.strip().removesuffix("%").replace(",", ".")) / 100, 7)
    except (ValueError, OverflowError):
        raise TriageRefused(f"an objective is a number of percent, as in 99.9, and {text[:20]!r} is not") from None
