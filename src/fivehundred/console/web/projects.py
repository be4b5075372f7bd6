"""Projects: the list with a DSN each, one project with what can be set on it, and what is watched while it is new."""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.site import Site
from fivehundred.console.store.base import FaultQuery, Project
from fivehundred.console.store.projects import Projects, project_name
from fivehundred.console.store.releases import Releases, Routes
from fivehundred.console.store.triage import TriageRefused
from fivehundred.console.web import edge, onboarding, release_pages, render, route_pages


def routes(site: Site) -> list[Route]:
    pages = ProjectPages(site)
    return [
        Route("/projects", edge.page(pages.list), methods=["GET"]),
        Route("/projects", edge.post(pages.create), methods=["POST"]),
        Route("/projects/{project:int}", edge.page(pages.show), methods=["GET"]),
        Route("/projects/{project:int}", edge.post(pages.change), methods=["POST"]),
        Route("/projects/{project:int}/test", edge.post(pages.test), methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Told:
    title: str
    text: str


class ProjectPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> Response:
        store = self._site.store()
        now = time.time()
        rows = [(p, self._site.dsn(p), store.stats(p.id, hours=24, now=now)) for p in store.projects()]
        return render.page(request, "projects.html", {"nav": "projects", "line": "", "projects": rows})

    def create(self, request: Request, fields: edge.Fields) -> Response:
        try:
            name = project_name(fields.get("name", [""])[0])
        except TriageRefused as e:
            return edge.problem(request, 400, "No project was created", f"{e}.")
        project = self._site.store().create_project(name, now=time.time())
        return RedirectResponse(f"/projects/{project.id}", 303, render.headers)

    def show(self, request: Request) -> Response:
        store, now = self._site.store(), time.time()
        project = self._project(request)
        database = store.database
        values = {
            "nav": "projects",
            "line": "",
            "project": project,
            "dsn": self._site.dsn(project),
            "stats": store.stats(project.id, hours=24, now=now),
            "burning": store.faults(FaultQuery(project=project.id, limit=8), now=now).faults,
            "releases": [
                (r, release_pages.address(r.project, r.name)) for r in Releases(database).releases(project.id, limit=5)
            ],
            "routes": [
                (r, route_pages.address(r.project, r.method, r.route))
                for r in Routes(database).routes(project.id, limit=8)
            ],
            "framework": onboarding.framework(request.query_params.get("framework", "")),
            "frameworks": onboarding.frameworks,
            "snippet": onboarding.snippet,
            "clock": round(now),
            "checks": onboarding.checks(request, self._site, project),
            "sent": request.query_params.get("sent", ""),
            "retention_days": limits.retention_days,
        }
        return render.page(request, "project.html", values)

    def change(self, request: Request, fields: edge.Fields) -> Response:
        project = self._project(request)
        desk = Projects(self._site.store().database)
        act = fields.get("act", [""])[0]
        try:
            if act == "rename":
                desk.rename(project.id, fields.get("name", [""])[0])
            elif act == "rotate":
                if fields.get("sure", [""])[0] != project.name:
                    raise TriageRefused("type the name of the project to say that its old DSN may stop working")
                desk.rotate_key(project.id)
            else:
                raise TriageRefused("a project is renamed, or gets a new key")
        except TriageRefused as e:
            return edge.problem(request, 400, "Nothing was changed", f"{e}.")
        return RedirectResponse(f"/projects/{project.id}", 303, render.headers)

    def test(self, request: Request, fields: edge.Fields) -> Response:
        """An event of our own through the same door that applications use: what is shown is what happened."""
        project = self._project(request)
        reference, refusal = onboarding.send_test(self._site, project)
        if refusal:
            return edge.problem(request, 502, "The test did not get through", refusal)
        return RedirectResponse(f"/projects/{project.id}?sent={reference}#test", 303, render.headers)

    def _project(self, request: Request) -> Project:
        return self._site.store().project(str(request.path_params["project"]))
