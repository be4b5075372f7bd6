"""Issue trackers, issues of faults, objectives and deploys over the API."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred import limits
from fivehundred.console.access.audited import note
from fivehundred.console.access.identity import current
from fivehundred.console.api import operations
from fivehundred.console.api.bounds import Name100, Number, Share
from fivehundred.console.api.edge import changes, decoded, limit_of, numbered, reads, removes
from fivehundred.console.api.operations import gets, in_path, in_query, sends
from fivehundred.console.api.shapes import Changed
from fivehundred.console.api.triage import Made
from fivehundred.console.channels.issues import Kind
from fivehundred.console.site import Site
from fivehundred.console.store.deploys import Deploy, Deploys
from fivehundred.console.store.objectives import Budget, Objectives
from fivehundred.console.store.trackers import IssueLink, Trackers
from fivehundred.console.web import edge
from fivehundred.console.web.actor import actor
from fivehundred.console.web.route_pages import budgets
from fivehundred.console.web.trackers import add_tracker, create_issue, link_issue


@dataclass(frozen=True, slots=True)
class TrackerSent:
    kind: Kind
    target: str
    token: str
    name: str = ""
    url: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class TrackerAnswer:
    id: int
    name: str
    kind: str
    url: str
    target: str
    account: str


@dataclass(frozen=True, slots=True)
class TrackerList:
    trackers: tuple[TrackerAnswer, ...]


@dataclass(frozen=True, slots=True)
class IssueSent:
    """``tracker`` makes an issue there; ``url`` links one that is there."""

    tracker: Number | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class IssueList:
    issues: tuple[IssueLink, ...]


@dataclass(frozen=True, slots=True)
class ObjectiveSent:
    """``share`` 0.999: of a thousand requests one may fail. ``route`` empty: all of the project."""

    project: str
    share: Share
    route: str = ""


@dataclass(frozen=True, slots=True)
class ObjectiveList:
    """With their error budgets of 30 days, those that burn first."""

    objectives: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class DeploySent:
    project: str
    release: Name100
    environment: Name100
    name: str = ""
    url: str = ""
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class DeployList:
    deploys: tuple[Deploy, ...]


sent: tuple[type, ...] = (TrackerSent, IssueSent, ObjectiveSent, DeploySent)
shown: tuple[type, ...] = (*sent, TrackerList, TrackerAnswer, IssueList, ObjectiveList, DeployList, Deploy)


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    api, others = IssueApi(site), ReleaseApi(site)
    return [
        Route("/trackers", reads(api.trackers), methods=["GET"]),
        Route("/trackers", changes(api.add_tracker), methods=["POST"]),
        Route("/trackers/{tracker:int}", removes(api.remove_tracker), methods=["DELETE"]),
        Route("/faults/{fault:int}/issues", reads(api.issues), methods=["GET"]),
        Route("/faults/{fault:int}/issues", changes(api.add_issue), methods=["POST"]),
        Route("/faults/{fault:int}/issues/{issue:int}", removes(api.unlink), methods=["DELETE"]),
        Route("/objectives", reads(others.objectives, "project"), methods=["GET"]),
        Route("/objectives", changes(others.set_objective), methods=["POST"]),
        Route("/objectives/{objective:int}", removes(others.remove_objective), methods=["DELETE"]),
        Route("/deploys", reads(others.deploys, "project", "limit"), methods=["GET"]),
        Route("/deploys", changes(others.add_deploy), methods=["POST"]),
    ]


def paths() -> dict[str, Any]:
    tracker, fault, issue, objective = (
        in_path(n, {"type": "integer", "minimum": 1}, f"the number of the {n}")
        for n in ("tracker", "fault", "issue", "objective")
    )
    project = in_query("project", {"type": "string"}, "the number of a project; all when missing")
    limit = in_query("limit", {"type": "integer", "minimum": 1, "maximum": limits.page_rows_max}, "rows at most")
    return {
        "/trackers": {
            "get": gets("where issues can be made", "TrackerList"),
            "post": sends("add a tracker; its token is sealed and not shown again", "TrackerSent", "Made"),
        },
        "/trackers/{tracker}": {"delete": operations.removes("remove a tracker; issues stay linked", tracker)},
        "/faults/{fault}/issues": {
            "get": gets("issues that the fault is linked to", "IssueList", fault),
            "post": sends("make an issue at a tracker, or link one by its address", "IssueSent", "IssueList", fault),
        },
        "/faults/{fault}/issues/{issue}": {"delete": operations.removes("take a link away", fault, issue)},
        "/objectives": {
            "get": gets("objectives with their error budgets", "ObjectiveList", project),
            "post": sends("set an objective of a route or a project", "ObjectiveSent", "Made"),
        },
        "/objectives/{objective}": {"delete": operations.removes("remove an objective", objective)},
        "/deploys": {
            "get": gets("deploys that were announced, the newest first", "DeployList", project, limit),
            "post": sends("announce a deploy", "DeploySent", "Made"),
        },
    }


class IssueApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def trackers(self, request: Request) -> TrackerList:
        found = self._desk().trackers()
        return TrackerList(tuple(TrackerAnswer(t.id, t.name, t.kind, t.url, t.target, t.account) for t in found))

    def add_tracker(self, request: Request, body: bytes) -> Made:
        wish = decoded(body, TrackerSent)
        fields = {"kind": wish.kind, "target": wish.target, "secret": wish.token, "name": wish.name}
        return Made(add_tracker(self._site, {**fields, "url": wish.url, "account": wish.account}))

    def remove_tracker(self, request: Request) -> Changed:
        self._desk().remove(numbered(request, "tracker"), now=time.time())
        return Changed(1)

    def issues(self, request: Request) -> IssueList:
        return IssueList(tuple(self._desk().links(self._fault(request))))

    def add_issue(self, request: Request, body: bytes) -> IssueList:
        wish, fault, by = decoded(body, IssueSent), self._fault(request), actor(request).name
        if (wish.tracker is None) is (wish.url == ""):
            raise HTTPException(422, "send either tracker or url; nothing was changed")
        if wish.tracker is not None:
            if not 0 < wish.tracker < 2**63:
                raise HTTPException(422, "tracker is the number of one; nothing was changed")
            create_issue(self._site, fault, wish.tracker, by=by)
        else:
            link_issue(self._site, fault, wish.url, by=by)
        return self.issues(request)

    def unlink(self, request: Request) -> Changed:
        fault, issue = self._fault(request), numbered(request, "issue")
        known = any(link.id == issue for link in self._desk().links(fault))
        self._desk().unlink(fault, issue)
        return Changed(int(known))

    def _fault(self, request: Request) -> int:
        """Raises NotFound for what is not theirs to see."""
        return self._site.store().fault(edge.fault_of(request), now=time.time()).fault.id

    def _desk(self) -> Trackers:
        return Trackers(self._site.store().database)


class ReleaseApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def objectives(self, request: Request) -> ObjectiveList:
        found = budgets(self._site.store().database, self._asked(request), now=time.time())
        return ObjectiveList(tuple(found))

    def set_objective(self, request: Request, body: bytes) -> Made:
        wish, store = decoded(body, ObjectiveSent), self._site.store()
        project = store.project(wish.project).id  # raises NotFound
        current.get().check("manage", project)
        return Made(Objectives(store.database).set(project, wish.route.replace("\0", ""), wish.share))

    def remove_objective(self, request: Request) -> Changed:
        Objectives(self._site.store().database).remove(numbered(request, "objective"))
        return Changed(1)

    def deploys(self, request: Request) -> DeployList:
        asked, desk = self._asked(request), Deploys(self._site.store().database)
        found = [d for project in asked for d in desk.deploys(project, limit=limit_of(request))]
        return DeployList(tuple(sorted(found, key=lambda d: -d.finished_at)[: limit_of(request)]))

    def add_deploy(self, request: Request, body: bytes) -> Made:
        wish, store = decoded(body, DeploySent), self._site.store()
        project = store.project(wish.project).id  # raises NotFound
        current.get().check("act", project)
        words = {n: " ".join(getattr(wish, n).replace("\0", "").split()) for n in ("release", "environment", "name")}
        if not words["release"] or not words["environment"]:
            raise HTTPException(422, "a deploy has a release and an environment; nothing was changed")
        if any(len(text) > limits.name_chars_max for text in (*words.values(), wish.url)):
            raise HTTPException(422, f"a text has at most {limits.name_chars_max} characters; nothing was changed")
        times = {"started_at": wish.started_at, "finished_at": wish.finished_at or time.time()}
        if any(at is not None and not 0 <= at < 1e11 for at in times.values()):
            raise HTTPException(422, "times are seconds since 1970; nothing was changed")
        made = Deploys(store.database).deploy(
            project,
            words["release"],
            words["environment"],
            finished_at=wish.finished_at or time.time(),
            started_at=wish.started_at,
            name=words["name"],
            url=wish.url,
        )
        note(f"{words['release']} to {words['environment']}")
        return Made(made.id)

    def _asked(self, request: Request) -> list[str]:
        """The project that is named, else those that are seen. Raises NotFound."""
        store, project = self._site.store(), request.query_params.get("project")
        return [store.project(project).id] if project is not None else [p.id for p in store.projects()]
