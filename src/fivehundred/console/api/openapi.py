"""The OpenAPI 3.1 document of the API: paths written by hand, schemas made from the shapes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import fivehundred
from fivehundred import limits
from fivehundred.console.api import incidents, schema, shapes
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
        "components": {
            "schemas": schema.components(
                shapes.FaultList,
                shapes.FaultAnswer,
                shapes.EventList,
                shapes.EventAnswer,
                shapes.ProjectList,
                shapes.StatsAnswer,
                incidents.IncidentList,
                incidents.IncidentAnswer,
                incidents.IncidentChange,
                shapes.StateChange,
                shapes.ManyStates,
                shapes.Changed,
                shapes.Problem,
            )
        },
    }


def _paths() -> dict[str, Any]:
    fault = _in_path("fault", {"type": "integer", "minimum": 1}, "the number of the fault")
    event = _in_path("event_id", {"type": "string"}, "a reference: 32 hexadecimal digits, dashed, or urn:uuid:")
    cursor = _in_query("cursor", {"type": "string"}, "the `next` of the page before")
    limit = _in_query("limit", {"type": "integer", "minimum": 1, "maximum": limits.page_rows_max}, "rows at most")
    line = _in_query("query", {"type": "string"}, "a search line, as in `is:open cause:database release:2.4 refused`")
    order = _in_query("order", {"enum": list(search.orders)}, "the highest first; impact is the default")
    hours = _in_query("hours", {"type": "integer", "minimum": 1, "maximum": limits.stats_hours_max}, "how far back")
    project = _in_query("project", {"type": "string"}, "the number of a project; all when missing")
    incident = _in_path("incident", {"type": "integer", "minimum": 1}, "the number of the incident")
    state = _in_query("state", {"enum": ["open", "resolved"]}, "only those; all when missing")
    return {
        "/openapi.json": {"get": _get("this document", None)},
        "/faults": {
            "get": _get("faults that match a search", "FaultList", line, order, cursor, limit),
            "patch": _patch("change the state of many faults", "ManyStates", "Changed"),
        },
        "/faults/{fault}": {
            "get": _get("one fault with its diagnosis", "FaultAnswer", fault),
            "patch": _patch("resolve, mute or reopen a fault", "StateChange", "FaultAnswer", fault),
        },
        "/faults/{fault}/events": {"get": _get("kept events of a fault", "EventList", fault, cursor, limit)},
        "/events/{event_id}": {"get": _get("one event by its reference", "EventAnswer", event)},
        "/projects": {"get": _get("projects and their DSNs", "ProjectList")},
        "/stats": {"get": _get("figures, losses and backlog", "StatsAnswer", hours, project)},
        "/incidents": {"get": _get("incidents, the newest first", "IncidentList", state, project, cursor, limit)},
        "/incidents/{incident}": {
            "get": _get("one incident with its faults and its blast radius", "IncidentAnswer", incident),
            "patch": _patch("acknowledge or resolve an incident", "IncidentChange", "IncidentAnswer", incident),
        },
    }


def _get(summary: str, answer: str | None, *parameters: Schema) -> Schema:
    found: Schema = {"summary": summary, "parameters": list(parameters), "responses": _responses(answer)}
    found["responses"]["304"] = {"description": "not changed since the ETag in If-None-Match"}
    return found


def _patch(summary: str, sent: str, answer: str, *parameters: Schema) -> Schema:
    return {
        "summary": summary,
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(sent)}}},
        "responses": _responses(answer),
    }


def _responses(answer: str | None) -> dict[str, Any]:
    return {
        "200": {
            "description": "as asked",
            "content": {"application/json": {"schema": _ref(answer) if answer else {"type": "object"}}},
        },
        "default": {
            "description": "refused; `detail` says why and what to send instead",
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _in_path(name: str, kind: Schema, words: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": kind, "description": words}


def _in_query(name: str, kind: Schema, words: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": kind, "description": words}
