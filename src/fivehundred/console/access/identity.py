"""Who is asking: set by the gate for one request, read by whatever depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from fivehundred.console.access.roles import Need, Role, covers, may


class MayNot(Exception):
    """What is asked for is seen by whoever asks, and their right there does not reach so far; the text says which."""


How: TypeAlias = Literal["open", "session", "token", "nobody"]


@dataclass(frozen=True, slots=True)
class Identity:
    """``most``: the top of what a token may. ``rights``: the top in each project that is seen; None: all projects are
    seen, with what the role gives."""

    name: str
    role: Role
    how: How
    person: int | None = None
    most: Need = "admin"
    rights: Mapping[str, Need] | None = None
    teams: tuple[str, ...] = ()
    session: int | None = None

    @property
    def projects(self) -> frozenset[str] | None:
        """Those that are seen; None: all."""
        return None if self.rights is None else frozenset(self.rights)

    def sees(self, project: str) -> bool:
        return self.rights is None or project in self.rights

    def may(self, need: Need, project: str | None = None) -> bool:
        """With what is of that project; without one, with what is of the whole Console."""
        if self.how == "nobody" or not covers(self.most, need):
            return False
        if project is None or self.rights is None:
            return may(self.role, need)
        return project in self.rights and covers(self.rights[project], need)

    def check(self, need: Need, project: str) -> None:
        """Raises MayNot."""
        if not self.may(need, project):
            raise MayNot(f"{self.name or 'nobody'} has no right to {need} in project {project[:40]}")

    def may_somewhere(self, need: Need) -> bool:
        """In some project at least; whoever sees none may still read the pages, which are empty then."""
        if self.rights is None or (need == "read" and self.how != "nobody"):
            return self.may(need)
        return any(self.may(need, project) for project in self.rights)


# A Console of this machine without accounts: whoever reaches it is its owner.
somebody_here: Final = Identity("a person", "owner", "open")
nobody: Final = Identity("", "viewer", "nobody", most="read", rights={})

# Copied into the threads that handlers run in. Work of the Console itself (alerts, digest) is nobody's request: all.
current: ContextVar[Identity] = ContextVar("fivehundred_identity", default=somebody_here)
