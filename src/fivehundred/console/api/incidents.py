"""The API of incidents: which there are, what one reaches, and a person's word on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request

from fivehundred import limits
from fivehundred.console.access.identity import current
from fivehundred.console.access.visible_incidents import seen, seen_detail
from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.incidents import Incident, IncidentDetail, Incidents, Involved, State
from fivehundred.console.web.actor import seen_projects

_STATES: tuple[State, ...] = ("open", "resolved")


@dataclass(frozen=True, slots=True)
class IncidentList:
    incidents: tuple[Incident, ...]
    next: str  # cursor of the next page, empty at the end


@dataclass(frozen=True, slots=True)
class IncidentAnswer:
    """One incident with its blast radius. ``page`` is the address of its page."""

    page: str
    incident: Incident
    faults: tuple[Involved, ...]
    routes: tuple[tuple[str, int], ...]
    hosts: tuple[tuple[str, int], ...]
    releases: tuple[tuple[str, int], ...]
    environments: tuple[tuple[str, int], ...]
    also: tuple[Involved, ...]
    hidden_faults: int  # in projects that you do not see
    hidden_projects: int

    @classmethod
    def of(cls, detail: IncidentDetail, page: str) -> IncidentAnswer:
        return cls(
            page=page,
            incident=detail.incident,
            faults=detail.faults,
            routes=detail.routes,
            hosts=detail.hosts,
            releases=detail.releases,
            environments=detail.environments,
            also=detail.also,
            hidden_faults=detail.hidden_faults,
            hidden_projects=detail.hidden_projects,
        )


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """What is sent to say that somebody looks after an incident, or that it is over."""

    state: Literal["acknowledged", "resolved"]


class IncidentApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def list(self, request: Request) -> IncidentList:
        sent = request.query_params
        state = next((s for s in _STATES if s == sent.get("state")), None)
        if "state" in sent and state is None:
            raise HTTPException(400, f"state is one of {', '.join(_STATES)}")
        project = sent.get("project")
        if project is not None:
            self._site.store().project(project)  # raises NotFound
        cursor, limit = sent.get("cursor", ""), sent.get("limit", str(limits.rows_max))
        before = _whole(cursor, "cursor is the `next` of the page before", 2**62) if cursor else None
        count = _whole(limit, f"limit is a number from 1 to {limits.page_rows_max}", limits.page_rows_max)
        found = self._desk().incidents(
            state=state, project=project, within=seen_projects(), before=before, limit=count + 1
        )
        shown = seen(self._desk(), found[:count], current.get())
        return IncidentList(tuple(shown), str(found[count - 1].id) if len(found) > count else "")

    def one(self, request: Request) -> IncidentAnswer:
        number = number_of(request)
        detail = seen_detail(self._desk(), self._desk().detail(number), current.get())
        return IncidentAnswer.of(detail, f"{self._site.public_url}/incidents/{number}")

    def change(self, request: Request, sent: IncidentChange, *, by: str) -> IncidentAnswer:
        desk, number = self._desk(), number_of(request)
        if sent.state == "acknowledged":
            desk.acknowledge(number, by=by, now=time.time())
        else:
            desk.resolve(number, by=by, now=time.time())
        return self.one(request)

    def _desk(self) -> Incidents:
        return Incidents(self._site.store().database)


def number_of(request: Request) -> int:
    """The number in the address. Raises NotFound for one that no store could hold."""
    number: int = request.path_params["incident"]
    if number >= 2**63:
        raise NotFound("there is no incident with such a number")
    return number


def _whole(text: str, words: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= most):
        raise HTTPException(400, words)
    return int(text)
