"""The pages of incidents: the list, one incident with its blast radius, its Markdown, and a person's word on it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.access.identity import current
from fivehundred.console.access.visible_incidents import seen, seen_detail
from fivehundred.console.site import Site
from fivehundred.console.store.base import FaultDetail, NotFound
from fivehundred.console.store.incidents import Incident, IncidentDetail, Incidents, Involved
from fivehundred.console.web import edge, render
from fivehundred.console.web.actor import actor, seen_projects


def routes(site: Site) -> list[Route]:
    pages = IncidentPages(site)
    return [
        Route("/incidents", edge.page(pages.list), methods=["GET"]),
        Route("/incidents/{incident:int}.md", edge.page(pages.markdown), methods=["GET"]),
        Route("/incidents/{incident:int}", edge.page(pages.show), methods=["GET"]),
        Route("/incidents/{incident:int}", edge.post(pages.change), methods=["POST"]),
    ]


class IncidentPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> Response:
        cursor = request.query_params.get("before", "")
        before = int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 19 else None
        found = self._desk().incidents(before=before, within=seen_projects(), limit=limits.rows_max + 1)
        shown = seen(self._desk(), found[: limits.rows_max], current.get())
        values = {
            "nav": "incidents",
            "line": "",
            "incidents": shown,
            "older": f"/incidents?before={shown[-1].id}" if len(found) > limits.rows_max else "",
            "projects": self._projects(),
        }
        return render.page(request, "incidents.html", values)

    def show(self, request: Request) -> Response:
        detail, who = self._detail(request), current.get()
        heaviest = self._site.store().fault(detail.faults[0].fault, now=time.time()) if detail.faults else None
        values = {
            "nav": "incidents",
            "line": "",
            "incident": detail.incident,
            "detail": detail,
            "diagnosis": heaviest.diagnosis if heaviest else None,
            "projects": self._projects(),
            "may_act": not detail.hidden_projects and all(who.may("act", p) for p in detail.incident.projects),
            "link": f"{self._site.public_url}/incidents/{detail.incident.id}",
        }
        return render.page(request, "incident.html", values)

    def markdown(self, request: Request) -> Response:
        detail = self._detail(request)
        heaviest = self._site.store().fault(detail.faults[0].fault, now=time.time()) if detail.faults else None
        return render.plain(request, markdown(detail, heaviest, self._site.public_url), kind="text/markdown")

    def change(self, request: Request, fields: edge.Fields) -> Response:
        desk, number, by = self._desk(), _number(request), actor(request).name
        act = fields.get("act", [""])[0]
        if act == "acknowledge":
            desk.acknowledge(number, by=by, now=time.time())
        elif act == "resolve":
            desk.resolve(number, by=by, now=time.time())
        else:
            return edge.problem(request, 400, "Nothing was changed", "The act is one of acknowledge, resolve.")
        return edge.back(fields, f"/incidents/{number}")

    def _detail(self, request: Request) -> IncidentDetail:
        """As far as whoever asks may see it. Raises NotFound."""
        return seen_detail(self._desk(), self._desk().detail(_number(request)), current.get())

    def _projects(self) -> dict[str, str]:
        return {p.id: p.name for p in self._site.store().projects()}

    def _desk(self) -> Incidents:
        return Incidents(self._site.store().database)


def open_incidents(site: Site) -> list[Incident]:
    """For the overview: what is burning now, the newest first."""
    desk = Incidents(site.store().database)
    return seen(desk, desk.incidents(state="open", within=seen_projects(), limit=8), current.get())


def _number(request: Request) -> int:
    number: int = request.path_params["incident"]
    if number >= 2**63:
        raise NotFound("There is no incident with such a number.")
    return number


def markdown(detail: IncidentDetail, heaviest: FaultDetail | None, public_url: str) -> str:
    """For an agent or a ticket. What events say stands inside a fence that it cannot close."""
    one = detail.incident
    parts = [
        f"# Incident {one.id}, {one.state}",
        _fence([one.sentence]),
        f"{public_url}/incidents/{one.id}",
        f"From {render.at(one.opened_at)} to {render.at(one.resolved_at or one.last_at)}"
        + (f", {one.resolved_why}" if one.resolved_at and one.resolved_why else ""),
        f"{one.events} events, {one.users} users, {len(one.faults)} faults, kind: {one.kind}",
    ]
    if heaviest is not None:
        parts += ["## Why", _fence([heaviest.diagnosis.sentence, heaviest.diagnosis.advice])]
    parts += ["## Faults", _fence(_line(f) for f in detail.faults)]
    for name, values in (("Routes", detail.routes), ("Hosts", detail.hosts), ("Releases", detail.releases)):
        if values:
            parts += [f"## {name}", _fence(f"{count} {value}" for value, count in values[:20])]
    if detail.hidden_projects:
        parts.append(f"And {detail.hidden_faults} more faults in {detail.hidden_projects} other projects.")
    if detail.also:
        parts += ["## What else failed in these hours", _fence(_line(f) for f in detail.also)]
    return "\n\n".join(parts) + "\n"


def _line(f: Involved) -> str:
    return f"#{f.fault} {f.events} events, {f.cause}: {f.title}: {f.message}"


def _fence(lines: Iterable[str]) -> str:
    """One line each, control characters visible, the fence longer than any run of ticks inside."""
    shown = [render.visible(" ".join(line.split()))[:400] for line in lines if line.strip()]
    longest = max((len(run) for line in shown for run in _ticks(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *shown, fence])


def _ticks(line: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in line).split()
