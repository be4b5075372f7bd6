"""Triage over the API: acts on faults, comments, ownership rules, filters, saved views, releases and routes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.access.audited import note
from fivehundred.console.access.identity import current
from fivehundred.console.api import shapes
from fivehundred.console.api.bounds import Comment, Faults, Name60, Name100, Pattern
from fivehundred.console.api.edge import changes, decoded, reads, removes
from fivehundred.console.site import Site
from fivehundred.console.store import acts
from fivehundred.console.store.base import FaultState, Order
from fivehundred.console.store.filters import FilterKind, Filters, InboundFilter, filter_fits
from fivehundred.console.store.ownership import OwnerRule, Ownership, RuleKind, owner_of
from fivehundred.console.store.projects import Projects
from fivehundred.console.store.releases import Release, Releases, Routes
from fivehundred.console.store.releases import Route as SeenRoute
from fivehundred.console.store.triage import (
    Entry,
    FixedIn,
    Owner,
    OwnerKind,
    Priority,
    Triage,
    Triaged,
    TriageRefused,
    Until,
    owner_chars_max,
)
from fivehundred.console.store.views import View, Views
from fivehundred.console.web import edge, search
from fivehundred.console.web.actor import (
    Actor,
    actor,
    check_comment,
    fault_to_change,
    faults_to_change,
    owner_named,
    seen_projects,
    seen_views,
)
from fivehundred.event import Event, parse

# ---- what is sent and answered -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnerSent:
    name: Name100
    kind: OwnerKind = "member"


@dataclass(frozen=True, slots=True)
class ActSent:
    """One act. ``fixed_in`` and ``release`` go with resolve; the three ends with mute; ``owner`` null means nobody."""

    act: acts.ActKind
    fixed_in: FixedIn = ""
    release: str = ""
    for_seconds: float | None = None
    more_events: int | None = None
    more_users: int | None = None
    owner: OwnerSent | None = None
    priority: Priority = ""


@dataclass(frozen=True, slots=True)
class ActOnMany(ActSent):
    faults: Faults = ()


@dataclass(frozen=True, slots=True)
class TriageAnswer:
    """What is decided about one fault, and what was done and said."""

    fault: int
    state: FaultState
    urgency: str  # high, medium or low: as set, else by the impact
    triage: Triaged
    history: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class CommentSent:
    body: Comment


@dataclass(frozen=True, slots=True)
class Made:
    id: int


@dataclass(frozen=True, slots=True)
class RuleSent:
    kind: RuleKind
    pattern: Pattern
    owner: OwnerSent
    project: str = ""


@dataclass(frozen=True, slots=True)
class RuleList:
    rules: tuple[OwnerRule, ...]
    decides: int | None = None  # the rule that the event given by ``event`` belongs to


@dataclass(frozen=True, slots=True)
class FilterSent:
    kind: FilterKind
    pattern: Pattern
    project: str = ""


@dataclass(frozen=True, slots=True)
class FilterChange:
    enabled: bool


@dataclass(frozen=True, slots=True)
class FilterList:
    filters: tuple[InboundFilter, ...]
    fitting: tuple[int, ...] = ()  # those that fit the event given by ``event``


@dataclass(frozen=True, slots=True)
class ViewSent:
    name: Name60
    query: str
    order: Order = "impact"
    own: bool = False


@dataclass(frozen=True, slots=True)
class ViewList:
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class ReleaseList:
    releases: tuple[Release, ...]


@dataclass(frozen=True, slots=True)
class RouteList:
    routes: tuple[SeenRoute, ...]


@dataclass(frozen=True, slots=True)
class ProjectSent:
    name: Name60


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty object: what is asked for needs no more words."""


sent = (ActSent, ActOnMany, OwnerSent, CommentSent, RuleSent, FilterSent, FilterChange, ViewSent, ProjectSent, Nothing)
shown = (*sent, TriageAnswer, Made, RuleList, FilterList, ViewList, ReleaseList, RouteList)


# ---- what is done --------------------------------------------------------------------------------


