"""The gate: every request to pages, API, metrics and agents passes it, and it alone decides.

Who is asking: a session (cookie), a token (``Authorization: Bearer``), or, on a Console without accounts, anybody who
reaches it, which is this machine alone. What they may is in ``needs`` and ``roles``; which projects they see is told to
the store by ``identity.current``. Things named by number in the path are looked up here, so that no handler can forget.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import msgspec

from fivehundred.console.access import audited, secret
from fivehundred.console.access.identity import Identity, current, nobody, somebody_here
from fivehundred.console.access.needs import Wanted, needed, of_some_project
from fivehundred.console.access.roles import Need, Role, highest, in_team, lower, needs, role_of, sees_all, top
from fivehundred.console.store.base import Store
from fivehundred.console.store.people import People, Person

Scope: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[MutableMapping[str, Any]]]"
Send: TypeAlias = "Callable[[MutableMapping[str, Any]], Awaitable[None]]"
App: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"

session_cookie: Final = "fivehundred_session"
_accounts_s: Final = 1.0  # how long it is remembered whether there are accounts: another process may make the first
_named: Final = re.compile(
    r"/(?:api/v1/|settings/)?(?P<what>faults|incidents|projects|choices|objectives)/(?P<name>[0-9]{1,20})(?:[./].*)?"
)


_projects: Final = {
    "faults": "SELECT project FROM fault WHERE id = ?",
    "incidents": "SELECT DISTINCT project FROM incident_fault WHERE incident = ?",
    "choices": "SELECT project FROM choice WHERE id = ?",
    "objectives": "SELECT project FROM objective WHERE id = ?",
}
_safe: Final = ("GET", "HEAD", "OPTIONS")
_signed_in_again_s: Final = 2.0  # how often a stream asks whether its session still stands
_of_all: Final = ("/metrics",)  # figures of every project: for whoever sees all of them


@dataclass(slots=True)
class Gate:
    """An ASGI application around another. ``open``: without accounts everybody here is the owner (loopback)."""

    app: App
    store: Callable[[], Store]
    open: bool = True
    _known: bool = field(default=False)
    _asked_at: float = field(default=-_accounts_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        identity = await asyncio.to_thread(self._identity, dict(scope["headers"]))
        method, path = scope["method"], scope["path"]
        want = needed(method, path)
        if identity.rights is None:
            refusal = _refusal(identity, want)
        else:
            refusal = await asyncio.to_thread(self._refusal_within, identity, want, method, path)
        if refusal is not None:
            await _refuse(scope, send, refusal, identity, want)
            return
        token = current.set(identity)
        try:
            if path == "/live" and identity.how == "session":
                await self._while_signed_in(scope, receive, send)
            elif method in _safe or identity.person is None:
                await self.app(scope, receive, send)
            else:
                await self._changing(scope, receive, send, identity)
        finally:
            current.reset(token)

    async def _changing(self, scope: Scope, receive: Receive, send: Send, identity: Identity) -> None:
        """A change by somebody: when it was made, it stands in the audit log."""
        statuses: list[int] = []
        said: list[str] = []

        async def watching(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        token = audited.notes.set(said)
        try:
            await self.app(scope, receive, watching)
        finally:
            audited.notes.reset(token)
        found = audited.words(scope["method"], scope["path"], said)
        if found is not None and statuses and statuses[0] < 400:
            await asyncio.to_thread(self._write_down, identity, *found, (scope.get("client") or ("",))[0])

    def _write_down(self, identity: Identity, what: str, about: str, address: str) -> None:
        desk = People(self.store().database)
        desk.audit(identity.name, what, about, address=address, now=time.time())

    async def _while_signed_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream that would go on for ever ends soon after its session does."""
        work = asyncio.ensure_future(self.app(scope, receive, send))
        try:
            while not (await asyncio.wait({work}, timeout=_signed_in_again_s))[0]:
                if (await asyncio.to_thread(self._identity, dict(scope["headers"]))).how == "nobody":
                    work.cancel()
                    await asyncio.wait({work})
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
        finally:
            work.cancel()
        work.result()

    def accounts(self) -> bool:
        """Whether anybody must sign in."""
        now = time.monotonic()
        if not self._known and now - self._asked_at > _accounts_s:
            self._known, self._asked_at = People(self.store().database).any(), now
        return self._known

    def _identity(self, headers: dict[bytes, bytes]) -> Identity:
        if not self.accounts():
            return somebody_here if self.open else nobody
        desk, now = People(self.store().database), time.time()
        given = headers.get(b"authorization", b"").decode("latin-1")
        scheme, _, value = given.partition(" ")
        if scheme.lower() == "bearer":  # asked with a token, it is answered for the token, whatever cookie is there
            found = desk.token(secret.digest(value.strip()), now=now)
            if found is None:
                return nobody
            token, person = found
            only = frozenset((token.project,)) if token.project else None
            scope = next((n for n in needs if n == token.scope), needs[0])
            if only is not None:
                scope = lower(scope, "act")  # what is managed (rules, alerts, people) is of every project
            return self._as(desk, person, "token", scope, only=only)
        cookie = _cookie(headers)
        signed = desk.session(secret.digest(cookie), now=now) if cookie else None
        if signed is None:
            return nobody
        session, person = signed
        return self._as(desk, person, "session", "admin", session=session.id)

    def _as(
        self, desk: People, person: Person, how: Any, most: Need, *, only: frozenset[str] | None = None,
        session: int | None = None
    ) -> Identity:  # fmt: skip
        role = _role(person)
        given = None if sees_all(role) else desk.team_roles_of(person.id)
        rights: dict[str, Need] | None = None
        if given is not None:
            rights = {project: highest(in_team(role, r) for r in found) for project, found in given.items()}
        if only is not None:
            rights = {p: top(role) if rights is None else rights[p] for p in only if rights is None or p in rights}
        return Identity(person.shown, role, how, person.id, most, rights, desk.teams_of(person.id), session)

    def _refusal_within(self, identity: Identity, want: Wanted, method: str, path: str) -> int | None:
        """For somebody who sees some projects: what the path names must be in one of them, and they must have the
        right there. What reaches into several is read in part, and changed only with the right in all of them."""
        if want == "public" or want == "signed" or identity.how == "nobody":
            return _refusal(identity, want)
        if path in _of_all:
            return 404
        match = _named.fullmatch(path)
        named = self._projects_of(match["what"], match["name"]) if match is not None else []
        if not named:
            some = want in ("read", "act") or match is not None or of_some_project(path)
            return None if (identity.may_somewhere(want) if some else identity.may(want)) else 403
        seen = [project for project in named if identity.sees(project)]
        if not seen:
            return 404
        asked = seen if method in _safe else named
        return None if all(identity.may(want, project) for project in asked) else 403

    def _projects_of(self, what: str, name: str) -> list[str]:
        """None: there is no such thing, which the handler will say. An incident may be of several."""
        if what == "projects":
            return [name]
        if len(name) > 18:
            return []
        return [str(row[0]) for row in self.store().database.rows(_projects[what], (int(name),))]


