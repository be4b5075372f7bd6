"""Taint: the decoded values of a request, and where they stand again. A signature alone is a hint, never a cause.

Values that were scrubbed are not looked at: they cannot be compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from fivehundred import limits
from fivehundred.event import Json, Request
from fivehundred.record import record

hidden: Final = ("[scrubbed]", "[Filtered]", "[redacted]", "********")
_hidden: Final = re.compile("|".join(map(re.escape, hidden)))


@record(frozen=True, slots=True)
class Input:
    """One value that came with the request."""

    where: str  # "query", "body", "path", "cookie", "header"
    name: str
    value: str

    @property
    def label(self) -> str:
        return f"{self.where}.{self.name}" if self.name else self.where


def inputs_of(request: Request | None, route: str = "") -> list[Input]:
    """``route`` is the template that matched: its own words are not the client's."""
    if request is None:
        return []
    found: list[Input] = []
    for one in _all(request, route):
        if len(found) >= limits.inputs_max:
            break
        if one.value and not _hidden.search(one.value):
            found.append(one)
    return found


def _all(request: Request, route: str) -> Iterator[Input]:
    try:
        split = urlsplit(request.url[: limits.input_chars_max])
        path, url_query = split.path, split.query
    except ValueError:
        path, url_query = "", ""
    for name, value in _pairs(request.query_string or url_query):
        yield Input("query", name, value)
    yield from _body(request.data)
    own = set(route.split("/"))
    for part in path.split("/"):
        if len(part) > 2 and part not in own:
            yield Input("path", "", unquote(part))
    if path.count("/") > 1 and path != route:
        yield Input("path", "", unquote(path.split("/", 2)[2]))
    for name, value in request.cookies.items():
        yield Input("cookie", name, unquote(value)[: limits.input_chars_max])
    for name, value in request.headers.items():
        if name.lower() not in _ordinary_headers:
            yield Input("header", name, value[: limits.input_chars_max])


_ordinary_headers: Final = frozenset(
    (
        *("host", "accept", "accept-encoding", "accept-language", "connection", "content-type", "content-length"),
        *("cookie", "authorization"),
    )
)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        head = query[: limits.input_body_chars_max].lstrip("?")
        return parse_qsl(head, keep_blank_values=True, max_num_fields=limits.inputs_max)
    except ValueError:
        return [("", unquote_plus(query)[: limits.input_chars_max])]


def _body(data: Json) -> Iterator[Input]:
    if isinstance(data, str):
        parsed = _decoded(data[: limits.input_body_chars_max])
        if parsed is None:
            pairs = _pairs(data) if re.match(r"[\w.%+\[\]$-]{1,100}=", data) else []
            yield from (Input("body", name, value) for name, value in pairs)
            yield Input("body", "", data[: limits.input_chars_max])
            return
        data = parsed
    found: list[Input] = []
    _leaves(data, "", 6, found)
    yield from found


def _decoded(data: str) -> Json:
    if data[:1] not in "{[":
        return None
    try:
        parsed: Json = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return parsed


def _leaves(value: Json, name: str, depth: int, found: list[Input]) -> None:
    """Adds what is no container; the caller looks at ``limits.inputs_max`` of them, so more are not gathered."""
    if len(found) > limits.input_leaves_max:
        return
    if isinstance(value, str):
        found.append(Input("body", name, value[: limits.input_chars_max]))
    elif isinstance(value, dict):
        for key, inner in list(value.items())[: limits.inputs_max] if depth else ():
            _leaves(inner, f"{name}.{key}" if name else key, depth - 1, found)
    elif isinstance(value, list):
        for inner in value[: limits.inputs_max] if depth else ():
            _leaves(inner, name, depth - 1, found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found.append(Input("body", name, str(value)[:100]))


# ---- signatures ----------------------------------------------------------------------------------

sql_signature: Final = re.compile(
    r"['\"`;\\]|--|/\*|\bunion\b|\bselect\b|\bsleep\s*\(|\b(?:or|and)\b\s+\S+\s*(?:=|like|>|<)|0x[0-9a-f]{4}",
    re.IGNORECASE,
)
template_signature: Final = re.compile(r"\{\{|\{%|\$\{|<%|#\{")
shell_signature: Final = re.compile(r"[;|&`\n<>]|\$\(|\$\{")
path_signature: Final = re.compile(r"\.\.[/\\]|^/|^[A-Za-z]:[/\\]|\0|^~|^file:", re.IGNORECASE)
line_end: Final = re.compile(r"[\r\n]")
filter_signature: Final = re.compile(r"[()*&|\\'\"]|\bor\b", re.IGNORECASE)


def standing_in(inputs: list[Input], text: str, chars_min: int = 3) -> Iterator[Input]:
    """Inputs whose value stands in ``text`` word for word."""
    for one in inputs:
        value = one.value.strip()
        if len(value) >= chars_min and value in text:
            yield one
