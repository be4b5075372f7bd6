"""The request that failed, as an Event shows it: named secrets hidden, bodies parsed where they are JSON or a form."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import parse_qsl

from fivehundred import limits, problem, scrub
from fivehundred.event import Json, Request, clean, cut
from fivehundred.guard.render import Renderer, personal_headers
from fivehundred.guard.request import RequestParts


def request_of(parts: RequestParts, r: Renderer) -> Request:
    query = clean(parts.query[: limits.text_chars_max])
    return Request(
        method=clean(parts.method[:32]),
        url=scrub.scrub_url(cut(clean(f"{parts.scheme}://{parts.host}{parts.path}"), limits.text_chars_max)),
        query_string=scrub.scrub_query(query, r.secret_names) if query else "",
        data=_body(parts, r) if parts.body else None,
        cookies=_cookies(parts),
        headers=_headers(parts, r),
        env={"SERVER_PROTOCOL": parts.protocol} if parts.protocol else {},
    )


def trace_of(parts: RequestParts) -> dict[str, Json]:
    """The caller's trace, when its ``traceparent`` is valid."""
    trace_id, parent = problem.trace_of(parts.header("traceparent"))
    return {"trace_id": trace_id, "parent_span_id": parent} if trace_id else {}


def _headers(parts: RequestParts, r: Renderer) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parts.headers[:_headers_max]:
        shown = clean(name[:100])
        lowered = name.lower()
        if lowered == "cookie":
            continue
        if lowered in personal_headers or r.is_secret(name):
            text = scrub.mark if value else ""
        else:
            text = clean(value[:_header_chars_max])
            text = scrub.scrub_url(text, r.secret_names) if "?" in text and "=" in text else scrub.scrub_text(text)
        found[shown] = f"{found[shown]}, {text}" if shown in found else text
    if len(parts.headers) > _headers_max:
        r.count("headers", len(parts.headers) - _headers_max)
    return found


_headers_max: Final = 60
_header_chars_max: Final = 1_024


def _cookies(parts: RequestParts) -> dict[str, str]:
    """Names only: which cookies were sent helps, what is in them is the session."""
    found: dict[str, str] = {}
    for name, value in parts.headers:
        if name.lower() == "cookie":
            for crumb in value[: limits.text_chars_max].split(";")[:_headers_max]:
                key, _, content = crumb.strip().partition("=")
                if key:
                    found[scrub.scrub_text(clean(key[:100]))] = scrub.mark if content else ""
    return found


def _body(parts: RequestParts, r: Renderer) -> Json:
    kind = parts.header("content-type").partition(";")[0].strip().lower()
    body = parts.body[: limits.request_body_bytes_max]
    if kind == "application/json" or kind.endswith("+json") or (not kind and body[:1] in b"{["):
        parsed = _json(body)
        if parsed is not _unreadable:
            return r.value(parsed)
    if kind == "application/x-www-form-urlencoded":
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1_000)
        return r.value(dict(fields))
    if kind.startswith("multipart/") or b"\0" in body[:1_000]:
        return f"{len(parts.body)} bytes of {clean(kind[:100]) or 'unknown type'}"
    text = cut(clean(body.decode("utf-8", "replace")), limits.text_chars_max)
    return scrub.scrub_text(text)


_unreadable: Final = object()


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _unreadable