def _role(person: Person) -> Role:
    return role_of(person.role) or "viewer"


def _refusal(identity: Identity, want: Wanted) -> int | None:
    if want == "public":
        return None
    if identity.how == "nobody":
        return 401
    if want == "signed":
        return None if identity.how in ("session", "token", "open") else 401
    return None if identity.may(want) else 403


def _cookie(headers: dict[bytes, bytes]) -> str:
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(session_cookie)
    except CookieError:
        return ""
    return found.value if found else ""


async def _refuse(scope: Scope, send: Send, status: int, identity: Identity, want: Wanted) -> None:
    """A person is sent to sign in; a program is told what it lacks."""
    path: str = scope["path"]
    accept = dict(scope["headers"]).get(b"accept", b"")
    if status == 401 and scope["method"] == "GET" and b"text/html" in accept and not path.startswith("/api/"):
        query = scope.get("query_string", b"").decode("latin-1")
        target = quote(path + (f"?{query}" if query else ""), safe="")
        await _answer(send, 303, b"", b"text/plain", [(b"location", f"/sign-in?back={target}".encode())])
        return
    detail = {
        401: "sign in, or send a token: Authorization: Bearer fhk_...; `fivehundred tokens add` makes one",
        403: f"{identity.name} may not do this: it needs the right {_RIGHTS.get(want, want)}, and the role"
        f" {identity.role} or the token does not give it",
        404: "there is no such thing, or it is in a project that you do not see",
    }[status]
    title = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}[status]
    if b"text/html" in accept and not path.startswith("/api/"):
        page = _PAGE.format(title=title, detail=escape(f"{detail[:1].upper()}{detail[1:]}."))
        await _answer(send, status, page.encode(), b"text/html; charset=utf-8", [_POLICY])
        return
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    challenge = [(b"www-authenticate", b'Bearer realm="fivehundred"')] if status == 401 else []
    await _answer(send, status, msgspec.json.encode(document), b"application/problem+json", challenge)


_RIGHTS: Final = {"act": "to act", "manage": "to manage", "admin": "of an admin", "read": "to read"}
_PAGE: Final = """<!doctype html>
<html lang="en" data-theme="system"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · fivehundred</title><link rel="stylesheet" href="/static/console.css"></head>
<body><main id="main"><div class="panel empty"><h1>{title}</h1><p>{detail}</p>
<p class="ways"><a class="btn" href="/">Overview</a><a class="btn" href="/account">Your account</a></p>
</div></main></body></html>
"""
_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
)


async def _answer(send: Send, status: int, body: bytes, kind: bytes, more: list[tuple[bytes, bytes]]) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
