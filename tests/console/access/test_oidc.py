"""Signing in with a provider: a real one of our own, over HTTP, with signed tokens and PKCE."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.console.store.conftest import *  # noqa: F403 - the stores under test

from fivehundred.console.access import oidc
from fivehundred.console.store.base import Store
from fivehundred.console.store.people import People
from fivehundred.console.vault import Vault

now = 1_790_000_000.0
here = "http://127.0.0.1:5500"


class Provider:
    """Discovery, keys, authorization and token endpoint. ``lie``: claims of the token that are put in place of ours."""

    def __init__(self) -> None:
        self.key = self.signs_with = RSAKey.generate_key(2048, {"kid": "k"})
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {"sub": "7", "email": "ann@example.test", "email_verified": True, "name": "Ann"}
        self.lie: dict[str, Any] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*provider.read(self.path))

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"])).decode()
                self._answer(*provider.token(dict(urllib.parse.parse_qsl(raw))))

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def read(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return 200, {"issuer": self.issuer, **{n: f"{self.issuer}/{p}" for n, p in names.items()}}

    def authorize(self, url: str) -> dict[str, str]:
        """What the browser comes back with, once the person has agreed."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{here}/sign-in/oidc/back"
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, sent: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(sent.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if asked is None or proof.decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        at = int(time.time())
        claims = {"iss": self.issuer, "aud": asked["client_id"], "exp": at + 60, "iat": at, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "k"}, claims | self.claims | self.lie, self.signs_with)
        return 200, {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    made = Provider()
    for name, value in {"ISSUER": made.issuer, "CLIENT_ID": "console", "CLIENT_SECRET": "s3cret"}.items():
        monkeypatch.setenv(f"FIVEHUNDRED_OIDC_{name}", value)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "console.key")


@pytest.fixture
def desk(store: Store) -> People:
    return People(store.database)


def found(provider: Provider, vault: Vault, **changed: str) -> oidc.Found:
    url, cookie = oidc.begin(here, vault, "/faults")
    return oidc.finish(here, vault, provider.authorize(url) | changed, cookie)


def test_who_the_provider_vouches_for_is_told(provider: Provider, vault: Vault) -> None:
    who = found(provider, vault)
    assert (who.subject, who.name, who.shown) == (f"{provider.issuer} 7", "ann@example.test", "Ann")
    assert who.back == "/faults"


@pytest.mark.parametrize(
    "lie",
    [{"nonce": "other"}, {"aud": "another"}, {"iss": "http://evil.test"}, {"exp": 1}, {"sub": ""}, {"nonce": None}],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(provider: Provider, vault: Vault, lie: dict[str, Any]) -> None:
    provider.lie = lie
    with pytest.raises(oidc.OidcProblem):
        found(provider, vault)


def test_a_token_of_another_key_is_refused(provider: Provider, vault: Vault) -> None:
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "k"})
    with pytest.raises(oidc.OidcProblem, match="cannot be trusted"):
        found(provider, vault)


def test_a_state_of_elsewhere_is_refused(provider: Provider, vault: Vault) -> None:
    with pytest.raises(oidc.OidcProblem, match="begun elsewhere"):
        found(provider, vault, state="planted")
    with pytest.raises(oidc.OidcProblem, match="not begun in this browser"):
        oidc.finish(here, vault, {"code": "x", "state": "x"}, "planted")


def test_a_code_is_taken_once(provider: Provider, vault: Vault) -> None:
    url, cookie = oidc.begin(here, vault, "/")
    sent = provider.authorize(url)
    oidc.finish(here, vault, sent, cookie)
    with pytest.raises(oidc.OidcProblem):
        oidc.finish(here, vault, sent, cookie)


def test_a_code_of_another_browser_fails_by_pkce(provider: Provider, vault: Vault) -> None:
    theirs = provider.authorize(oidc.begin(here, vault, "/")[0])
    with pytest.raises(oidc.OidcProblem):
        found(provider, vault, code=theirs["code"])


def test_nobody_gets_in_without_an_account_a_domain_or_a_group(
    provider: Provider, vault: Vault, desk: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(oidc.OidcProblem, match="has no account"):
        oidc.person_of(desk, found(provider, vault), now=now)
    monkeypatch.setenv("FIVEHUNDRED_OIDC_DOMAINS", "example.test")
    assert oidc.person_of(desk, found(provider, vault), now=now).role == "member"


def test_an_address_that_is_not_verified_is_nobodys(provider: Provider, vault: Vault, desk: People) -> None:
    desk.add("ann@example.test", "owner", now=now)
    provider.claims["email_verified"] = False
    with pytest.raises(oidc.OidcProblem):
        oidc.person_of(desk, found(provider, vault), now=now)


def test_an_account_that_waits_is_bound_to_the_first_subject(provider: Provider, vault: Vault, desk: People) -> None:
    waiting = desk.add("ann@example.test", "admin", now=now)
    assert oidc.person_of(desk, found(provider, vault), now=now).id == waiting
    provider.claims["sub"] = "8"
    with pytest.raises(oidc.OidcProblem, match="may not sign in"):
        oidc.person_of(desk, found(provider, vault), now=now)


def test_groups_decide_the_role_each_time(
    provider: Provider, vault: Vault, desk: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIVEHUNDRED_OIDC_GROUPS", "ops=admin devs=viewer")
    provider.claims["groups"] = ["ops", "devs"]
    assert oidc.person_of(desk, found(provider, vault), now=now).role == "admin"
    provider.claims["groups"] = ["devs"]
    assert oidc.person_of(desk, found(provider, vault), now=now).role == "viewer"


def test_who_is_disabled_stays_out(provider: Provider, vault: Vault, desk: People) -> None:
    desk.add("root", "owner", now=now)
    ann = desk.add("ann@example.test", "member", now=now)
    desk.disable(ann, now=now)
    with pytest.raises(oidc.OidcProblem):
        oidc.person_of(desk, found(provider, vault), now=now)
