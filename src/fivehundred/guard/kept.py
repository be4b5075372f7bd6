"""Texts of objects that come again and again, kept by the objects' identity. Bounded; for what nobody changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from fivehundred import limits

T = TypeVar("T")


class Kept(Generic[T]):
    def __init__(self, make: Callable[[T], str]) -> None:
        self._make = make
        self._found: dict[int, tuple[T, str]] = {}  # the object is kept too, so that its id stays its own

    def __call__(self, value: T) -> str:
        found = self._found.get(id(value))
        if found is not None:
            return found[1]
        if len(self._found) >= limits.source_lines_kept_max:
            self._found.clear()
        text = self._make(value)
        self._found[id(value)] = (value, text)
        return text
