"""Who is asking, tokens, people, teams and the audit log in the JSON API. A secret is told once, to whom makes it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred.console.access.identity import current
from fivehundred.console.access.roles import Need, Role, lower, role_of, team_role_of, team_roles, top
from fivehundred.console.api import edge
from fivehundred.console.api.bounds import Days, Name60, Name100, Number
from fivehundred.console.api.operations import gets, in_path, in_query, removes, sends
from fivehundred.console.api.shapes import Changed
from fivehundred.console.api.triage import Made
from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.people import AuditRow, People, PersonRefused, Team, TeamRole, Token
from fivehundred.console.web.account import make_token
from fivehundred.console.web.people import change_person, invite, may_change, team_name, team_told, told

_audit_rows: int = 100


@dataclass(frozen=True, slots=True)
class Me:
    """projects is null for whoever sees all; may is the top of the ladder read, act, manage, admin; rights are the
    tops in each project, null where the role holds in all."""

    name: str
    role: str
    how: str
    may: str
    projects: tuple[str, ...] | None
    rights: dict[str, Need] | None
    teams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    id: int
    name: str
    role: str
    disabled: bool
    one_time_codes: bool
    signed_in_at: float | None


@dataclass(frozen=True, slots=True)
class PersonList:
    people: tuple[PersonAnswer, ...]


@dataclass(frozen=True, slots=True)
class TokenList:
    """One's own. prefix is how the token begins; the rest is not kept."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class AuditList:
    """The newest first; next is null at the end, else the value of before for the following rows."""

    rows: tuple[AuditRow, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class PersonSent:
    name: Name100
    role: Role


@dataclass(frozen=True, slots=True)
class Invited:
    """``invite``: the link that sets a password, shown this once."""

    id: int
    invite: str


@dataclass(frozen=True, slots=True)
class PersonChange:
    """``role`` goes with the act role."""

    act: Literal["role", "disable", "enable", "codes off", "invite"]
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class TeamSent:
    """``members``: numbers of people; ``projects``: numbers of projects; ``roles``: of members whose right with the
    team's projects is not what their own role gives them. Left out: none."""

    name: Name100
    members: tuple[Number, ...] = ()
    projects: tuple[str, ...] = ()
    roles: tuple[TeamRole, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamChange:
    """All at once: what is left out is none."""

    members: tuple[Number, ...] = ()
    projects: tuple[str, ...] = ()
    roles: tuple[TeamRole, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamList:
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class TokenSent:
    """``project`` empty: all that you see."""

    name: Name60
    scope: Need = "read"
    project: str = ""
    days: Days = 365


@dataclass(frozen=True, slots=True)
class TokenMade:
    """``token``: shown this once."""

    id: int
    token: str


sent: tuple[type, ...] = (PersonSent, PersonChange, TeamSent, TeamChange, TokenSent)
shown: tuple[type, ...] = (*sent, Me, PersonList, TokenList, AuditList, Invited, TeamList, TokenMade)


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    api = PeopleApi(site)
    return [
        Route("/me", edge.reads(api.me)),
        Route("/people", edge.reads(api.people), methods=["GET"]),
        Route("/people", edge.changes(api.add_person), methods=["POST"]),
        Route("/people/{person:int}", edge.changes(api.change_person), methods=["PATCH"]),
        Route("/teams", edge.reads(api.teams), methods=["GET"]),
        Route("/teams", edge.changes(api.add_team), methods=["POST"]),
        Route("/teams/{team:int}", edge.changes(api.set_team), methods=["PUT"]),
        Route("/teams/{team:int}", edge.removes(api.remove_team), methods=["DELETE"]),
        Route("/tokens", edge.reads(api.tokens), methods=["GET"]),
        Route("/tokens", edge.changes(api.add_token), methods=["POST"]),
        Route("/tokens/{token:int}", edge.removes(api.revoke), methods=["DELETE"]),
        Route("/audit", edge.reads(api.audit, "before")),
    ]


def paths() -> dict[str, Any]:
    token = in_path("token", {"type": "integer", "minimum": 1}, "the number of the token")
    person, team = (in_path(n, {"type": "integer", "minimum": 1}, f"the number of the {n}") for n in ("person", "team"))
    before = in_query("before", {"type": "integer", "minimum": 1}, "the `next` of the rows before")
    return {
        "/me": {"get": gets("who is asking, and what they may", "Me")},
        "/people": {
            "get": gets("accounts", "PersonList"),
            "post": sends("add somebody; the answer holds the link that sets a password", "PersonSent", "Invited"),
        },
        "/people/{person}": {
            "patch": sends(
                "change a role, disable, enable, take codes off, invite again", "PersonChange", "Invited", person
            )
        },
        "/teams": {"get": gets("teams", "TeamList"), "post": sends("make a team", "TeamSent", "Made")},
        "/teams/{team}": {
            "put": sends("say who is in a team and what it has", "TeamChange", "TeamList", team),
            "delete": removes("remove a team", team),
        },
        "/tokens": {
            "get": gets("your tokens", "TokenList"),
            "post": sends("make a token that may no more than you", "TokenSent", "TokenMade"),
        },
        "/tokens/{token}": {"delete": removes("revoke one of your tokens", token)},
        "/audit": {"get": gets("who changed what, when and from where", "AuditList", before)},
    }


class PeopleApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def me(self, request: Request) -> Me:
        found = current.get()
        projects = None if found.projects is None else tuple(sorted(found.projects))
        rights = None if found.rights is None else {p: lower(n, found.most) for p, n in sorted(found.rights.items())}
        most = lower(found.most, top(found.role))
        return Me(found.name, found.role, found.how, most, projects, rights, found.teams)

    def people(self, request: Request) -> PersonList:
        return PersonList(
            tuple(
                PersonAnswer(p.id, p.shown, p.role, p.disabled_at is not None, bool(p.totp_sealed), p.signed_in_at)
                for p in self._desk().people()
            )
        )

    def tokens(self, request: Request) -> TokenList:
        own = current.get().person
        return TokenList(tuple(self._desk().tokens(own)) if own is not None else ())

    def revoke(self, request: Request) -> Changed:
        found, token = current.get(), request.path_params["token"]
        if found.person is None or token >= 2**63:
            raise HTTPException(404, f"there is no token {str(token)[:20]} of yours")
        gone = self._desk().revoke_token(token, person=found.person)
        address = request.client.host if request.client else ""
        self._desk().audit(found.name, "revoked a token", gone.name, address=address, now=time.time())
        return Changed(1)

    # ---- changes

    def add_person(self, request: Request, body: bytes) -> Invited:
        wish, desk = edge.decoded(body, PersonSent), self._desk()
        name = _named(wish.name)
        may_change(wish.role)
        made = desk.add(name, wish.role, now=time.time())
        self._audit(request, "added", f"{name} as {wish.role}")
        return Invited(made, invite(self._site, made))

    def change_person(self, request: Request, body: bytes) -> Invited:
        wish, desk = edge.decoded(body, PersonChange), self._desk()
        person = desk.person(edge.numbered(request, "person"))
        may_change(role_of(person.role) or "viewer")
        link = ""
        if wish.act == "invite":
            link = invite(self._site, person.id)
        else:
            change_person(desk, person, wish.act, wish.role or "")
        self._audit(request, *told(person, wish.act, wish.role or ""))
        return Invited(person.id, link)

    def teams(self, request: Request) -> TeamList:
        return TeamList(tuple(self._desk().teams()))

    def add_team(self, request: Request, body: bytes) -> Made:
        wish, desk = edge.decoded(body, TeamSent), self._desk()
        name = _named(wish.name)
        self._check(wish)
        with self._site.store().database.transaction():
            made = desk.add_team(name)
            desk.set_team(made, wish.members, wish.projects, wish.roles)
        self._audit(request, "made the team", name)
        return Made(made)

    def set_team(self, request: Request, body: bytes) -> TeamList:
        wish, team = edge.decoded(body, TeamChange), edge.numbered(request, "team")
        self._check(wish)
        self._desk().set_team(team, wish.members, wish.projects, wish.roles)
        self._audit(request, "changed the team", team_told(self._desk(), team))
        return self.teams(request)

    def remove_team(self, request: Request) -> Changed:
        team, desk = edge.numbered(request, "team"), self._desk()
        known, name = any(found.id == team for found in desk.teams()), team_name(desk, team)
        desk.remove_team(team)
        self._audit(request, "removed the team", name)
        return Changed(int(known))

    def add_token(self, request: Request, body: bytes) -> TokenMade:
        wish = edge.decoded(body, TokenSent)
        made, value = make_token(self._site, wish.name, wish.scope, wish.project, wish.days, now=time.time())
        self._audit(request, "made a token", " ".join(wish.name.split()))
        return TokenMade(made, value)

    def _check(self, wish: TeamSent | TeamChange) -> None:
        """Raises NotFound for what is not there, PersonRefused for roles that are none or of no member."""
        members, projects = wish.members, wish.projects
        for found in wish.roles:
            if found.person not in members or team_role_of(found.role) is None:
                raise PersonRefused(f"roles are {', '.join(team_roles)}, each of a person who is among members")
        if len(members) + len(projects) > 1_000:
            raise HTTPException(422, "a team has at most 1,000 members and projects; nothing was changed")
        known = {p.id for p in self._desk().people()}
        for member in members:
            if member not in known:
                raise NotFound(f"there is no account {str(member)[:20]}")
        for project in projects:
            self._site.store().project(project)

    def _audit(self, request: Request, what: str, about: str) -> None:
        address = request.client.host if request.client else ""
        self._desk().audit(current.get().name, what, about, address=address, now=time.time())

    def audit(self, request: Request) -> AuditList:
        asked = request.query_params.get("before")
        if asked is not None and not (asked.isascii() and asked.isdecimal() and len(asked) < 19 and int(asked)):
            raise HTTPException(400, "before is the `next` of an answer, a positive integer")
        rows = self._desk().audited(before=int(asked) if asked is not None else None, limit=_audit_rows)
        return AuditList(tuple(rows), rows[-1].id if len(rows) == _audit_rows else None)

    def _desk(self) -> People:
        return People(self._site.store().database)


def _named(text: str) -> str:
    name = " ".join(text.replace("\0", "").split())
    if not 1 <= len(name) <= 100:
        raise PersonRefused("a name has 1 to 100 characters")
    return name
