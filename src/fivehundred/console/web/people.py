"""People, teams and the audit log: who may use the Console, and what they changed in it."""

from __future__ import annotations

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred.console.access import secret
from fivehundred.console.access.identity import current
from fivehundred.console.access.roles import Role, may_grant, role_of, roles, team_role_of, team_roles
from fivehundred.console.site import Site
from fivehundred.console.store.base import StoreError
from fivehundred.console.store.people import People, Person, PersonRefused, TeamRole
from fivehundred.console.web import edge, render
from fivehundred.console.web.account import address_of

invite_s: Final = 7 * 86_400.0
_name_chars_max: Final = 100
_audit_rows: Final = 100


class Denied(PersonRefused):
    """The act is not one that this person may do to that one; the text says why."""


def routes(site: Site) -> list[Route]:
    pages = PeoplePages(site)
    return [
        Route("/people", edge.page(pages.show), methods=["GET"]),
        Route("/people", edge.post(pages.add), methods=["POST"]),
        Route("/people/{person:int}", edge.post(pages.change), methods=["POST"]),
        Route("/teams", edge.post(pages.add_team), methods=["POST"]),
        Route("/teams/{team:int}", edge.post(pages.change_team), methods=["POST"]),
        Route("/audit", edge.page(pages.audit), methods=["GET"]),
    ]


class PeoplePages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request, problem: str = "", status: int = 200, invite: str = "") -> Response:
        desk, identity = self._desk(), current.get()
        values = {
            "nav": "settings",
            "line": "",
            "people": desk.people(),
            "teams": desk.teams(),
            "tokens": {t.person: sum(1 for x in desk.tokens() if x.person == t.person) for t in desk.tokens()},
            "projects": self._site.store().projects(),
            "team_roles": team_roles,
            "roles": [role for role in roles if may_grant(identity.role, role)],
            "identity": identity,
            "problem": problem,
            "invite": invite,
        }
        return render.page(request, "people.html", values, status=status)

    def add(self, request: Request, sent: edge.Fields) -> Response:
        """An account without a password, and the link that sets one: it is shown once, for nobody here sends mail."""
        name, role = " ".join(_first(sent, "name").split()), role_of(_first(sent, "role"))
        if not name or len(name) > _name_chars_max or role is None:
            return self.show(request, "Nobody was added: a name of 1 to 100 characters and a role are needed.", 400)
        desk = self._desk()
        try:
            may_change(role)
            person = desk.add(name, role, now=time.time())
        except StoreError as e:
            return self.show(request, f"Nobody was added: {e}.", 400)
        self._audit(request, "added", f"{name} as {role}")
        return self.show(request, invite=invite(self._site, person))

    def change(self, request: Request, sent: edge.Fields) -> Response:
        desk, act = self._desk(), _first(sent, "act")
        person = desk.person(request.path_params["person"])
        try:
            may_change(role_of(person.role) or "viewer")
            if act == "invite":
                self._audit(request, "made a new invitation for", person.shown)
                return self.show(request, invite=invite(self._site, person.id))
            change_person(desk, person, act, _first(sent, "role"))
        except StoreError as e:
            return self.show(request, f"Nothing was changed: {e}.", 400)
        self._audit(request, *told(person, act, _first(sent, "role")))
        return _back()

    def add_team(self, request: Request, sent: edge.Fields) -> Response:
        name = " ".join(_first(sent, "name").split())
        if not name or len(name) > _name_chars_max:
            return self.show(request, "No team was made: a name of 1 to 100 characters is needed.", 400)
        try:
            self._desk().add_team(name)
        except StoreError as e:
            return self.show(request, f"No team was made: {e}.", 400)
        self._audit(request, "made the team", name)
        return _back("#teams")

    def change_team(self, request: Request, sent: edge.Fields) -> Response:
        desk, team = self._desk(), request.path_params["team"]
        if _first(sent, "act") == "remove":
            name = team_name(desk, team)
            desk.remove_team(team)
            self._audit(request, "removed the team", name)
            return _back("#teams")
        known_people = {str(p.id): p.id for p in desk.people()}
        known_projects = {p.id for p in self._site.store().projects()}
        members = [known_people[m] for m in sent.get("member", []) if m in known_people]
        projects = [p for p in sent.get("project", []) if p in known_projects]
        given = [(m, team_role_of(_first(sent, f"role-{m}"))) for m in members]
        roles_in = [TeamRole(member, role) for member, role in given if role is not None]
        desk.set_team(team, members, projects, roles_in)
        self._audit(request, "changed the team", team_told(desk, team))
        return _back("#teams")

    def audit(self, request: Request) -> Response:
        asked = request.query_params.get("before", "")
        before = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 19 else None
        rows = self._desk().audited(before=before, limit=_audit_rows)
        older = rows[-1].id if len(rows) == _audit_rows else None
        return render.page(request, "audit.html", {"nav": "settings", "line": "", "rows": rows, "older": older})

    def _audit(self, request: Request, what: str, about: str) -> None:
        self._desk().audit(current.get().name, what, about, address=address_of(request), now=time.time())

    def _desk(self) -> People:
        return People(self._site.store().database)


def change_person(desk: People, person: Person, act: str, named: str) -> None:
    """Raises Denied, LastOwner."""
    if act == "role":
        role = role_of(named)
        if role is None:
            raise Denied(f"a role is one of {', '.join(roles)}")
        may_change(role)
        desk.set_role(person.id, role)
    elif act == "disable":
        desk.disable(person.id, now=time.time())
    elif act == "enable":
        desk.enable(person.id)
    elif act == "codes off":
        desk.set_totp(person.id, "", ())
    else:
        raise Denied(f"{act[:40]!r} is no act")


def told(person: Person, act: str, role: str) -> tuple[str, str]:
    """What the audit log says of a change: (what, about)."""
    if act == "role":
        return "changed the role of", f"{person.shown} from {person.role} to {role}"
    words = {
        "disable": "disabled the account of",
        "enable": "enabled the account of",
        "codes off": "turned one-time codes off for",
        "invite": "made a new invitation for",
    }
    return words.get(act, act[:40]), person.shown


def team_name(desk: People, team: int) -> str:
    return next((found.name for found in desk.teams() if found.id == team), str(team))


def team_told(desk: People, team: int) -> str:
    """The team as it is now: "Shop: ann, bob (viewer here); projects 1, 3"."""
    found = next((t for t in desk.teams() if t.id == team), None)
    if found is None:
        return str(team)
    names = {p.id: p.shown for p in desk.people()}
    members = [names.get(m, str(m)) + (f" ({found.role(m)} here)" if found.role(m) else "") for m in found.members]
    return f"{found.name}: {', '.join(members) or 'nobody'}; projects {', '.join(found.projects) or 'none'}"


def may_change(role: Role) -> None:
    """Raises Denied."""
    own = current.get().role
    if not may_grant(own, role):
        raise Denied(f"{own}s change nobody who is {role}")


def invite(site: Site, person: int) -> str:
    """The link; it is shown once."""
    value = secret.random_secret()
    People(site.store().database).invite(person, secret.digest(value), expires_at=time.time() + invite_s)
    return f"{site.public_url}/invite/{value}"


def _first(sent: edge.Fields, name: str) -> str:
    return sent.get(name, [""])[0]


def _back(part: str = "") -> Response:
    return RedirectResponse(f"/people{part}", 303, render.headers)
