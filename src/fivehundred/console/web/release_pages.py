"""Releases: the list, and one beside the one before it: what began, what came back, what somebody resolved in it."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fivehundred.console.site import Site
from fivehundred.console.store.base import FaultQuery
from fivehundred.console.store.releases import Releases
from fivehundred.console.web import edge, render
from fivehundred.console.web.actor import check_project

_shown_max = 20


def routes(site: Site) -> list[Route]:
    pages = ReleasePages(site)
    return [Route("/releases", edge.page(pages.list)), Route("/release", edge.page(pages.show))]


def address(project: str, name: str) -> str:
    """Names of releases hold slashes and more: they stand in the query."""
    return f"/release?{urlencode({'project': project, 'name': name})}"


class ReleasePages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> Response:
        store = self._site.store()
        asked = request.query_params.get("project") or None
        if asked is not None:
            check_project(asked)
        projects = {p.id: p.name for p in store.projects()}
        values = {
            "nav": "releases",
            "line": "",
            "releases": [
                (r, address(r.project, r.name))
                for r in Releases(store.database).releases(asked)
                if r.project in projects
            ],
            "projects": projects,
            "asked": projects.get(asked or "", ""),
        }
        return render.page(request, "releases.html", values)

    def show(self, request: Request) -> Response:
        store, now = self._site.store(), time.time()
        project, name = (request.query_params.get(n, "") for n in ("project", "name"))
        check_project(project)
        desk = Releases(store.database)
        release, before = desk.release(project, name)
        seen = FaultQuery(project=project, state=None, release=name, limit=_shown_max)
        shown = store.faults(seen, now=now)
        fixed = [store.fault(fault, now=now).fault for fault in desk.fixed_in(release)[:_shown_max]]
        values = {
            "nav": "releases",
            "line": "",
            "release": release,
            "before": before,
            "before_url": address(before.project, before.name) if before else "",
            "compared": desk.by_cause(release, before),
            "began": [f for f in shown.faults if f.first_release == name],
            "seen": [f for f in shown.faults if f.first_release != name],
            "total": shown.total,
            "fixed": fixed,
            "project": store.project(project).name,
            "search": urlencode({"q": f'is:any project:{project} release:"{name}"'}),
        }
        return render.page(request, "release.html", values)