def routes(site: Site) -> list[Route]:
    api = TriageApi(site)
    return [
        Route("/faults/acts", changes(api.act_on_many), methods=["POST"]),
        Route("/faults/{fault:int}/acts", changes(api.act), methods=["POST"]),
        Route("/faults/{fault:int}/triage", reads(api.triage)),
        Route("/faults/{fault:int}/comments", changes(api.comment), methods=["POST"]),
        Route("/faults/{fault:int}/comments/{comment:int}", removes(api.uncomment), methods=["DELETE"]),
        Route("/owner-rules", reads(api.rules, "event"), methods=["GET"]),
        Route("/owner-rules", changes(api.add_rule), methods=["POST"]),
        Route("/owner-rules/{rule:int}", removes(api.remove_rule), methods=["DELETE"]),
        Route("/filters", reads(api.filters, "event"), methods=["GET"]),
        Route("/filters", changes(api.add_filter), methods=["POST"]),
        Route("/filters/{filter:int}", changes(api.change_filter), methods=["PATCH"]),
        Route("/filters/{filter:int}", removes(api.remove_filter), methods=["DELETE"]),
        Route("/views", reads(api.views), methods=["GET"]),
        Route("/views", changes(api.save_view), methods=["POST"]),
        Route("/views/{view:int}", removes(api.remove_view), methods=["DELETE"]),
        Route("/releases", reads(api.releases, "project")),
        Route("/routes", reads(api.routes, "project")),
        Route("/projects/{project:int}", changes(api.rename), methods=["PATCH"]),
        Route("/projects/{project:int}/key", changes(api.rotate), methods=["POST"]),
    ]


class TriageApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def act_on_many(self, request: Request, body: bytes) -> shapes.Changed:
        sent = decoded(body, ActOnMany)
        return shapes.Changed(self._perform(request, sent, sent.faults))

    def act(self, request: Request, body: bytes) -> TriageAnswer:
        fault = edge.fault_of(request)
        self._site.store().fault(fault, now=time.time())  # raises NotFound
        self._perform(request, decoded(body, ActSent), [fault])
        return self.triage(request)

    def triage(self, request: Request) -> TriageAnswer:
        fault, now = edge.fault_of(request), time.time()
        found, desk = self._site.store().fault(fault, now=now).fault, self._desk()
        triaged = desk.of([fault])[fault]
        return TriageAnswer(fault, found.state, triaged.urgency(now), triaged, tuple(desk.conversation(fault)))

    def comment(self, request: Request, body: bytes) -> Made:
        sent, who = decoded(body, CommentSent), _by(request)
        self._site.store().fault(edge.fault_of(request), now=time.time())  # raises NotFound
        return Made(
            self._desk().comment(edge.fault_of(request), sent.body, by=who.name, author=who.id, now=time.time())
        )

    def uncomment(self, request: Request) -> shapes.Changed:
        fault, number = fault_to_change(self._site.store(), edge.fault_of(request)), _number(request, "comment")
        check_comment(self._desk(), fault, number)
        self._desk().remove_comment(fault.id, number)
        return shapes.Changed(1)

    # ---- rules and filters

    def rules(self, request: Request) -> RuleList:
        seen = current.get().sees
        rules = [r for r in Ownership(self._site.store().database).rules() if r.project == "" or seen(r.project)]
        event, project = self._event(request)
        decides = owner_of(rules, project, event) if event else None
        return RuleList(tuple(rules), decides.id if decides else None)

    def add_rule(self, request: Request, body: bytes) -> Made:
        sent = decoded(body, RuleSent)
        desk = Ownership(self._site.store().database)
        return Made(desk.add(self._project(sent.project), sent.kind, sent.pattern, self._owner(sent.owner)))

    def remove_rule(self, request: Request) -> shapes.Changed:
        Ownership(self._site.store().database).remove(_number(request, "rule"))
        return shapes.Changed(1)

    def filters(self, request: Request) -> FilterList:
        found = Filters(self._site.store().database).filters()
        event, project = self._event(request)
        fitting = [f.id for f in found if event and f.project in ("", project) and filter_fits(f, event)]
        return FilterList(tuple(found), tuple(fitting))

    def add_filter(self, request: Request, body: bytes) -> Made:
        sent = decoded(body, FilterSent)
        return Made(Filters(self._site.store().database).add(self._project(sent.project), sent.kind, sent.pattern))

    def change_filter(self, request: Request, body: bytes) -> shapes.Changed:
        Filters(self._site.store().database).enable(_number(request, "filter"), decoded(body, FilterChange).enabled)
        return shapes.Changed(1)

    def remove_filter(self, request: Request) -> shapes.Changed:
        Filters(self._site.store().database).remove(_number(request, "filter"))
        return shapes.Changed(1)

    # ---- views, releases, routes, projects

    def views(self, request: Request) -> ViewList:
        return ViewList(tuple(seen_views(self._site.store(), _by(request).id)))

    def save_view(self, request: Request, body: bytes) -> Made:
        sent, store = decoded(body, ViewSent), self._site.store()
        asked = search.parse(sent.query, store.projects())
        if asked.problems or sent.order not in search.orders:
            raise HTTPException(422, " ".join(asked.problems) or f"order is one of {', '.join(search.orders)}")
        own = _by(request).id if sent.own else None
        desk = Views(store.database)
        return Made(desk.save(sent.name, asked.spelled, sent.order, member=own, now=time.time()))

    def remove_view(self, request: Request) -> shapes.Changed:
        Views(self._site.store().database).remove(_number(request, "view"), member=_by(request).id)
        return shapes.Changed(1)

    def releases(self, request: Request) -> ReleaseList:
        found = Releases(self._site.store().database).releases(self._asked(request))
        seen = seen_projects()
        return ReleaseList(tuple(r for r in found if seen is None or r.project in seen))

    def routes(self, request: Request) -> RouteList:
        found = Routes(self._site.store().database).routes(self._asked(request))
        seen = seen_projects()
        return RouteList(tuple(r for r in found if seen is None or r.project in seen))

    def rename(self, request: Request, body: bytes) -> shapes.ProjectAnswer:
        self._shown(request)  # raises NotFound for what is not theirs to see
        Projects(self._site.store().database).rename(_project_of(request), decoded(body, ProjectSent).name)
        return self._shown(request)

    def rotate(self, request: Request, body: bytes) -> shapes.ProjectAnswer:
        decoded(body, Nothing)
        self._shown(request)  # the same
        Projects(self._site.store().database).rotate_key(_project_of(request))
        return self._shown(request)

    # ---- what they share

    def _perform(self, request: Request, sent: ActSent, faults: Sequence[int]) -> int:
        if any(not 0 < f < 2**63 for f in faults):
            raise HTTPException(422, "the number of a fault is a positive integer; nothing was changed")
        until = Until(sent.for_seconds, sent.more_events, sent.more_users)
        owner = self._owner(sent.owner) if sent.owner else None
        fixed_in: FixedIn = "this" if sent.release and not sent.fixed_in else sent.fixed_in
        act = acts.Act(sent.act, fixed_in, sent.release[: limits.name_chars_max], until, owner, sent.priority)
        seen = faults_to_change(self._site.store().database, faults)
        note(acts.told(sent.act, seen))
        return acts.perform(self._desk(), act, seen, by=_by(request).name, now=time.time())

    def _owner(self, sent: OwnerSent) -> Owner:
        if not 0 < len(sent.name.replace("\0", "").strip()) <= len(sent.name) <= owner_chars_max:
            raise TriageRefused(f"an owner has a name of 1 to {owner_chars_max} characters")
        return owner_named(self._site.store().database, sent.name, sent.kind)

    def _desk(self) -> Triage:
        return Triage(self._site.store().database)

    def _project(self, project: str) -> str:
        return self._site.store().project(project).id if project else ""

    def _asked(self, request: Request) -> str | None:
        project = request.query_params.get("project")
        return self._site.store().project(project).id if project is not None else None

    def _shown(self, request: Request) -> shapes.ProjectAnswer:
        p = self._site.store().project(_project_of(request))
        return shapes.ProjectAnswer(p.id, p.name, self._site.dsn(p), p.created_at)

    def _event(self, request: Request) -> tuple[Event | None, str]:
        """The event that rules or filters are tried with, and its project."""
        asked = request.query_params.get("event")
        if asked is None:
            return None, ""
        reference = search.reference(asked)
        if not reference:
            raise HTTPException(400, "event is a reference: 32 hexadecimal digits, with or without dashes")
        stored = self._site.store().event(reference)
        event = parse(stored.payload, received_at=stored.summary.received_at, event_id=reference)
        return event, stored.summary.project


def _by(request: Request) -> Actor:
    found = actor(request)
    return found if found != Actor() else Actor("API")


def _number(request: Request, name: str) -> int:
    number: int = request.path_params[name]
    if number >= 2**63:
        raise HTTPException(404, f"there is no {name} with such a number")
    return number


def _project_of(request: Request) -> str:
    return str(request.path_params["project"])
