"""Whom a failed request was for: named by the application, or read where Flask-Login and Django have put it already.

Nobody is looked up: a lazy ``request.user`` that was not used yet stays unused, and no property is called.
"""

from __future__ import annotations

from typing import Final

from fivehundred import limits, scrub
from fivehundred.event import User, clean
from fivehundred.guard.render import stored
from fivehundred.guard.request import RequestParts


def named(id: object, name: str = "", email: str = "") -> User | None:
    """A user as the application names it; None when it names nobody."""
    found = User(id=_member(id), username=_member(name), email=_member(email))
    return found if found.identity else None


def _member(value: object) -> str:
    if type(value) is str:
        return scrub.scrub_text(clean(value[: limits.user_chars_max]))
    if type(value) is int:
        return str(value) if value.bit_length() < 128 else ""
    kind = type(value)
    # a UUID is what applications number users with besides; its text is made from its stored number
    if kind.__module__ == "uuid" and kind.__qualname__ == "UUID":
        number = stored(value).get("int")
        return f"{number:032x}" if type(number) is int else ""
    return ""


def of(parts: RequestParts | None) -> User | None:
    """Of a user object that a framework keeps with the request: its stored key and nothing else."""
    holder = parts.user if parts is not None else None
    return None if holder is None else of_object(holder)


def of_object(holder: object) -> User | None:
    """Django's ``SimpleLazyObject`` is opened only when it was evaluated; a model's key is stored, not computed."""
    own = stored(holder)
    if "_wrapped" in own:
        holder = own["_wrapped"]
        own = stored(holder)
    for name in _keys:
        found = named(own.get(name))
        if found is not None:
            return found
    return None


_keys: Final = ("id", "pk", "user_id", "uuid")
