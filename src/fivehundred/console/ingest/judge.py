"""What the door decides about one request, from its head and its body alone: no store, no clock, no waiting.

Both ways in (``route`` and ``fivehundred.console.protocol``) ask these functions, so a request is judged alike on
either. What is wrong travels as ``Refused``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fivehundred import limits
from fivehundred.console import otlp
from fivehundred.console.inflate import InflateError, TooLarge, inflate
from fivehundred.console.ingest import export, legacy, peek
from fivehundred.console.ingest.auth import Refused, find_client, find_key
from fivehundred.console.ingest.doors import Endpoint
from fivehundred.console.spool.base import Door, Received
from fivehundred.envelope import Dsn, DsnError, header_bytes_max
from fivehundred.event import clean_id

_by_get: Final = ("check_in", "store")
_SIGNALS: Final[dict[Door, otlp.Signal]] = {"otlp_logs": "logs", "otlp_traces": "traces"}


@dataclass(slots=True)
class Head:
    """A request before its body, read once."""

    endpoint: Endpoint
    method: str
    query: bytes
    headers: dict[bytes, bytes]  # names in lower case
    client: tuple[str, int] | None  # the other end of the connection


@dataclass(slots=True)
class Opened:
    """A head that names a door and says who sends. Whether the key is known is still to be asked."""

    head: Head
    door: Door
    project: str  # "": the key decides
    key: str  # "": only the envelope can say
    encoding: str
    content_type: str


def opened(head: Head, doors: frozenset[Door]) -> Opened:
    door = _door(head, doors)
    content_type = head.headers.get(b"content-type", b"")[:200].decode("latin-1")
    if door == "store" and content_type.startswith("application/x-sentry-envelope"):
        door = "envelope"
    encoding = _encoding(head.headers)
    key = find_key(head.headers, head.query)
    if head.endpoint.path_key:
        key = _agreed(key, head.endpoint.path_key)
    return Opened(head, door, head.endpoint.project, key, encoding, content_type)


def check_before_body(request: Opened) -> None:
    """What can be refused without reading on, once the sender is known."""
    if request.door in _SIGNALS:
        export.check_content_type(request.content_type)
    declared = request.head.headers.get(b"content-length")
    if declared is not None and int(declared) > limits.body_bytes_max:
        raise body_too_large()


def is_light(request: Opened, body_bytes: int) -> bool:
    """Whether ``record`` takes microseconds, so that an event loop may call it."""
    return body_bytes <= limits.inflate_check_bytes and (request.door not in _SIGNALS or request.encoding == "identity")


def key_in_envelope(request: Opened, body: bytes) -> str:
    """The last place to look: the dsn in the envelope header."""
    named = _dsn_of(_envelope_header(body, request.encoding), request)
    if named is None:
        raise missing_key()
    return named.key


def record(request: Opened, body: bytes, received_at: float) -> Received:
    """What goes into the spool. ``request.key`` is known by now, and belongs to ``request.project``."""
    head, door, encoding = request.head, request.door, request.encoding
    if door == "store":
        address = head.query if head.method == "GET" else b""
        body, encoding = legacy.event_of(body, encoding, request.content_type, address)
    meta = {
        "content_encoding": encoding,
        "content_type": request.content_type,
        "client": find_client(head.headers, head.query),
        "peer": _peer(head),
        "event_id": "",
    }
    if door == "envelope":
        meta["event_id"] = _envelope_id(request, body)
    elif door == "store":
        meta["event_id"] = legacy.event_id(body, encoding)
    elif door in _SIGNALS:
        meta["unreadable"] = str(export.unreadable(body, encoding, request.content_type, _SIGNALS[door]))
    if len(body) > limits.inflate_check_bytes and encoding != "identity" and door not in _SIGNALS:
        _check_size(body, encoding)
    if head.endpoint.slug or door == "security":
        meta |= {"slug": head.endpoint.slug, "query": head.query[:2000].decode("latin-1")}
    return Received(request.project, door, received_at, meta, body)


# ---- the head ------------------------------------------------------------------------------------


def _door(head: Head, doors: frozenset[Door]) -> Door:
    door = head.endpoint.door
    if door is None or door not in doors:
        raise Refused(404, f"{head.endpoint.refusal or 'this address is not served'}; nothing was kept", "not_served")
    if head.method != "POST" and not (head.method == "GET" and door in _by_get):
        allow = allowed(head.endpoint)
        detail = f"{head.method} is not allowed here; send {allow.decode()}"
        raise Refused(405, detail, "method", headers=((b"allow", allow),))
    return door


def allowed(endpoint: Endpoint) -> bytes:
    return b"GET, POST, OPTIONS" if endpoint.door in _by_get else b"POST, OPTIONS"


def _encoding(headers: dict[bytes, bytes]) -> str:
    found = peek.encoding_of(headers.get(b"content-encoding"))
    if found is None:
        named, known = headers[b"content-encoding"].decode("latin-1")[:50], ", ".join(peek.encodings)
        raise Refused(415, f"Content-Encoding {named!r} is not known; use one of {known}", "encoding")
    return found


def _agreed(key: str, path_key: str) -> str:
    if key and key != path_key:
        raise Refused(400, "the request names two different keys; send one, or the same in both places", "auth_differs")
    return path_key


def missing_key() -> Refused:
    detail = "missing authorization information: send the key of your DSN in X-Sentry-Auth or ?sentry_key="
    return Refused(401, detail, "auth_missing")


def _peer(head: Head) -> str:
    """Who sent it. X-Forwarded-For counts only from a proxy on this machine, and only the address that it added."""
    address = str(head.client[0]) if head.client else ""
    forwarded = head.headers.get(b"x-forwarded-for")
    if forwarded and address in ("127.0.0.1", "::1", ""):
        return forwarded.rpartition(b",")[2].strip()[:45].decode("latin-1")
    return address


# ---- the body ------------------------------------------------------------------------------------


def body_too_large() -> Refused:
    return Refused(413, f"the body is over the limit of {limits.body_bytes_max} bytes", "too_large")


def _envelope_id(request: Opened, body: bytes) -> str:
    """The event id in the envelope header, "" when it has none."""
    header = _envelope_header(body, request.encoding)
    _dsn_of(header, request)
    raw_id = header.get("event_id")
    if raw_id is None:
        return ""
    event_id = clean_id(raw_id)
    if not event_id:
        raise Refused(400, "event_id in the envelope header is not 32 hex digits", "malformed")
    return event_id


def _dsn_of(header: dict[str, Any], request: Opened) -> Dsn | None:
    """Only key and project are compared: host and port differ behind proxies and tunnels."""
    text = header.get("dsn")
    if not isinstance(text, str) or not text:
        return None
    try:
        dsn = Dsn.parse(text)
    except DsnError as e:
        if request.key:
            return None
        raise Refused(400, f"the dsn in the envelope header is not usable: {e}", "auth_malformed") from e
    if dsn.project != request.project or (request.key and dsn.key != request.key):
        raise Refused(403, "the dsn in the envelope header names another project or key", "auth_differs")
    return dsn


def _envelope_header(body: bytes, encoding: str) -> dict[str, Any]:
    if not body:
        raise Refused(400, "the body is empty; an envelope begins with a JSON header line", "malformed")
    try:
        line = peek.first_line(body, encoding, header_bytes_max)
    except peek.PeekError as e:
        raise Refused(400, str(e), "malformed") from e
    if len(line) > header_bytes_max:
        raise Refused(400, f"the envelope header is longer than {header_bytes_max} bytes", "malformed")
    try:
        header = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        header = _tolerant(line)
    if not isinstance(header, dict):
        raise Refused(400, "the envelope header, its first line, is not a JSON object", "malformed")
    return header


def _tolerant(line: bytes) -> object:
    """NaN and lone surrogates, which strict JSON refuses and old SDKs send."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _check_size(body: bytes, encoding: str) -> None:
    """Large bodies are unpacked once at the door, so that a bomb is refused."""
    try:
        inflate(body, encoding, limits.inflated_bytes_max)
    except TooLarge as e:
        raise Refused(413, str(e), "too_large") from e
    except InflateError as e:
        raise Refused(400, str(e), "malformed") from e
