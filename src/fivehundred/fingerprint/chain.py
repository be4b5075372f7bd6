"""Chain: exceptions that several events share. What follows from them alone is found out once."""

from __future__ import annotations

from collections.abc import Iterable

from fivehundred.event import ExceptionItem


class Chain(list[ExceptionItem]):
    """A list of exceptions that were told in the same words before. Nobody changes it.

    ``notes`` holds what was found out of them, by the name of who did; several chains may share it.
    """

    def __init__(self, exceptions: Iterable[ExceptionItem], notes: dict[str, object] | None = None) -> None:
        super().__init__(exceptions)
        self.notes: dict[str, object] = {} if notes is None else notes
