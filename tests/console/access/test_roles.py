"""The ladder of roles, and what each path needs."""

from __future__ import annotations

import pytest

from fivehundred.console.access.identity import Identity, nobody, somebody_here
from fivehundred.console.access.needs import needed
from fivehundred.console.access.roles import (
    Need,
    Role,
    covers,
    highest,
    in_team,
    may,
    may_grant,
    needs,
    roles,
    team_roles,
)

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


@pytest.mark.parametrize("own", roles)
@pytest.mark.parametrize("given", ["", *team_roles])
def test_a_role_in_a_team_holds_there_and_nowhere_else(own: Role, given: str) -> None:
    there = in_team(own, given)
    who = Identity("bob", own, "session", 1, rights={"1": there})
    for need in needs:
        assert who.may(need, "1") is covers(there, need)
        assert not who.may(need, "2")
        assert who.may(need) is may(own, need)
    assert given == "" or there == {"viewer": "read", "member": "act", "admin": "manage"}[given]


def test_of_two_teams_the_one_that_gives_more_counts() -> None:
    assert highest(("read", "manage", "act")) == "manage"


def test_a_token_is_bounded_in_each_project() -> None:
    who = Identity("bob", "viewer", "token", 1, most="act", rights={"1": "manage", "2": "read"})
    assert [who.may(need, "1") for need in needs] == [True, True, False, False]
    assert who.may_somewhere("act")
    assert not who.may_somewhere("manage")
    assert not who.may("act", "2")
