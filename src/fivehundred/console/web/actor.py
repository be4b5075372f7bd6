"""Who acts: the member who is signed in, as far as the request says it. Without accounts it is "a person"."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Actor:
    name: str = "a person"
    id: int | None = None
    names: tuple[str, ...] = ()  # what "me" means in a search: the name and those of their teams


def actor(request: Request) -> Actor:
    found = request.scope.get("fivehundred.actor")
    return found if isinstance(found, Actor) else Actor()
