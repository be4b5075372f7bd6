"""The desk of people on each database."""

from __future__ import annotations

import pytest
from tests.console.store.conftest import *  # noqa: F403 - the stores under test

from fivehundred.console.store.base import NotFound, Store
from fivehundred.console.store.people import LastOwner, NameTaken, People, TeamRole, session_idle_s_max, session_s_max

now = 1_790_000_000.0


@pytest.fixture
def desk(store: Store) -> People:
    return People(store.database)


def test_names_are_one_whatever_their_case(desk: People) -> None:
    desk.add("Ann@Example.test", "owner", now=now)
    found = desk.by_name(" ann@example.TEST ")
    assert found is not None
    assert (found.name, found.shown) == ("ann@example.test", "Ann@Example.test")
    with pytest.raises(NameTaken):
        desk.add("ANN@example.test", "viewer", now=now)


def test_the_last_owner_stays(desk: People) -> None:
    ann = desk.add("ann", "owner", now=now)
    with pytest.raises(LastOwner):
        desk.set_role(ann, "admin")
    with pytest.raises(LastOwner):
        desk.disable(ann, now=now)
    bob = desk.add("bob", "owner", now=now)
    desk.disable(ann, now=now)
    with pytest.raises(LastOwner):
        desk.set_role(bob, "member")


def test_a_session_ends_when_it_is_idle_old_or_ended(desk: People) -> None:
    ann = desk.add("ann", "owner", now=now)
    first = desk.begin_session(ann, "h1", address="127.0.0.1", agent="x" * 999, now=now)
    assert desk.session("h1", now=now + 60) is not None
    assert desk.session("h1", now=now + 60 + session_idle_s_max + 1) is None
    at = now
    while at < now + session_s_max - 86_400:
        at += session_idle_s_max / 2
        desk.session("h1", now=at)
    assert desk.session("h1", now=now + session_s_max + 1) is None
    desk.end_session(ann, first)
    assert desk.session("h1", now=now + 60) is None


def test_who_is_disabled_has_no_session_no_token_and_no_invite(desk: People) -> None:
    desk.add("ann", "owner", now=now)
    bob = desk.add("bob", "member", now=now)
    desk.begin_session(bob, "s", address="", agent="", now=now)
    desk.add_token(bob, "t", "t", "fhk_", scope="read", project="", expires_at=None, now=now)
    desk.invite(bob, "i", expires_at=now + 60)
    desk.disable(bob, now=now)
    assert desk.session("s", now=now) is None
    assert desk.token("t", now=now) is None
    assert desk.invited("i", now=now) is None


def test_an_invite_works_once_and_in_its_time(desk: People) -> None:
    ann = desk.add("ann", "owner", now=now)
    desk.invite(ann, "old", expires_at=now + 60)
    assert desk.take_invite("old", "hash", now=now + 61) is None
    desk.invite(ann, "new", expires_at=now + 60)
    assert desk.invited("old", now=now) is None  # one at a time
    assert desk.take_invite("new", "hash", now=now) is not None
    assert desk.take_invite("new", "other", now=now) is None
    assert desk.person(ann).password == "hash"


def test_a_token_ends_with_its_time_or_its_revocation(desk: People) -> None:
    ann = desk.add("ann", "owner", now=now)
    made = desk.add_token(ann, "t", "t", "fhk_", scope="read", project="", expires_at=now + 60, now=now)
    assert desk.token("t", now=now + 59) is not None
    assert desk.token("t", now=now + 61) is None
    with pytest.raises(NotFound):
        desk.revoke_token(made, person=ann + 1)
    desk.revoke_token(made)
    assert desk.token("t", now=now) is None


def test_projects_are_kept_from_others_once_a_team_has_one(desk: People) -> None:
    bob = desk.add("bob", "member", now=now)
    team = desk.add_team("shop")
    assert desk.team_roles_of(bob) is None
    desk.set_team(team, [], ["1"])
    assert desk.team_roles_of(bob) == {}
    desk.set_team(team, [bob, bob], ["1", "3"])
    assert desk.team_roles_of(bob) == {"1": [""], "3": [""]}
    assert desk.teams_of(bob) == ("shop",)
    desk.remove_team(team)
    assert desk.team_roles_of(bob) is None


def test_a_role_in_a_team_is_kept_with_the_member(desk: People) -> None:
    bob, eve = desk.add("bob", "viewer", now=now), desk.add("eve", "member", now=now)
    team, other = desk.add_team("shop"), desk.add_team("money")
    desk.set_team(team, [bob, eve], ["1"], [TeamRole(bob, "admin")])
    desk.set_team(other, [bob], ["1", "2"])
    assert desk.team_roles_of(bob) == {"1": ["admin", ""], "2": [""]}
    assert next(t for t in desk.teams() if t.id == team).role(bob) == "admin"
    desk.set_team(team, [bob, eve], ["1"])
    assert desk.team_roles_of(bob) == {"1": ["", ""], "2": [""]}


def test_a_code_is_used_once_by_two_sign_ins_at_the_same_moment(desk: People) -> None:
    ann = desk.add("ann", "owner", now=now)
    desk.set_totp(ann, "sealed", ["r1", "r2"])
    assert [desk.use_totp(ann, 7), desk.use_totp(ann, 7), desk.use_totp(ann, 6)] == [True, False, False]
    assert [desk.use_recovery(ann, "r1"), desk.use_recovery(ann, "r1")] == [True, False]


def test_the_audit_log_is_read_from_the_newest(desk: People) -> None:
    for n in range(5):
        desk.audit("ann", f"act {n}", now=now + n)
    rows = desk.audited(limit=2)
    assert [r.what for r in rows] == ["act 4", "act 3"]
    assert [r.what for r in desk.audited(before=rows[-1].id, limit=9)] == ["act 2", "act 1", "act 0"]
