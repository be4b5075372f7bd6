"""The ladder of roles, and what each path needs."""

from __future__ import annotations

import pytest

from fivehundred.console.access.identity import Identity, nobody, somebody_here
from fivehundred.console.access.needs import needed
from fivehundred.console.access.roles import Need, Role, may, may_grant, needs, roles

most: dict[Role, int] = {"viewer": 1, "member": 2, "admin": 4, "owner": 4}


@pytest.mark.parametrize("role", roles)
def test_who_may_do_a_thing_may_do_all_below_it(role: Role) -> None:
    assert [need for need in needs if may(role, need)] == list(needs[: most[role]])


@pytest.mark.parametrize("own", roles)
def test_nobody_makes_somebody_more_than_oneself(own: Role) -> None:
    grants = [role for role in roles if may_grant(own, role)]
    assert grants == ({"admin": list(roles[:3]), "owner": list(roles)}.get(own, []))


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/", "read"),
        ("GET", "/faults/1", "read"),
        ("POST", "/faults/state", "act"),
        ("PATCH", "/api/v1/faults", "act"),
        ("GET", "/people", "admin"),
        ("POST", "/teams/1", "admin"),
        ("GET", "/audit", "admin"),
        ("GET", "/alerts", "manage"),
        ("POST", "/alerts/channels", "manage"),
        ("POST", "/projects", "manage"),
        ("GET", "/projects", "read"),
        ("GET", "/sign-in", "public"),
        ("GET", "/static/console.css", "public"),
        ("GET", "/static/../people", "admin"),
        ("POST", "/account/tokens", "signed"),
        ("GET", "/metrics", "read"),
        ("POST", "/mcp", "read"),
        ("BREW", "/anything", "admin"),
        ("POST", "/faults/1/comments", "act"),
        ("POST", "/grouping", "manage"),
        ("POST", "/api/v1/owner-rules", "manage"),
        ("GET", "/not/declared", "admin"),
    ],
)
def test_a_path_needs(method: str, path: str, need: str) -> None:
    assert needed(method, path) == need


@pytest.mark.parametrize("need", needs)
def test_a_token_may_no_more_than_its_scope_and_its_owner(need: Need) -> None:
    reading = Identity("ann", "owner", "token", 1, most="read")
    assert reading.may(need) is (need == "read")
    weak = Identity("bob", "viewer", "token", 2, most="admin")
    assert weak.may(need) is (need == "read")
    assert not nobody.may(need)
    assert somebody_here.may(need)
