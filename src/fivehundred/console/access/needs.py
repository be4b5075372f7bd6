"""What each path needs. The one table: a route that it does not name is refused, and a test names the route."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from fivehundred.console.access.roles import Need

# "public": anybody, signed in or not; "signed": anybody who is signed in
Wanted: TypeAlias = Need | Literal["public", "signed"]

_reading: Final = "GET|HEAD"
_any: Final = "[A-Z]+"
_read_pages: Final = (
    r"/(?:faults|events|incidents)(?:/.*)?|/(?:choices|views|grouping)(?:/.*)?"
    r"|/(?:help|live|losses|malformed|palette|releases?|routes?)|/"
)
_read_answers: Final = (
    r"/api/v1/(?:faults|events|incidents|choices|views|deploys)(?:/.*)?"
    r"|/api/v1/(?:docs(?:/shapes)?|openapi\.json|rates|releases|routes|stats)"
)

# (methods, path, need), the first that fits
_table: Final[tuple[tuple[str, str, Wanted], ...]] = (
    (_reading, r"/static/[^/]+|/favicon\.ico", "public"),
    (_any, r"/sign-in(?:/oidc(?:/back)?)?|/invite/[^/]+|/sign-out", "public"),
    ("POST", r"/looks", "public"),
    (_reading, r"/api/v1/trackers", "act"),  # to make an issue, one must know where
    (_any, r"/account(?:/.*)?", "signed"),
    (_any, r"/(?:people|teams|audit)(?:/.*)?", "admin"),
    (_any, r"/api/v1/(?:people|teams|audit)(?:/.*)?", "admin"),
    (_any, r"/api/v1/(?:me|tokens(?:/.*)?)", "signed"),
    (_reading, r"/settings", "read"),  # what is there is said for each by itself
    (_any, r"/(?:alerts|trackers|settings|filters|ownership|owners|rules)(?:/.*)?", "manage"),
    (_reading, r"/projects(?:/\d+)?", "read"),
    (_any, r"/projects(?:/.*)?", "manage"),
    (_reading, r"/api/v1/projects(?:/\d+)?", "read"),
    (_any, r"/api/v1/(?:projects|filters|ownership|rules|alerts|channels|quotas|trackers)(?:/.*)?", "manage"),
    (_reading, r"/api/v1/objectives", "read"),
    (_any, r"/api/v1/objectives(?:/.*)?", "manage"),
    (_reading, r"/grouping|/api/v1/(?:grouping-rules|owner-rules)", "read"),
    # rules hold for events of every project
    (_any, r"/grouping(?:/.*)?|/api/v1/(?:grouping-rules|owner-rules)(?:/.*)?", "manage"),
    (_any, r"/api/0/.*|/api/0", "act"),
    (_any, r"/mcp", "read"),
    (_reading, r"/metrics", "read"),
    (_reading, f"{_read_pages}|{_read_answers}", "read"),
    (_any, f"{_read_pages}|{_read_answers}", "act"),
)
# what is changed here is of a project that the body names: the handler asks for the right in that one
_in_body: Final = re.compile(r"/(?:settings|api/v1)/objectives")
_compiled: Final = tuple((re.compile(methods), re.compile(path), need) for methods, path, need in _table)


def of_some_project(path: str) -> bool:
    """Whether the right in some project opens the path, of what is otherwise for whoever manages the whole Console."""
    return _in_body.fullmatch(path) is not None


def declared(method: str, path: str) -> bool:
    """Whether the table names it; what it does not name is for admins, until somebody has thought about it."""
    return any(m.fullmatch(method) and p.fullmatch(path) for m, p, _ in _compiled)


@lru_cache(maxsize=4096)
def needed(method: str, path: str) -> Wanted:
    for methods, pattern, need in _compiled:
        if methods.fullmatch(method) and pattern.fullmatch(path):
            return need
    return "admin"
