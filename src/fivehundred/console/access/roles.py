"""What a role may, as one ladder: who may do a thing may do everything below it. Pure.

| need | what it covers |
|---|---|
| read | every page and answer about faults, events, incidents, releases, figures |
| act | triage: resolve, mute, assign, comment, merge and split, saved views, issues |
| manage | projects with their keys, filters and rules, alerts, trackers |
| admin | people, teams, tokens of others, the audit log |
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

Role: TypeAlias = Literal["viewer", "member", "admin", "owner"]
Need: TypeAlias = Literal["read", "act", "manage", "admin"]

roles: Final[tuple[Role, ...]] = get_args(Role)
needs: Final[tuple[Need, ...]] = get_args(Need)
_most: Final[dict[Role, Need]] = {"viewer": "read", "member": "act", "admin": "admin", "owner": "admin"}


def may(role: Role, need: Need) -> bool:
    return needs.index(need) <= needs.index(_most[role])


def lower(first: Need, second: Need) -> Need:
    """Of two ladders' tops the lower one: what a token may is bounded by its scope and by its owner's role."""
    return first if needs.index(first) <= needs.index(second) else second


def top(role: Role) -> Need:
    return _most[role]


def may_grant(own: Role, given: Role) -> bool:
    """Whether somebody of this role may make others that role, or change those who have it: nobody above oneself."""
    return own in ("admin", "owner") and roles.index(given) <= roles.index(own)


def sees_all(role: Role) -> bool:
    """Admins and owners see every project, whatever teams they are in."""
    return role in ("admin", "owner")


def role_of(text: str) -> Role | None:
    return next((role for role in roles if role == text), None)
