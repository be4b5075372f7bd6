"""Who is asking: set by the gate for one request, read by whatever depends on it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from fivehundred.console.access.roles import Need, Role, may, needs

How: TypeAlias = Literal["open", "session", "token", "nobody"]


@dataclass(frozen=True, slots=True)
class Identity:
    """``projects``: those that are visible; None: all. ``most``: the top of what a token may."""

    name: str
    role: Role
    how: How
    person: int | None = None
    most: Need = "admin"
    projects: frozenset[str] | None = None
    teams: tuple[str, ...] = ()
    session: int | None = None

    def may(self, need: Need) -> bool:
        return self.how != "nobody" and may(self.role, need) and needs.index(need) <= needs.index(self.most)

    def sees(self, project: str) -> bool:
        return self.projects is None or project in self.projects


# A Console of this machine without accounts: whoever reaches it is its owner.
somebody_here: Final = Identity("a person", "owner", "open")
nobody: Final = Identity("", "viewer", "nobody", most="read", projects=frozenset())

# Copied into the threads that handlers run in. Work of the Console itself (alerts, digest) is nobody's request: all.
current: ContextVar[Identity] = ContextVar("fivehundred_identity", default=somebody_here)
