"""Searching kept events in the JSON API: by user, tag, release, time and words, over one project or all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred import limits
from fivehundred.console.api import edge
from fivehundred.console.api.operations import gets, in_query
from fivehundred.console.site import Site
from fivehundred.console.store.base import EventSummary
from fivehundred.console.web import event_terms


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """``read``: payloads that were looked into. ``back_to``: how far back it has looked; null: as far as there is."""

    events: tuple[EventSummary, ...]
    next: str
    read: int
    back_to: float | None


shown = (FoundEvents,)


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    return [Route("/events", edge.reads(EventsApi(site).find, "query", "cursor", "limit"), methods=["GET"])]


def paths() -> dict[str, Any]:
    line = in_query("query", {"type": "string"}, "as in `user:u1 tag:region=eu within:24h refused`")
    cursor = in_query("cursor", {"type": "string"}, "the `next` of the page before")
    limit = in_query("limit", {"type": "integer", "minimum": 1, "maximum": limits.page_rows_max}, "rows at most")
    return {"/events": {"get": gets("kept events that match a search", "FoundEvents", line, cursor, limit)}}


class EventsApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, request: Request) -> FoundEvents:
        store, sent = self._site.store(), request.query_params
        asked = event_terms.parse(sent.get("query", ""), store.projects())
        if asked.problems:
            raise HTTPException(400, " ".join(asked.problems))
        query = replace(asked.query, cursor=sent.get("cursor", ""), limit=edge.limit_of(request))
        found = store.find_events(query)
        return FoundEvents(found.events, found.next, found.read, found.back_to)
