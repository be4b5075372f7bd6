"""Signing in with a provider of OpenID Connect: authorization code flow with PKCE, nonce and state. By ``authlib``.

Set up by the environment, for it is the operator's and not a page's: FIVEHUNDRED_OIDC_ISSUER, _CLIENT_ID,
_CLIENT_SECRET; and who gets in: _DOMAINS (of verified mail addresses), _ROLE (of newcomers), _GROUPS ("admins=admin
devs=member" by the claim ``groups``). Without a domain, a group or an account that waits for them, nobody does.
The state of a sign-in travels in one sealed cookie: no server keeps it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from fivehundred.console.access import secret
from fivehundred.console.access.roles import Role, role_of, roles
from fivehundred.console.store.people import NameTaken, People, Person
from fivehundred.console.vault import CannotOpen, Vault

cookie: Final = "fivehundred_oidc"
_state_s_max: Final = 600.0
_timeout_s: Final = 10.0
_path: Final = "/sign-in/oidc/back"
_algorithms: Final = ["RS256", "ES256", "PS256"]  # asymmetric ones: a client secret signs nothing here


class OidcProblem(Exception):
    """Nobody is signed in; the text is for the person and names what to look at."""


@dataclass(frozen=True, slots=True)
class Settings:
    issuer: str
    client_id: str
    client_secret: str
    domains: tuple[str, ...]
    role: Role
    groups: tuple[tuple[str, Role], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Who the provider says it is."""

    subject: str  # "issuer subject": never given to somebody else
    name: str  # verified mail address, else the preferred name
    verified: bool
    shown: str
    groups: tuple[str, ...]
    back: str


def name() -> str:
    """Of the provider, for the button; empty when none is set up."""
    host = urlsplit(os.environ.get("FIVEHUNDRED_OIDC_ISSUER", "")).hostname or ""
    return os.environ.get("FIVEHUNDRED_OIDC_NAME", host) if host else ""


def settings() -> Settings:
    """Raises OidcProblem."""
    environ = os.environ
    issuer, client = environ.get("FIVEHUNDRED_OIDC_ISSUER", ""), environ.get("FIVEHUNDRED_OIDC_CLIENT_ID", "")
    if not issuer or not client:
        raise OidcProblem("No provider is set up: FIVEHUNDRED_OIDC_ISSUER and FIVEHUNDRED_OIDC_CLIENT_ID name one.")
    groups = []
    for pair in environ.get("FIVEHUNDRED_OIDC_GROUPS", "").split():
        group, _, named = pair.rpartition("=")
        role = role_of(named)
        if not group or role is None:
            known = ", ".join(roles)
            raise OidcProblem(f"FIVEHUNDRED_OIDC_GROUPS holds {pair!r}; write GROUP=ROLE with one of {known}.")
        groups.append((group, role))
    role = role_of(environ.get("FIVEHUNDRED_OIDC_ROLE", "member"))
    if role is None:
        raise OidcProblem(f"FIVEHUNDRED_OIDC_ROLE is one of {', '.join(roles)}.")
    domains = tuple(d.casefold() for d in environ.get("FIVEHUNDRED_OIDC_DOMAINS", "").replace(",", " ").split())
    return Settings(issuer, client, environ.get("FIVEHUNDRED_OIDC_CLIENT_SECRET", ""), domains, role, tuple(groups))


