"""What a project takes and keeps, in the JSON API: which web pages may send to it, how long and how much it keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred.console.access.audited import note
from fivehundred.console.api import edge
from fivehundred.console.api.bounds import Count, Days, Megabytes
from fivehundred.console.api.operations import gets, in_path, sends
from fivehundred.console.site import Site
from fivehundred.console.store.origins import Origins
from fivehundred.console.store.retention_rules import ProjectRetention, RetentionRules


@dataclass(frozen=True, slots=True)
class OriginsAnswer:
    """No origin at all: every page may send."""

    project: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OriginsChange:
    """In place of those before. ``["*"]`` or ``[]``: every page may send."""

    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetentionAnswer:
    """null: only the installation's own bound."""

    project: str
    days: int | None
    events: int | None
    megabytes: int | None


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """All three at once: null, or what is left out, is no bound of its own."""

    days: Days | None = None
    events: Count | None = None
    megabytes: Megabytes | None = None


shown = (OriginsAnswer, OriginsChange, RetentionAnswer, RetentionChange)
sent = (OriginsChange, RetentionChange)


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    api = ProjectRulesApi(site)
    origins, retention = "/projects/{project}/origins", "/projects/{project}/retention"
    return [
        Route(origins, edge.reads(api.origins), methods=["GET"]),
        Route(origins, edge.changes(lambda r, b: api.set_origins(r, edge.decoded(b, OriginsChange))), methods=["PUT"]),
        Route(retention, edge.reads(api.retention), methods=["GET"]),
        Route(retention, edge.changes(lambda r, b: api.retain(r, edge.decoded(b, RetentionChange))), methods=["PUT"]),
    ]


def paths() -> dict[str, Any]:
    owner = in_path("project", {"type": "string"}, "the number of the project")
    return {
        "/projects/{project}/origins": {
            "get": gets("which web pages may send", "OriginsAnswer", owner),
            "put": sends("set which web pages may send", "OriginsChange", "OriginsAnswer", owner),
        },
        "/projects/{project}/retention": {
            "get": gets("what the project keeps less than the installation", "RetentionAnswer", owner),
            "put": sends("set or take away bounds of what is kept", "RetentionChange", "RetentionAnswer", owner),
        },
    }


class ProjectRulesApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def origins(self, request: Request) -> OriginsAnswer:
        project = self._project(request)
        return OriginsAnswer(project, tuple(Origins(self._site.store().database).of(project)))

    def set_origins(self, request: Request, change: OriginsChange) -> OriginsAnswer:
        rules = Origins(self._site.store().database).set(self._project(request), change.origins)
        note(f"origins: {', '.join(rules) or 'any'}")
        return self.origins(request)

    def retention(self, request: Request) -> RetentionAnswer:
        project = self._project(request)
        return RetentionAnswer(project, **asdict(RetentionRules(self._site.store().database).of(project)))

    def retain(self, request: Request, change: RetentionChange) -> RetentionAnswer:
        rule = ProjectRetention(change.days, change.events, change.megabytes)
        RetentionRules(self._site.store().database).set(self._project(request), rule)
        note(f"kept: {rule.told()}")
        return self.retention(request)

    def _project(self, request: Request) -> str:
        return self._site.store().project(request.path_params["project"]).id  # raises NotFound
