"""What the API answers: the store's values with what a program needs beside them. Values only.

The names are the product's nouns; nothing is renamed on the way out, so a field means the same in the store, on the
pages and here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from fivehundred.console.api.bounds import Faults
from fivehundred.console.store.base import (
    Change,
    EventSummary,
    Fault,
    FaultDetail,
    FaultState,
    Feedback,
    Stats,
    StoredEvent,
    Tally,
)
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FaultList:
    faults: tuple[Fault, ...]
    next: str  # cursor of the next page, empty at the end
    total: int  # faults that match, on all pages


@dataclass(frozen=True, slots=True)
class FaultAnswer(Fault):
    """One fault as in the list, with all else that is known of it. ``page`` is the address of its page."""

    page: str
    diagnosis: Diagnosis
    fingerprint: dict[str, Json]
    tags: dict[str, tuple[tuple[str, int], ...]]
    releases: tuple[tuple[str, int, float], ...]
    hosts: tuple[tuple[str, int], ...]
    history: tuple[Change, ...]
    trend_daily: tuple[int, ...]

    @classmethod
    def of(cls, detail: FaultDetail, page: str) -> FaultAnswer:
        rest = {name: value for name, value in _fields(detail).items() if name != "fault"}
        return cls(**_fields(detail.fault), **rest, page=page)


@dataclass(frozen=True, slots=True)
class EventList:
    events: tuple[EventSummary, ...]
    next: str


@dataclass(frozen=True, slots=True)
class EventAnswer(EventSummary):
    """One event as in lists, its payload as it was kept (scrubbed), and what was concluded from it."""

    page: str
    payload: dict[str, Json]
    diagnosis: Diagnosis | None
    fingerprint: dict[str, Json]
    malformed: str
    newer: str
    older: str
    feedback: tuple[Feedback, ...]

    @classmethod
    def of(cls, stored: StoredEvent, page: str) -> EventAnswer:
        rest = {name: value for name, value in _fields(stored).items() if name != "summary"}
        return cls(**_fields(stored.summary), **rest, page=page)


@dataclass(frozen=True, slots=True)
class ProjectAnswer:
    id: str
    name: str
    dsn: str
    created_at: float


@dataclass(frozen=True, slots=True)
class ProjectList:
    projects: tuple[ProjectAnswer, ...]


@dataclass(frozen=True, slots=True)
class StatsAnswer(Stats):
    """Figures of the last ``hours``; besides, what was refused at the door since the start, and what waits."""

    refused: tuple[Tally, ...]
    backlog_records: int
    backlog_bytes: int

    @classmethod
    def of(cls, stats: Stats, refused: tuple[Tally, ...], records: int, size: int) -> StatsAnswer:
        return cls(**_fields(stats), refused=refused, backlog_records=records, backlog_bytes=size)


@dataclass(frozen=True, slots=True)
class StateChange:
    """What is sent to change the state of faults."""

    state: FaultState


@dataclass(frozen=True, slots=True)
class ManyStates:
    faults: Faults
    state: FaultState


@dataclass(frozen=True, slots=True)
class Changed:
    changed: int  # faults whose state is another one now


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


def _fields(value: Fault | FaultDetail | EventSummary | StoredEvent | Stats) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}
