"""Quotas in the JSON API: how many events of a project are taken per minute, hour and day."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred.console.api import edge
from fivehundred.console.api.bounds import Count
from fivehundred.console.site import Site
from fivehundred.console.store.quotas import BadQuota, Quotas, spans


@dataclass(frozen=True, slots=True)
class QuotaAnswer:
    """null: there is no quota."""

    project: str
    minute: int | None
    hour: int | None
    day: int | None


@dataclass(frozen=True, slots=True)
class QuotaChange:
    """All three at once: null, or what is left out, is no quota."""

    minute: Count | None = None
    hour: Count | None = None
    day: Count | None = None


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    api = QuotaApi(site)
    path = "/projects/{project}/quotas"
    return [
        Route(path, edge.reads(api.show), methods=["GET"]),
        Route(path, edge.changes(lambda r, body: api.change(r, edge.decoded(body, QuotaChange))), methods=["PUT"]),
    ]


class QuotaApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request) -> QuotaAnswer:
        project = self._site.store().project(request.path_params["project"])  # raises NotFound
        of = Quotas(self._site.store().database).of(project.id)
        return QuotaAnswer(project.id, of.get("minute"), of.get("hour"), of.get("day"))

    def change(self, request: Request, sent: QuotaChange) -> QuotaAnswer:
        project = self._site.store().project(request.path_params["project"])
        database = self._site.store().database
        values = {"minute": sent.minute, "hour": sent.hour, "day": sent.day}
        try:
            with database.transaction():
                for per in spans:
                    Quotas(database).set(project.id, per, values[per])
        except BadQuota as e:
            raise HTTPException(422, f"{e}; nothing was changed") from e
        return self.show(request)
