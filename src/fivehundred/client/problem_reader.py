"""Reads what an error answer says about itself: problem details, reference, trace id, and whether retrying helps.

Understood are RFC 9457 problems, the error objects of Spring and ASP.NET, JSON:API, plain ``{"error": ...}`` and HTML;
whole or cut short. Ids are taken from the body first, then from headers. All of it is a stranger's text: it is cut,
freed of control characters and never trusted to have a type. Nothing here raises for any input.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fivehundred import limits

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Problem:
    """What the server says. ``kind`` names the form it was said in; ``""`` when it said nothing that can be read."""

    kind: str = ""  # "problem", "spring", "aspnet", "jsonapi", "json", "html", "text"
    type: str = ""
    title: str = ""
    status: int | None = None
    detail: str = ""
    instance: str = ""
    members: Mapping[str, Json] = field(default_factory=dict)  # the rest of a JSON object, as sent
    whole: bool = True  # False: the body was cut, and this was found in what had come


@dataclass(frozen=True, slots=True)
class Told:
    problem: Problem
    reference: str = ""
    trace_id: str = ""
    retryable: bool | None = None
    replayed: bool = False  # the server says that this is its stored answer to the same key


def read(headers: Mapping[str, str], body: bytes, whole: bool = True) -> Told:
    """``headers`` have lower-case names. ``body`` is what has come of the body, decoded from its content coding."""
    text = body[: limits.problem_chars_max].decode("utf-8", "replace").lstrip("\ufeff")
    tree = _parse(text)
    if isinstance(tree, dict):
        problem, found = _from_json(tree, headers.get("content-type", ""), whole), dict(_strings(tree))
    else:
        problem, found = _from_text(text, headers.get("content-type", ""), whole)
    return Told(
        problem,
        reference=_reference(found, problem, headers),
        trace_id=_trace_id(found, headers),
        retryable=_retryable(tree, text),
        replayed=headers.get("idempotent-replayed", headers.get("idempotency-replayed", "")).lower() == "true",
    )


def plain(text: str, chars_max: int = limits.told_chars_max) -> str:
    """One line of printable text: what a server says must not forge a line of a log."""
    text = " ".join(text[: 4 * chars_max].split())
    text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def _parse(text: str) -> Json:
    if text.lstrip()[:1] != "{":
        return None
    try:
        tree: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree


# ---- JSON -----------------------------------------------------------------------------------------


def _from_json(tree: dict[str, Json], content_type: str, whole: bool) -> Problem:
    first = _first_error(tree)
    if first is not None:
        title, detail = _text(first.get("title")), _text(first.get("detail"))
        return Problem("jsonapi", "", title, _status(first.get("status")), detail, "", _members(tree), whole)
    kind = _kind(tree, content_type)
    inner = tree.get("error")
    inner = inner if isinstance(inner, dict) else {}
    return Problem(
        kind,
        type=_text(tree.get("type")),
        title=_text(tree.get("title")) or _text(tree.get("error")) or _text(inner.get("type")),
        status=_status(tree.get("status")),
        detail=_first(tree, "detail", "message", "error_description") or _first(inner, "message", "detail"),
        instance=_text(tree.get("instance")),
        members=_members(tree),
        whole=whole,
    )


def _kind(tree: dict[str, Json], content_type: str) -> str:
    if "timestamp" in tree and "path" in tree and "error" in tree:
        return "spring"
    if "traceId" in tree and "title" in tree:
        return "aspnet"
    if "problem+json" in content_type or ("title" in tree and ("status" in tree or "type" in tree)):
        return "problem"
    return "json"


def _first_error(tree: dict[str, Json]) -> dict[str, Json] | None:
    """JSON:API: the first of ``errors``. ASP.NET has an *object* of that name."""
    errors = tree.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return errors[0]
    return None


def _members(tree: dict[str, Json]) -> dict[str, Json]:
    known = ("type", "title", "status", "detail", "instance")
    rest = {plain(name, 100): value for name, value in tree.items() if name not in known}
    return dict(list(rest.items())[: limits.problem_members_max])


def _first(tree: dict[str, Json], *names: str) -> str:
    return next((text for name in names if (text := _text(tree.get(name)))), "")


def _text(value: Json) -> str:
    return plain(value) if isinstance(value, str) else ""


def _status(value: Json) -> int | None:
    """RFC 9457 sends a number, JSON:API the same in quotes."""
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else None


def _strings(tree: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Names (folded) and texts of the object, of its ``error``, and of JSON:API's first error; outer ones win."""
    inner = tree.get("error")
    levels = [_first_error(tree), inner if isinstance(inner, dict) else None, tree]
    for level in levels:
        for name, value in (level or {}).items():
            if isinstance(value, str):
                yield _folded(name), value[: 2 * limits.reference_chars_max]


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


