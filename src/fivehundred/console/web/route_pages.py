"""Routes: which fail, and one of them with its faults and its trend."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fivehundred.console.site import Site
from fivehundred.console.store.releases import Routes
from fivehundred.console.web import edge, render
from fivehundred.console.web.actor import check_project

_faults_max = 20


def routes(site: Site) -> list[Route]:
    pages = RoutePages(site)
    return [Route("/routes", edge.page(pages.list)), Route("/route", edge.page(pages.show))]


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
        found = Routes(store.database).routes(asked)
        values = {
            "nav": "routes",
            "line": "",
            "routes": [(r, address(r.project, r.method, r.route)) for r in found if r.project in projects],
            "projects": projects,
            "asked": projects.get(asked or "", ""),
        }
        return render.page(request, "routes.html", values)

    def show(self, request: Request) -> Response:
        store, now = self._site.store(), time.time()
        project, method, name = (request.query_params.get(n, "") for n in ("project", "method", "route"))
        check_project(project)
        desk = Routes(store.database)
        route = desk.route(project, method, name)
        values = {
            "nav": "routes",
            "line": "",
            "route": route,
            "trend": desk.trend(route, now=now),
            "faults": [store.fault(fault, now=now).fault for fault in desk.faults(route, limit=_faults_max)],
            "project": store.project(project).name,
        }
        return render.page(request, "route.html", values)
