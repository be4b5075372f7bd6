"""Who is asking, tokens, people and the audit log in the JSON API. No secret is in an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred.console.access.identity import current
from fivehundred.console.api import edge
from fivehundred.console.api.operations import gets, in_path, in_query, removes
from fivehundred.console.api.shapes import Changed
from fivehundred.console.site import Site
from fivehundred.console.store.people import AuditRow, People, Token

_audit_rows: int = 100


@dataclass(frozen=True, slots=True)
class Me:
    """projects is null for whoever sees all; may is the top of the ladder read, act, manage, admin."""

    name: str
    role: str
    how: str
    may: str
    projects: tuple[str, ...] | None
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


shown = (Me, PersonList, TokenList, AuditList)


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    api = PeopleApi(site)
    return [
        Route("/me", edge.reads(api.me)),
        Route("/people", edge.reads(api.people)),
        Route("/tokens", edge.reads(api.tokens)),
        Route("/tokens/{token:int}", edge.removes(api.revoke), methods=["DELETE"]),
        Route("/audit", edge.reads(api.audit, "before")),
    ]


def paths() -> dict[str, Any]:
    token = in_path("token", {"type": "integer", "minimum": 1}, "the number of the token")
    before = in_query("before", {"type": "integer", "minimum": 1}, "the `next` of the rows before")
    return {
        "/me": {"get": gets("who is asking, and what they may", "Me")},
        "/people": {"get": gets("accounts", "PersonList")},
        "/tokens": {"get": gets("your tokens", "TokenList")},
        "/tokens/{token}": {"delete": removes("revoke one of your tokens", token)},
        "/audit": {"get": gets("who changed what, when and from where", "AuditList", before)},
    }


class PeopleApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def me(self, request: Request) -> Me:
        found = current.get()
        projects = None if found.projects is None else tuple(sorted(found.projects))
        return Me(found.name, found.role, found.how, found.most, projects, found.teams)

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

    def audit(self, request: Request) -> AuditList:
        asked = request.query_params.get("before")
        if asked is not None and not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
            raise HTTPException(400, "before is the `next` of an answer, a positive integer")
        rows = self._desk().audited(before=int(asked) if asked is not None else None, limit=_audit_rows)
        return AuditList(tuple(rows), rows[-1].id if len(rows) == _audit_rows else None)

    def _desk(self) -> People:
        return People(self._site.store().database)
