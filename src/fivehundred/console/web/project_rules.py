"""What a project takes and keeps: the web pages that may send to it, its quotas, how long and how much it keeps."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred.console.access.audited import note
from fivehundred.console.site import Site
from fivehundred.console.store.base import StoreError
from fivehundred.console.store.origins import Origins
from fivehundred.console.store.quotas import Quotas, spans
from fivehundred.console.store.retention_rules import ProjectRetention, RetentionRules
from fivehundred.console.store.triage import TriageRefused
from fivehundred.console.web import edge, render


def routes(site: Site) -> list[Route]:
    pages = ProjectRulesPages(site)
    return [
        Route("/projects/{project:int}/rules", edge.page(pages.show), methods=["GET"]),
        Route("/projects/{project:int}/rules", edge.post(pages.change), methods=["POST"]),
    ]


class ProjectRulesPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request, problem: str = "", typed: edge.Fields | None = None) -> Response:
        project = self._site.store().project(str(request.path_params["project"]))
        database = self._site.store().database
        quotas, kept = Quotas(database).of(project.id), RetentionRules(database).of(project.id)
        values = {
            "nav": "projects",
            "line": "",
            "project": project,
            "problem": problem,
            "typed": {name: found[0] for name, found in (typed or {}).items()},
            "origins": Origins(database).of(project.id),
            "quotas": [(span, quotas.get(span)) for span in spans],
            "kept": [("days", kept.days), ("events", kept.events), ("megabytes", kept.megabytes)],
        }
        return render.page(request, "project_rules.html", values, status=400 if problem else 200)

    def change(self, request: Request, fields: edge.Fields) -> Response:
        project = self._site.store().project(str(request.path_params["project"])).id
        act = {"origins": self._origins, "quotas": self._quotas, "kept": self._kept}.get(fields.get("act", [""])[0])
        if act is None:
            return edge.problem(request, 400, "Nothing was changed", "Origins, quotas or what is kept can be set.")
        try:
            note(act(project, fields))
        except StoreError as e:
            return self.show(request, f"Nothing was changed: {e}.", fields)
        return RedirectResponse(f"/projects/{project}/rules", 303, render.headers)

    def _origins(self, project: str, fields: edge.Fields) -> str:
        rules = Origins(self._site.store().database).set(project, re.split(r"[\s,]+", fields.get("origins", [""])[0]))
        return f"origins: {', '.join(rules) or 'any'}"

    def _quotas(self, project: str, fields: edge.Fields) -> str:
        database = self._site.store().database
        values = {span: _number(span, fields) for span in spans}
        with database.transaction():
            for span, events in values.items():
                Quotas(database).set(project, span, events)
        told = ", ".join(f"{events} a {span}" for span, events in values.items() if events is not None)
        return f"quotas: {told or 'none'}"

    def _kept(self, project: str, fields: edge.Fields) -> str:
        rule = ProjectRetention(*(_number(name, fields) for name in ("days", "events", "megabytes")))
        RetentionRules(self._site.store().database).set(project, rule)
        return f"kept: {rule.told()}"


def _number(name: str, fields: edge.Fields) -> int | None:
    """Empty: none. Raises TriageRefused."""
    text = fields.get(name, [""])[0].strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise TriageRefused(f"{text[:40]!r} is not a number; leave the field empty for no bound")
    return int(text)