# ---- text, HTML, and JSON that was cut ------------------------------------------------------------

_PAIR: Final = re.compile(r'"([A-Za-z_-]{1,40})"\s{0,20}:\s{0,20}"((?:[^"\\\x00-\x1f]|\\.){0,600})("?)')
_TITLE: Final = re.compile(r"<(title|h1)\b[^>]{0,200}>([^<]{1,500})<", re.IGNORECASE)
_MARKED: Final = re.compile(
    r"\b(?:reference|incident|error[ _-]?id|event[ _-]?id|request[ _-]?id|correlation[ _-]?id|support[ _-]?id)\b"
    r"[^0-9A-Za-z]{0,20}(?:is|number|no\.?|id)?[^0-9A-Za-z]{0,20}"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,64}|[0-9]{6,32})\b",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[^>]{0,2000}>")


def _from_text(text: str, content_type: str, whole: bool) -> tuple[Problem, dict[str, str]]:
    if text.lstrip()[:1] == "{":
        return _from_cut_json(text)
    is_html = "html" in content_type or text.lstrip()[:1] == "<"
    heading = _TITLE.search(text) if is_html else None
    bare = _TAG.sub(" ", text) if is_html else text
    marked = _MARKED.search(bare)
    found = {"reference": marked[1]} if marked else {}
    if not text.strip():
        return Problem(whole=whole), found
    if is_html:
        return Problem("html", title=plain(html.unescape(heading[2])) if heading else "", whole=whole), found
    return Problem("text", detail=plain(text), whole=whole), found


def _from_cut_json(text: str) -> tuple[Problem, dict[str, str]]:
    """Whole name and value pairs of an object whose end is missing. A value that is cut itself is no id."""
    found: dict[str, str] = {}
    shown: dict[str, str] = {}
    for name, value, quote in _PAIR.findall(text):
        if quote:
            found.setdefault(_folded(name), value)
        shown.setdefault(_folded(name), plain(value))
    detail = shown.get("detail") or shown.get("message") or ""
    title = shown.get("title") or shown.get("error") or ""
    return Problem("json", shown.get("type", ""), title, None, detail, found.get("instance", ""), {}, False), found


def _retryable(tree: Json, text: str) -> bool | None:
    if isinstance(tree, dict):
        said = tree.get("retryable")
        return said if isinstance(said, bool) else None
    cut = re.search(r'"retryable"\s{0,20}:\s{0,20}(true|false)\b', text) if text.lstrip()[:1] == "{" else None
    return cut[1] == "true" if cut else None


# ---- ids ------------------------------------------------------------------------------------------

_body_references = (
    *("reference", "errorreference", "errorid", "eventid", "incidentid", "incident", "instance", "supportid"),
    *("requestid", "xrequestid", "correlationid", "id"),
)
_header_references = (
    *("error-reference", "x-error-reference", "x-error-id", "error-id", "x-sentry-event-id", "x-incident-id"),
    *("x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-amzn-requestid", "x-amz-request-id"),
    *("x-ms-request-id", "x-goog-request-id", "fly-request-id", "x-vercel-id", "cf-ray"),
)
_trace_headers = ("traceresponse", "traceparent", "x-trace-id", "trace-id", "x-b3-traceid")
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/+=@~-]*")
_URN_UUID: Final = re.compile(r"urn:uuid:([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})", re.IGNORECASE)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE: Final = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_AMAZON: Final = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})")


def _reference(found: Mapping[str, str], problem: Problem, headers: Mapping[str, str]) -> str:
    for name in _body_references:
        value = _id(found.get(name, ""))
        # an `instance` that is a path names the resource, not the occurrence
        if value and not (name == "instance" and ("/" in value or problem.kind == "spring")):
            return value
    return next((value for name in _header_references if (value := _id(headers.get(name, "")))), "")


def _id(value: str) -> str:
    value = value.strip()
    urn = _URN_UUID.fullmatch(value)
    if urn:
        return urn[1].replace("-", "").lower()
    fits = 0 < len(value) <= limits.reference_chars_max and _ID.fullmatch(value)
    return value if fits else ""


def _trace_id(found: Mapping[str, str], headers: Mapping[str, str]) -> str:
    for value in (found.get("traceid", ""), *(headers.get(name, "") for name in _trace_headers)):
        trace = _trace(value.strip().lower())
        if trace:
            return trace
    amazon = _AMAZON.search(headers.get("x-amzn-trace-id", ""))
    if amazon:
        return amazon[1] + amazon[2]
    return _trace(headers.get("x-cloud-trace-context", "").partition("/")[0].strip().lower())


def _trace(value: str) -> str:
    whole = _TRACEPARENT.fullmatch(value)
    value = whole[1] if whole else value
    return value if _TRACE.fullmatch(value) and value.strip("0") else ""
