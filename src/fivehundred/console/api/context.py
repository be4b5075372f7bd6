"""The API of circumstances: a fault's context, rates of routes, and where a project's source lies."""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.access.identity import current
from fivehundred.console.api.edge import changes, decoded, number_of, reads
from fivehundred.console.commits import RepositoryRefused, checked
from fivehundred.console.site import Site
from fivehundred.console.store.commits import Commits
from fivehundred.console.store.rates import Rate, Rates
from fivehundred.console.web import edge
from fivehundred.console.web.context import Context, context_of


@dataclass(frozen=True, slots=True)
class RateAnswer:
    """Requests of a route over the last ``minutes``; ``share_failed`` from 0 to 1."""

    project: str
    route: str
    method: str
    good: int
    refused: int
    failed: int
    requests: int
    share_failed: float

    @classmethod
    def of(cls, r: Rate) -> RateAnswer:
        return cls(r.project, r.route, r.method, r.good, r.refused, r.failed, r.requests, round(r.share_failed, 6))


@dataclass(frozen=True, slots=True)
class RateList:
    minutes: int
    rates: tuple[RateAnswer, ...]


@dataclass(frozen=True, slots=True)
class RepositoryWish:
    """An absolute path on the Console's machine; empty: no repository."""

    path: str


shown: tuple[type, ...] = (Context, RateList, RepositoryWish)
sent: tuple[type, ...] = (RepositoryWish,)


def routes(site: Site) -> list[Route]:
    api = ContextApi(site)
    return [
        Route("/faults/{fault:int}/context", reads(api.context), methods=["GET"]),
        Route("/rates", reads(api.rates, "project", "route", "minutes"), methods=["GET"]),
        Route("/projects/{project:int}/repository", changes(api.set_repository), methods=["POST"]),
    ]


class ContextApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def context(self, request: Request) -> Context:
        return context_of(self._site, self._site.store().fault(edge.fault_of(request), now=time.time()))

    def rates(self, request: Request) -> RateList:
        project, route = request.query_params.get("project"), request.query_params.get("route")
        if project is not None:
            self._site.store().project(project)  # raises NotFound
        minutes, now = number_of(request, "minutes", 60, limits.rates_days * 1_440), time.time()
        desk = Rates(self._site.store().database)
        found = desk.rates(project, route=route, since=now - minutes * 60.0, until=now)
        return RateList(minutes, tuple(RateAnswer.of(r) for r in found if current.get().sees(r.project)))

    def set_repository(self, request: Request, body: bytes) -> RepositoryWish:
        wish, project = decoded(body, RepositoryWish), str(request.path_params["project"])
        try:
            path = checked(wish.path)
        except RepositoryRefused as e:
            raise HTTPException(422, f"{e}; nothing was changed") from e
        Commits(self._site.store().database).set_repository(project, path)
        return RepositoryWish(path)
