"""Signing in and out, invites, and one's own account: password, one-time codes, sessions, tokens."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit

import segno
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred.console.access import oidc, secret, signing
from fivehundred.console.access.gate import session_cookie
from fivehundred.console.access.identity import Identity, current
from fivehundred.console.access.roles import Need, covers, highest, lower, needs, role_of, top
from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.people import People, Person, PersonRefused, session_s_max
from fivehundred.console.web import edge, forms, render

_token_name_chars_max: Final = 60
_tokens_a_person_max: Final = 50
_day_s: Final = 86_400.0
_token_days_max: Final = 3_650


def routes(site: Site) -> list[Route]:
    account = Account(site)
    return [
        Route("/sign-in", edge.page(account.sign_in_page), methods=["GET"]),
        Route("/sign-in", edge.post(account.sign_in), methods=["POST"]),
        Route("/sign-in/oidc", edge.page(account.oidc_begin), methods=["GET"]),
        Route("/sign-in/oidc/back", edge.page(account.oidc_back), methods=["GET"]),
        Route("/sign-out", edge.post(account.sign_out), methods=["POST"]),
        Route("/invite/{secret}", edge.page(account.invite_page), methods=["GET"]),
        Route("/invite/{secret}", edge.post(account.take_invite), methods=["POST"]),
        Route("/account", edge.page(account.show), methods=["GET"]),
        Route("/account/password", edge.post(account.set_password), methods=["POST"]),
        Route("/account/code", edge.post(account.set_code), methods=["POST"]),
        Route("/account/sessions", edge.post(account.end_session), methods=["POST"]),
        Route("/account/tokens", edge.post(account.add_token), methods=["POST"]),
        Route("/account/tokens/{token:int}/revoke", edge.post(account.revoke_token), methods=["POST"]),
    ]


class Account:
    def __init__(self, site: Site) -> None:
        self._site = site

    # ---- signing in

    def sign_in_page(self, request: Request, problem: str = "", status: int = 200, **more: object) -> Response:
        values = {
            "nav": "",
            "line": "",
            "problem": problem,
            "back": forms.local_path(request.query_params.get("back", "/"), "/"),
            "name": "",
            "password": "",
            "code": False,
            "oidc": oidc.name(),
            **more,
        }
        return render.page(request, "sign_in.html", values, status=status)

    def sign_in(self, request: Request, sent: edge.Fields) -> Response:
        tried = signing.Try(_first(sent, "name"), _first(sent, "password"), _first(sent, "code"), address_of(request))
        desk, back = self._desk(), forms.local_path(_first(sent, "back"), "/")
        try:
            person = signing.checked(desk, self._site.vault, tried, now=time.time())
        except signing.NotSignedIn as e:
            status = 429 if e.retry_s else 401
            shown = {"back": back, "name": tried.name[:200], "code": e.code}
            answer = self.sign_in_page(request, str(e), status, **shown)
            if e.retry_s:
                answer.headers["retry-after"] = str(int(e.retry_s))
            return answer
        return self._begin(request, person, back, "signed in")

    def _begin(self, request: Request, person: Person, back: str, what: str) -> Response:
        """A new session, whatever cookie came with the request: one that was planted beforehand is worth nothing."""
        desk, value, now = self._desk(), secret.random_secret(), time.time()
        agent = request.headers.get("user-agent", "")
        desk.begin_session(person.id, secret.digest(value), address=address_of(request), agent=agent, now=now)
        desk.audit(person.shown, what, address=address_of(request), now=now)
        answer = RedirectResponse(forms.local_path(back, "/"), 303, render.headers)
        answer.set_cookie(
            session_cookie,
            value,
            max_age=int(session_s_max),
            httponly=True,
            samesite="lax",  # "strict" would not be sent when a provider or a link in a mail leads here
            secure=urlsplit(self._site.public_url).scheme == "https",
        )
        return answer

    def oidc_begin(self, request: Request) -> Response:
        back = forms.local_path(request.query_params.get("back", "/"), "/")
        try:
            url, cookie = oidc.begin(self._site.public_url, self._site.vault, back)
        except oidc.OidcProblem as e:
            return self.sign_in_page(request, str(e), 502 if oidc.name() else 404)
        answer = RedirectResponse(url, 303, render.headers)
        secure = urlsplit(self._site.public_url).scheme == "https"
        answer.set_cookie(oidc.cookie, cookie, max_age=600, httponly=True, samesite="lax", secure=secure)
        return answer

    def oidc_back(self, request: Request) -> Response:
        try:
            sent, kept = dict(request.query_params), request.cookies.get(oidc.cookie, "")
            found = oidc.finish(self._site.public_url, self._site.vault, sent, kept)
            person = oidc.person_of(self._desk(), found, now=time.time())
        except oidc.OidcProblem as e:
            return self.sign_in_page(request, str(e), 401)
        answer = self._begin(request, person, found.back, f"signed in with {oidc.name()}")
        answer.delete_cookie(oidc.cookie)
        return answer

    def sign_out(self, request: Request, sent: edge.Fields) -> Response:
        value = request.cookies.get(session_cookie, "")
        desk = self._desk()
        found = desk.session(secret.digest(value), now=time.time()) if value else None
        if found is not None:
            session, person = found
            desk.end_session(person.id, session.id)
            desk.audit(person.shown, "signed out", address=address_of(request), now=time.time())
        answer = RedirectResponse("/sign-in", 303, render.headers)
        answer.delete_cookie(session_cookie)
        return answer

    # ---- invites

    def invite_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        person = self._desk().invited(secret.digest(request.path_params["secret"]), now=time.time())
        if person is None:
            return edge.problem(request, 404, "This invitation cannot be used", _used_up)
        values = {"nav": "", "line": "", "person": person, "problem": problem}
        return render.page(request, "invite.html", values, status=status)

    def take_invite(self, request: Request, sent: edge.Fields) -> Response:
        try:
            password = secret.hashed(_first(sent, "password"))
        except secret.WeakPassword as e:
            return self.invite_page(request, f"{e}.", 400)
        person = self._desk().take_invite(secret.digest(request.path_params["secret"]), password, now=time.time())
        if person is None:
            return edge.problem(request, 404, "This invitation cannot be used", _used_up)
        return self._begin(request, person, "/", "took an invitation")

    # ---- one's own account

    def show(self, request: Request, problem: str = "", status: int = 200, **more: object) -> Response:
        person, identity = self._self()
        desk, now = self._desk(), time.time()
        key = secret.new_key() if not person.totp_sealed else ""
        address = secret.key_address(key, person.name) if key else ""
        values = {
            "nav": "account",
            "line": "",
            "person": person,
            "identity": identity,
            "sessions": desk.sessions(person.id, now=now),
            "tokens": desk.tokens(person.id),
            "scopes": [need for need in needs if covers(_most(identity), need)],
            "projects": self._site.store().projects(),
            "teams": desk.teams_of(person.id),
            "key": key,
            "qr": segno.make(address).svg_inline(scale=4, border=2, omitsize=False) if key else "",
            "problem": problem,
            "made": "",
            "codes": (),
            **more,
        }
        return render.page(request, "account.html", values, status=status)

    def set_password(self, request: Request, sent: edge.Fields) -> Response:
        person, identity = self._self()
        desk = self._desk()
        problem = self._not_again(person, sent) if person.password else ""
        if problem:
            return self.show(request, f"{problem} Nothing was changed.", 400)
        try:
            desk.set_password(person.id, secret.hashed(_first(sent, "password")))
        except secret.WeakPassword as e:
            return self.show(request, f"{e}; nothing was changed.", 400)
        desk.end_sessions(person.id, but=identity.session)
        self._audit(request, "changed the password")
        return _back()

    def set_code(self, request: Request, sent: edge.Fields) -> Response:
        """Turned on when the app shows the right code for the new key; turned off with the password."""
        person, _ = self._self()
        desk, key = self._desk(), _first(sent, "key")
        if _first(sent, "off"):
            problem = self._not_again(person, sent)
            if problem:
                return self.show(request, f"{problem} One-time codes stay on.", 400)
            desk.set_totp(person.id, "", ())
            self._audit(request, "turned one-time codes off")
            return _back()
        if person.totp_sealed:  # or who finds an open browser could put their own key in place of it
            return self.show(request, "One-time codes are on; turn them off before you take another app.", 400)
        try:
            used = secret.matching(key, _first(sent, "code"), time.time(), 0)
        except (ValueError, TypeError):  # a key that is none
            used = None
        if used is None:
            return self.show(request, "The code does not fit the new key; scan it again and enter what is shown.", 400)
        codes = secret.recovery_codes()
        desk.set_totp(person.id, self._site.vault.seal(key), [secret.digest(code) for code in codes], used=used)
        self._audit(request, "turned one-time codes on")
        return self.show(request, codes=tuple(codes))

    def _not_again(self, person: Person, sent: edge.Fields) -> str:
        """Why the password of now is not taken; empty when it is right."""
        try:
            right = signing.again(self._desk(), person, _first(sent, "old"), now=time.time())
        except signing.NotSignedIn as e:
            return str(e)
        return "" if right else "The password of now is wrong."

    def end_session(self, request: Request, sent: edge.Fields) -> Response:
        person, identity = self._self()
        named = _first(sent, "session")
        if named == "others":
            self._desk().end_sessions(person.id, but=identity.session)
        elif named.isascii() and named.isdecimal() and len(named) < 19:
            self._desk().end_session(person.id, int(named))
        self._audit(request, "ended sessions")
        return _back("#sessions")

    def add_token(self, request: Request, sent: edge.Fields) -> Response:
        days = _first(sent, "days") or "365"
        number = int(days) if days.isascii() and days.isdecimal() and len(days) < 6 else 0
        try:
            name, scope, project = (_first(sent, n) for n in ("name", "scope", "project"))
            _, value = make_token(self._site, name, scope, project, number, now=time.time())
        except PersonRefused as e:
            return self.show(request, f"No token was made: {e}.", 400)
        self._audit(request, "made a token", _first(sent, "name"))
        return self.show(request, made=value)

    def revoke_token(self, request: Request, sent: edge.Fields) -> Response:
        person, _ = self._self()
        gone = self._desk().revoke_token(request.path_params["token"], person=person.id)
        self._audit(request, "revoked a token", gone.name)
        return _back("#tokens")

    def _self(self) -> tuple[Person, Identity]:
        identity = current.get()
        if identity.person is None or role_of(identity.role) is None:
            raise NotFound("This Console has no accounts, so there is none to show. `fivehundred users add` makes one.")
        return self._desk().person(identity.person), identity

    def _audit(self, request: Request, what: str, about: str = "") -> None:
        self._desk().audit(current.get().name, what, about, address=address_of(request), now=time.time())

    def _desk(self) -> People:
        return People(self._site.store().database)


def make_token(site: Site, name: str, scope: str, project: str, days: int, *, now: float) -> tuple[int, str]:
    """(its number, the token) of whoever asks; never for more than they may. Raises PersonRefused, NotFound."""
    identity, desk, name = current.get(), People(site.store().database), " ".join(name.replace("\0", "").split())
    wanted = next((need for need in needs if need == scope), None)
    if identity.person is None:
        raise PersonRefused("this Console has no accounts, so it needs no tokens")
    if not name or len(name) > _token_name_chars_max or wanted is None:
        raise PersonRefused(f"a token has a name of 1 to 60 characters and a scope: {', '.join(needs)}")
    if not 1 <= days <= _token_days_max:
        raise PersonRefused(f"a token lasts 1 to {_token_days_max} days")
    if len(desk.tokens(identity.person)) >= _tokens_a_person_max:
        raise PersonRefused(f"there are {_tokens_a_person_max} tokens already; revoke one first")
    if project:
        site.store().project(project)  # raises NotFound
    elif identity.how == "token" and identity.projects is not None:
        raise PersonRefused("a token of some projects makes tokens of one of them; name it")
    value = secret.random_secret(secret.token_mark)
    made = desk.add_token(
        identity.person,
        name,
        secret.digest(value),
        value[:10],
        scope=lower(wanted, _most(identity)),
        project=project,
        expires_at=now + days * _day_s,
        now=now,
    )
    return made, value


def _most(identity: Identity) -> Need:
    """The top of what they may anywhere: a token gets no more, and with each request it is looked at anew."""
    return lower(identity.most, highest((top(identity.role), *(identity.rights or {}).values())))


_used_up: Final = "It was used already, is out of date, or was replaced by a newer one. Ask for another."


def address_of(request: Request) -> str:
    """Of the connection. What proxies say of it is in nobody's hand but the sender's, so it is not asked."""
    return request.client.host if request.client else ""


def _first(sent: edge.Fields, name: str) -> str:
    return sent.get(name, [""])[0]


def _back(part: str = "") -> Response:
    return RedirectResponse(f"/account{part}", 303, render.headers)
