"""The pages of the Console: which there are, and those that are about the whole of it.

Server-rendered, usable without scripts, nothing inline, nothing from outside. What is about one fault is in
``faults.py``, about one event in ``events.py``; how an answer is made in ``render.py``, what is caught in ``edge.py``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fivehundred.console.access.identity import current
from fivehundred.console.site import Site
from fivehundred.console.store.base import FaultQuery, Stats, Store, Tally
from fivehundred.console.store.rates import Rate, Rates
from fivehundred.console.store.releases import Releases
from fivehundred.console.web import (
    alerts,
    edge,
    events,
    faults,
    grouping,
    incidents,
    live,
    onboarding,
    palette,
    project_rules,
    projects,
    release_pages,
    render,
    route_pages,
    settings,
    triage,
)

_STATIC = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
_YEAR = "public, max-age=31536000, immutable"


def routes(site: Site) -> list[BaseRoute]:
    """All pages. The last of them claims every path that is left, so they stand last in an app."""
    console = Pages(site)
    return [
        Route("/", edge.page(console.overview)),
        *triage.routes(site),
        *faults.routes(site),
        *events.routes(site),
        *alerts.routes(site),
        *incidents.routes(site),
        *grouping.routes(site),
        *projects.routes(site),
        *project_rules.routes(site),
        *release_pages.routes(site),
        *route_pages.routes(site),
        *settings.routes(site),
        Route("/losses", edge.page(console.losses)),
        Route("/help", edge.page(console.help)),
        Route("/palette", edge.page(palette.show)),
        Route("/looks", edge.post(console.looks), methods=["POST"]),
        Route("/live", live.Live(site).endpoint),
        Route("/static/{name}", edge.page(static)),
        Route("/favicon.ico", edge.page(favicon)),
        Route("/{path:path}", edge.page(edge.missing)),  # the last one of all
    ]


class Pages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def overview(self, request: Request) -> Response:
        """Figures, causes, losses, what is newest; before the first event, how to send it."""
        store = self._site.store()
        now = time.time()
        stats = store.stats(None, hours=24, now=now)
        if not any(stats.faults.values()) and not stats.events and not store.malformed(None, limit=1):
            return self._first(request)
        names = {p.id: p.name for p in store.projects()}
        values = {
            "nav": "overview",
            "line": "",
            "stats": stats,
            "causes": sorted(stats.causes.items(), key=lambda c: -c[1]),
            "incidents": incidents.open_incidents(self._site),
            "burning": store.faults(FaultQuery(limit=14), now=now).faults,
            "newest": store.faults(FaultQuery(state=None, order="first_seen", limit=6), now=now).faults,
            "lost": _lost(stats, self._site),
            "backlog": self._site.backlog(),
            "projects": names,
            "releases": [
                (r, release_pages.address(r.project, r.name))
                for r in Releases(store.database).releases(None, limit=50)
                if r.project in names
            ][:3],
            "rates_now": [(r, route_pages.address(r.project, r.method, r.route)) for r in _failing(store, names, now)],
            "budgets": [b for b in route_pages.budgets(store.database, list(names), now=now) if b.burning][:5],
        }
        return render.page(request, "overview.html", values)

    def _first(self, request: Request) -> Response:
        projects = [(p, self._site.dsn(p)) for p in self._site.store().projects()[:3]]
        values = {
            "nav": "overview",
            "line": "",
            "projects": projects,
            "framework": onboarding.framework(request.query_params.get("framework", "")),
            "frameworks": onboarding.frameworks,
            "snippet": onboarding.snippet,
            "clock": round(time.time()),
            "checks": {p.id: onboarding.checks(request, self._site, p) for p, _ in projects},
        }
        return render.page(request, "first.html", values)

    def losses(self, request: Request) -> Response:
        store = self._site.store()
        stats = store.stats(None, hours=24, now=time.time())
        values = {
            "nav": "settings",
            "line": "",
            "projects": {p.id: p.name for p in store.projects()},
            "rows": sorted(stats.tallies, key=lambda t: (t.outcome not in _LOST, -t.quantity)),
            "refused": sorted(_refused(self._site).items(), key=lambda r: -r[1]),
            "backlog": self._site.backlog(),
            "totals": _totals(stats.tallies),
        }
        return render.page(request, "losses.html", values)

    def help(self, request: Request) -> Response:
        return render.page(request, "help.html", {"nav": "", "line": ""})

    def looks(self, request: Request, fields: edge.Fields) -> Response:
        """Theme and density, kept by the browser in cookies."""
        answer = edge.back(fields, "/")
        for name, known in (("theme", render.themes), ("density", render.densities)):
            value = fields.get(name, [""])[0]
            if value in known:
                answer.set_cookie(name, value, max_age=365 * 86_400, samesite="strict", httponly=True)
        return answer


def static(request: Request) -> Response:
    """The few files of our own. Their addresses carry a hash, so they are cached for ever."""
    name = request.path_params["name"]
    kind = "image/svg+xml" if name in ("icons.svg", "mark.svg") else _STATIC.get(name, "")
    if not kind:
        return edge.missing(request)
    answer = render.packed(request, _asset(name), kind)
    answer.headers["cache-control"] = _YEAR
    return answer


@lru_cache(maxsize=8)
def _asset(name: str) -> bytes:
    """The file; a script without indentation and lines that are comments, which are for its readers."""
    data = (render.HERE / "static" / name).read_bytes()
    if not name.endswith(".js"):
        return data
    lines = (line.strip() for line in data.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"//")) + b"\n"


def favicon(request: Request) -> Response:
    """Where browsers look on pages that are no HTML."""
    return RedirectResponse(render.asset("mark.svg"), 302, {"cache-control": "public, max-age=86400"})


_LOST = ("dropped", "refused", "malformed", "lost_by_sender")


def _totals(tallies: tuple[Tally, ...]) -> dict[str, int]:
    names = ("received", "kept", "counted", "duplicate", *_LOST)
    return {name: sum(t.quantity for t in tallies if t.outcome == name) for name in names}


def _refused(site: Site) -> dict[tuple[str, str], int]:
    """At the door since the start, of the projects that whoever asks may see."""
    identity = current.get()
    return {(project, reason): n for (project, reason), n in site.refused().items() if identity.sees(project)}


def _failing(store: Store, projects: Iterable[str], now: float) -> list[Rate]:
    """The routes with the most failed requests in 24 hours, of all projects."""
    desk = Rates(store.database)
    found = [r for of in projects for r in desk.rates(of, since=now - 86_400.0, until=now) if r.failed]
    return sorted(found, key=lambda r: -r.failed)[:6]


def _lost(stats: Stats, site: Site) -> dict[str, int]:
    """What did not become an event, by outcome; refusals are counted at the door since the start."""
    totals = _totals(stats.tallies)
    refused = totals["refused"] + sum(_refused(site).values())
    return {name: refused if name == "refused" else totals[name] for name in _LOST}
