"""The API as a page: every operation of the OpenAPI document, with what is sent and answered. Nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fivehundred.console.access.needs import needed
from fivehundred.console.api import openapi
from fivehundred.console.site import Site
from fivehundred.console.web import render


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str  # "integer", "string or null", "list of Fault", "one of open, muted"
    required: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    need: str  # the right that it asks for
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answer: str  # the name of its shape


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    fields: tuple[Field, ...]


def show(site: Site, request: Request) -> Response:
    """The operations, or on a page of its own what answers hold."""
    groups, shapes = _read(site.public_url)
    asked_shapes = request.url.path.endswith("/shapes")
    values = {
        "nav": "",
        "line": "",
        "groups": () if asked_shapes else groups,
        "shapes": shapes if asked_shapes else (),
        "url": f"{site.public_url}/api/v1",
    }
    return render.page(request, "api_docs.html", values)


@lru_cache(maxsize=4)
def _read(url: str) -> tuple[tuple[tuple[str, tuple[Operation, ...]], ...], tuple[Shape, ...]]:
    document = openapi.document(url)
    schemas: dict[str, Any] = document["components"]["schemas"]
    groups: dict[str, list[Operation]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            one = _operation(method.upper(), path, operation, schemas)
            groups.setdefault(path.split("/")[1].removesuffix(".json"), []).append(one)
    sent = {name for name, _ in _bodies(document)}
    answered = tuple(Shape(n, _fields(s)) for n, s in sorted(schemas.items()) if n not in sent and "properties" in s)
    return tuple((name, tuple(found)) for name, found in groups.items()), answered


def _bodies(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if "requestBody" in operation:
                yield _name(operation["requestBody"]["content"]["application/json"]["schema"]), path


def _operation(method: str, path: str, found: dict[str, Any], schemas: dict[str, Any]) -> Operation:
    parameters = tuple(
        Field(p["name"], _kind(p["schema"]), p["required"], p.get("description", "")) for p in found["parameters"]
    )
    body: tuple[Field, ...] = ()
    if "requestBody" in found:
        body = _fields(schemas[_name(found["requestBody"]["content"]["application/json"]["schema"])])
    (answer,) = found["responses"]["200"]["content"].values()
    need = needed(method, f"/api/v1{path}".replace("{", "").replace("}", ""))
    return Operation(method, path, found["summary"], need, parameters, body, _name(answer["schema"]))


def _fields(schema: dict[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(Field(name, _kind(kind), name in required) for name, kind in schema.get("properties", {}).items())


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _name(schema)
    if "enum" in schema:
        return "one of " + ", ".join(str(value) or '""' for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "prefixItems" in schema:
        return f"[{', '.join(_kind(one) for one in schema['prefixItems'])}]"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any JSON"))
