"""What a role may, as one ladder: who may do a thing may do everything below it. Pure.

| need | what it covers |
|---|---|
| read | every page and answer about faults, events, incidents, releases, figures |
| act | triage: resolve, mute, assign, comment, merge and split, saved views, issues |
| manage | projects with their keys, filters and rules, alerts, trackers |
| admin | people, teams, tokens of others, the audit log |

A role in a team holds for the team's projects alone, and there instead of the person's own: it adds to it or limits it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args

Role: TypeAlias = Literal["viewer", "member", "admin", "owner"]
TeamRole: TypeAlias = Literal["viewer", "member", "admin"]
Need: TypeAlias = Literal["read", "act", "manage", "admin"]

roles: Final[tuple[Role, ...]] = get_args(Role)
team_roles: Final[tuple[TeamRole, ...]] = get_args(TeamRole)
needs: Final[tuple[Need, ...]] = get_args(Need)
_most: Final[dict[Role, Need]] = {"viewer": "read", "member": "act", "admin": "admin", "owner": "admin"}
_in_team: Final[dict[str, Need]] = {"viewer": "read", "member": "act", "admin": "manage"}


def may(role: Role, need: Need) -> bool:
    return needs.index(need) <= needs.index(_most[role])


def lower(first: Need, second: Need) -> Need:
    """Of two ladders' tops the lower one: what a token may is bounded by its scope and by its owner's role."""
    return first if needs.index(first) <= needs.index(second) else second


def top(role: Role) -> Need:
    return _most[role]


def in_team(own: Role, role: str) -> Need:
    """The top of what somebody may do with a team's projects; without a role in it, what their own gives them."""
    return _in_team.get(role, top(own))


def highest(found: Iterable[Need]) -> Need:
    """Of several teams with the same project the one that gives most."""
    return max(found, key=needs.index)


def covers(most: Need, need: Need) -> bool:
    return needs.index(need) <= needs.index(most)


def team_role_of(text: str) -> TeamRole | None:
    return next((role for role in team_roles if role == text), None)


def may_grant(own: Role, given: Role) -> bool:
    """Whether somebody of this role may make others that role, or change those who have it: nobody above oneself."""
    return own in ("admin", "owner") and roles.index(given) <= roles.index(own)


def sees_all(role: Role) -> bool:
    """Admins and owners see every project, whatever teams they are in."""
    return role in ("admin", "owner")


def role_of(text: str) -> Role | None:
    return next((role for role in roles if role == text), None)
