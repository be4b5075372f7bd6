"""The event that stands for a fault: its newest one whose payload is kept."""

from __future__ import annotations

from collections.abc import Sequence

from fivehundred import limits
from fivehundred.console.store.base import EventSummary, FaultDetail, NotFound, Store, StoredEvent


def newest(store: Store, detail: FaultDetail) -> StoredEvent | None:
    """The newest event whose payload is kept; None when all of them are only counted."""
    try:
        stored = store.event(detail.fault.last_event_id, project=detail.fault.project)
        if stored.summary.kept:
            return stored
    except NotFound:
        pass  # counted only: the next newest will do
    recent, _ = store.events(detail.fault.id, project=None, cursor="", limit=limits.rows_max)
    return _first_kept(store, recent)


def _first_kept(store: Store, recent: Sequence[EventSummary]) -> StoredEvent | None:
    kept = next((e for e in recent if e.kept), None)
    return store.event(kept.event_id, project=kept.project) if kept else None
