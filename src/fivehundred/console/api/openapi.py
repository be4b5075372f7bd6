"""The OpenAPI 3.1 document of the API: paths written by hand, schemas made from the shapes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import fivehundred
from fivehundred import limits
from fivehundred.console.api import (
    alerts,
    bounds,
    choices,
    context,
    events,
    incidents,
    issues,
    openapi_choices,
    openapi_triage,
    people,
    project_rules,
    quotas,
    schema,
    shapes,
    triage,
)
from fivehundred.console.api.operations import gets, in_path, in_query, sends, shows
from fivehundred.console.web import search

Schema = schema.Schema


@lru_cache(maxsize=4)
def document(public_url: str) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fivehundred",
            "version": fivehundred.__version__,
            "summary": "Faults, their events and why they happen.",
            "description": "Times are seconds since 1970. Errors are application/problem+json (RFC 9457).",
        },
        "servers": [{"url": f"{public_url}/api/v1"}],
        "paths": _paths(),
        "components": {"schemas": _extended(_schemas())},
    }


def _schemas() -> dict[str, Any]:
    """What is answered, and after ``sent`` what is taken."""
    return schema.components(
        shapes.FaultList,
        shapes.FaultAnswer,
        shapes.EventList,
        shapes.EventAnswer,
        shapes.ProjectList,
        shapes.StatsAnswer,
        incidents.IncidentList,
        incidents.IncidentAnswer,
        incidents.IncidentChange,
        quotas.QuotaAnswer,
        shapes.StateChange,
        shapes.ManyStates,
        shapes.Changed,
        shapes.Problem,
        quotas.QuotaChange,
        *triage.shown,
        *choices.shown,
        *context.shown,
        *people.shown,
        *alerts.shown,
        *issues.shown,
        *project_rules.shown,
        *events.shown,
        sent=(
            quotas.QuotaChange,
            *triage.sent,
            *choices.sent,
            *context.sent,
            *people.sent,
            *alerts.sent,
            *issues.sent,
            *project_rules.sent,
        ),
    )


def _extended(schemas: dict[str, Any]) -> dict[str, Any]:
    """A problem may say more (RFC 9457): a 500 has its reference and whether a retry helps."""
    schemas["Problem"]["additionalProperties"] = True
    return schemas


def _paths() -> dict[str, Any]:
    fault = in_path("fault", {"type": "integer", "minimum": 1}, "the number of the fault")
    event = in_path("event_id", bounds.reference, "a reference: 32 hexadecimal digits, dashed, or urn:uuid:")
    cursor = in_query("cursor", {"type": "string"}, "the `next` of the page before")
    limit = in_query("limit", {"type": "integer", "minimum": 1, "maximum": limits.page_rows_max}, "rows at most")
    line = in_query("query", {"type": "string"}, "a search line, as in `is:open cause:database release:2.4 refused`")
    order = in_query("order", {"enum": list(search.orders)}, "the highest first; impact is the default")
    hours = in_query("hours", {"type": "integer", "minimum": 1, "maximum": limits.stats_hours_max}, "how far back")
    project = in_query("project", {"type": "string"}, "the number of a project; all when missing")
    owner = in_path("project", {"type": "string"}, "the number of the project")
    incident = in_path("incident", {"type": "integer", "minimum": 1}, "the number of the incident")
    state = in_query("state", {"enum": ["open", "resolved"]}, "only those; all when missing")
    return {
        **openapi_triage.paths(),
        **openapi_choices.paths(),
        **people.paths(),
        **alerts.paths(),
        **issues.paths(),
        **project_rules.paths(),
        **events.paths(),
        "/openapi.json": {"get": gets("this document", None)},
        "/docs": {"get": shows("this document as a page")},
        "/docs/shapes": {"get": shows("what answers hold, as a page")},
        "/faults": {
            "get": gets("faults that match a search", "FaultList", line, order, cursor, limit),
            "patch": sends("change the state of many faults", "ManyStates", "Changed"),
        },
        "/faults/{fault}": {
            "get": gets("one fault with its diagnosis", "FaultAnswer", fault),
            "patch": sends("resolve, mute or reopen a fault", "StateChange", "FaultAnswer", fault),
        },
        "/faults/{fault}/events": {"get": gets("kept events of a fault", "EventList", fault, cursor, limit)},
        "/events/{event_id}": {"get": gets("one event by its reference", "EventAnswer", event)},
        "/projects": {"get": gets("projects and their DSNs", "ProjectList")},
        "/projects/{project}/quotas": {
            "get": gets("how many events are taken", "QuotaAnswer", owner),
            "put": sends("set or take away quotas", "QuotaChange", "QuotaAnswer", owner),
        },
        "/stats": {"get": gets("figures, losses and backlog", "StatsAnswer", hours, project)},
        "/incidents": {"get": gets("incidents, the newest first", "IncidentList", state, project, cursor, limit)},
        "/incidents/{incident}": {
            "get": gets("one incident with its faults and its blast radius", "IncidentAnswer", incident),
            "patch": sends("acknowledge or resolve an incident", "IncidentChange", "IncidentAnswer", incident),
        },
    }
