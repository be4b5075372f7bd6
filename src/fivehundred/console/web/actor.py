"""Who acts: the member who is signed in, as far as the request says it. Without accounts it is "a person"."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from fivehundred.console.access.identity import current


@dataclass(frozen=True, slots=True)
class Actor:
    name: str = "a person"
    id: int | None = None
    names: tuple[str, ...] = ()  # what "me" means in a search: the name and those of their teams


def actor(request: Request) -> Actor:
    identity = current.get()
    if identity.how == "open":
        return Actor()
    return Actor(identity.name, identity.person, (identity.name, *identity.teams))