def begin(public_url: str, vault: Vault, back: str) -> tuple[str, str]:
    """(address of the provider to go to, value of the cookie). Raises OidcProblem."""
    chosen = settings()
    state, nonce, verifier = (secret.random_secret() for _ in range(3))
    client = _client(chosen, public_url)
    url, _ = client.create_authorization_url(
        _discovered(chosen.issuer)["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
    )
    kept = {"state": state, "nonce": nonce, "verifier": verifier, "back": back, "at": time.time()}
    return str(url), vault.seal(json.dumps(kept))


def finish(public_url: str, vault: Vault, sent: dict[str, str], kept_cookie: str) -> Found:
    """What the provider sent the browser back with. Raises OidcProblem."""
    chosen = settings()
    try:
        kept = json.loads(vault.open(kept_cookie))
    except (CannotOpen, ValueError) as e:
        raise OidcProblem("This sign-in was not begun in this browser. Begin it again.") from e
    if time.time() - kept["at"] > _state_s_max or sent.get("state") != kept["state"]:
        raise OidcProblem("This sign-in is out of date, or was begun elsewhere. Begin it again.")
    if "code" not in sent:
        raise OidcProblem(f"{name()} did not sign you in: {sent.get('error', 'no code came back')[:100]}.")
    claims = _claims(chosen, public_url, sent["code"], kept)
    groups = claims.get("groups")
    mail = str(claims.get("email", ""))
    verified = claims.get("email_verified") is True and "@" in mail
    return Found(
        subject=f"{chosen.issuer} {claims['sub']}",
        name=mail if verified else str(claims.get("preferred_username") or claims["sub"]),
        verified=verified,
        shown=str(claims.get("name") or mail or claims["sub"])[:100],
        groups=tuple(g for g in groups if isinstance(g, str)) if isinstance(groups, list) else (),
        back=str(kept["back"]),
    )


def person_of(desk: People, found: Found, *, now: float) -> Person:
    """The account of the subject; one that waits under the verified address; or a new one, when the settings let them
    in. Groups, where they are set, decide the role each time. Raises OidcProblem."""
    chosen = settings()
    by_group = max((r for g, r in chosen.groups if g in found.groups), key=roles.index, default=None)
    person = desk.by_subject(found.subject)
    if person is None and found.verified:
        person = desk.by_name(found.name)
        if person is not None and not person.subject:
            desk.set_subject(person.id, found.subject)
    if person is None:
        domain = found.name.rpartition("@")[2].casefold() if found.verified else ""
        if by_group is None and domain not in chosen.domains:
            raise OidcProblem(f"{found.name[:100]} has no account here. Ask an admin to add one.")
        try:
            person = desk.person(
                desk.add(found.name, by_group or chosen.role, subject=found.subject, shown=found.shown, now=now)
            )
        except NameTaken as e:
            raise OidcProblem(f"{e}, and it belongs to somebody else.") from e
    elif by_group is not None and by_group != person.role and person.role != "owner":
        desk.set_role(person.id, by_group)
    if person.disabled_at is not None or (person.subject and person.subject != found.subject):
        raise OidcProblem("This account may not sign in. Ask an admin.")
    desk.signed_in(person.id, now=now)
    return desk.person(person.id)


def _claims(chosen: Settings, public_url: str, code: str, kept: dict[str, Any]) -> dict[str, Any]:
    """Of the ID token, checked: signature, issuer, audience, times, nonce (OpenID Connect Core 3.1.3.7)."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    known = _discovered(chosen.issuer)
    try:
        client = _client(chosen, public_url)
        answer = client.fetch_token(known["token_endpoint"], code=code, code_verifier=kept["verifier"])
        keys = KeySet.import_key_set(_get(known["jwks_uri"]))  # type: ignore[arg-type]
        token = jwt.decode(answer["id_token"], keys, algorithms=_algorithms)
        jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": chosen.issuer},
            aud={"essential": True, "value": chosen.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": kept["nonce"]},
        ).validate(token.claims)
    except (JoseError, KeyError, ValueError) as e:
        raise OidcProblem(f"What {name()} answered cannot be trusted ({type(e).__name__}). Begin again.") from e
    except OidcProblem:
        raise
    except Exception as e:  # authlib and the library below it have errors of their own for a refused code
        raise OidcProblem(f"{name()} did not give a token ({type(e).__name__}: {str(e)[:100]}).") from e
    return token.claims


def _client(chosen: Settings, public_url: str) -> Any:
    try:
        from authlib.integrations.requests_client import OAuth2Session
    except ModuleNotFoundError as e:
        raise OidcProblem('A package is missing: pip install "fivehundred[oidc]"') from e
    session = OAuth2Session(
        chosen.client_id,
        chosen.client_secret or None,
        scope="openid email profile",
        redirect_uri=public_url + _path,
        code_challenge_method="S256",
        default_timeout=_timeout_s,
    )
    session.trust_env = False
    return session


@lru_cache(maxsize=4)
def _discovered(issuer: str) -> dict[str, Any]:
    found = _get(issuer.rstrip("/") + "/.well-known/openid-configuration")
    if found.get("issuer", "").rstrip("/") != issuer.rstrip("/"):
        raise OidcProblem(f"What answers at {issuer} says that it is {str(found.get('issuer'))[:200]!r}.")
    return found


def _get(url: str) -> dict[str, Any]:
    import requests

    try:
        answer = requests.get(url, timeout=_timeout_s, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as e:
        raise OidcProblem(f"{urlsplit(url).hostname} does not answer ({type(e).__name__}). Try again later.") from e
    if not isinstance(found, dict):
        raise OidcProblem(f"What answers at {url} is no provider.")
    return found
