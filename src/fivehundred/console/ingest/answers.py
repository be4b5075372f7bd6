"""What the ingest answers: status, headers, body. Every answer can be read by a browser of any origin."""

from __future__ import annotations

import json
from typing import Final

from fivehundred.console import otlp
from fivehundred.console.ingest.auth import Refused
from fivehundred.console.spool.base import Door

Header = tuple[bytes, bytes]

_CORS: Final[list[Header]] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-sentry-error, x-sentry-rate-limits, retry-after"),
]
_JSON: Final[Header] = (b"content-type", b"application/json")
# Profiles and replays are not kept. Saying so once spares the sender the work; its client reports count them.
_DROPPED: Final[Header] = (b"x-sentry-rate-limits", b"86400:profile;profile_chunk;replay:project")
_ALLOW_HEADERS: Final = (
    b"x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, content-type, authentication, "
    b"authorization, content-encoding, transfer-encoding, sentry-trace, baggage, traceparent"
)
_PROTOBUF: Final = "application/x-protobuf"


class Answer:
    """One answer: built once, sent many times. ``lines`` are its headers as they go over the wire."""

    __slots__ = ("body", "headers", "lines", "status")

    def __init__(self, status: int, headers: list[Header], body: bytes = b"") -> None:
        self.status = status
        self.headers = headers if status == 204 else [*headers, (b"content-length", b"%d" % len(body))]
        self.lines = b"".join(b"%s: %s\r\n" % header for header in self.headers)
        self.body = body

    def with_body(self, body: bytes) -> Answer:
        """The same with another body of the same length."""
        same = Answer.__new__(Answer)
        same.status, same.headers, same.lines, same.body = self.status, self.headers, self.lines, body
        return same


_RATES: Final[Header] = (b"x-fivehundred-rates", b"1")  # a Guard may send its counts of requests here
_KEPT: Final = Answer(200, [_JSON, *_CORS, _DROPPED, _RATES], b'{"id":"%s"}' % (b"0" * 32))
_GIF: Final = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
_PIXEL: Final = Answer(200, [(b"content-type", b"image/gif"), (b"cache-control", b"no-store"), *_CORS], _GIF)
_KEPT_NAMELESS: Final = Answer(200, [_JSON, *_CORS, _DROPPED, _RATES], b"{}")


def kept(event_id: str) -> Answer:
    """200 with the id, or ``{}`` for what has none (sessions, check-ins, client reports)."""
    return _KEPT.with_body(b'{"id":"%s"}' % event_id.encode()) if event_id else _KEPT_NAMELESS


def kept_at(door: Door, event_id: str, content_type: str, unreadable: int = 0) -> Answer:
    """The form of success that the clients of each door expect. ``unreadable``: records that are told as rejected."""
    if door in ("envelope", "store"):
        return kept(event_id)
    if door == "check_in":
        return Answer(202, list(_CORS))
    if door in ("otlp_logs", "otlp_traces"):
        return _exported(door, otlp.is_json(content_type), unreadable)
    return Answer(200, list(_CORS))


def pixel() -> Answer:
    """For events sent as the address of an image: one transparent GIF of 1x1."""
    return _PIXEL


def _exported(door: Door, is_json: bool, unreadable: int) -> Answer:
    """An Export*ServiceResponse; empty when all records were readable."""
    told = f"{unreadable} records could not be read and are shown as malformed" if unreadable else ""
    if is_json:
        name = "rejectedLogRecords" if door == "otlp_logs" else "rejectedSpans"
        partial = {"partialSuccess": {name: str(unreadable), "errorMessage": told}} if unreadable else {}
        return Answer(200, [_JSON, *_CORS], json.dumps(partial).encode())
    inner = b"\x08%s\x12%s%s" % (_varint(unreadable), _varint(len(told)), told.encode())
    body = b"\x0a%s%s" % (_varint(len(inner)), inner) if unreadable else b""
    return Answer(200, [(b"content-type", _PROTOBUF.encode()), *_CORS], body)


def refused(e: Refused, door: Door | None, content_type: str) -> Answer:
    """JSON ``{"detail", "causes"}`` and the same sentence in X-Sentry-Error, which SDKs show in their debug logs."""
    line = e.detail.encode("ascii", "replace").replace(b"\n", b" ").replace(b"\r", b" ")[:199]
    headers: list[Header] = [*_CORS, (b"x-sentry-error", line), *e.headers]
    if e.closes:
        headers.append((b"connection", b"close"))
    if door in ("otlp_logs", "otlp_traces"):
        kind, body = _rpc_status(e, content_type)
        return Answer(e.status, [(b"content-type", kind), *headers], body)
    body = json.dumps({"detail": e.detail, "causes": list(e.causes)}).encode()
    return Answer(e.status, [_JSON, *headers], body)


def preflight(allow: bytes) -> Answer:
    headers = [
        *_CORS,
        (b"access-control-allow-methods", allow),
        (b"access-control-allow-headers", _ALLOW_HEADERS),
        (b"access-control-max-age", b"3600"),
        (b"allow", allow),
    ]
    return Answer(204, headers)


def not_permitted(e: Refused) -> Answer:
    """A preflight that is refused: without the header that a browser looks for."""
    return Answer(e.status, [_JSON], json.dumps({"detail": e.detail, "causes": []}).encode())


def _rpc_status(e: Refused, content_type: str) -> tuple[bytes, bytes]:
    """A google.rpc.Status: what OTLP exporters log. The numbers are those of gRPC. JSON, unless protobuf was sent."""
    code = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 501: 12, 503: 14}.get(e.status, 2)
    if not otlp.is_protobuf(content_type):
        return b"application/json", json.dumps({"code": code, "message": e.detail}).encode()
    message = e.detail.encode()[:1000]
    return _PROTOBUF.encode(), b"\x08%c\x12%s%s" % (code, _varint(len(message)), message)


def _varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out += bytes((n & 127 | 128,))
        n >>= 7
    return out + bytes((n,))
