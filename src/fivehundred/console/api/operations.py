"""Operations of the OpenAPI document, as the paths are written with."""

from __future__ import annotations

from typing import Any

from fivehundred.console.api.schema import Schema


def gets(summary: str, answer: str | None, *parameters: Schema) -> Schema:
    found: Schema = {"summary": summary, "parameters": list(parameters), "responses": _responses(answer)}
    found["responses"]["304"] = {"description": "not changed since the ETag in If-None-Match"}
    return found


def shows(summary: str) -> Schema:
    """A page for people, not a JSON object."""
    page = {"description": "as asked", "content": {"text/html": {"schema": {"type": "string"}}}}
    return {"summary": summary, "parameters": [], "responses": {"200": page}}


def removes(summary: str, *parameters: Schema) -> Schema:
    return {"summary": summary, "parameters": list(parameters), "responses": _responses("Changed")}


def sends(summary: str, sent: str, answer: str, *parameters: Schema) -> Schema:
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


def in_path(name: str, kind: Schema, words: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": kind, "description": words}


def in_query(name: str, kind: Schema, words: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": kind, "description": words}
