"""OTLP: the log records and spans of one export request, from protobuf or JSON, as typed values.

The door uses ``groups`` and ``unreadable`` to judge a request before it is acknowledged; the digest reads the records.
What a record means for us is not decided here. Both encodings end in the same values: names are those of OTLP's JSON
mapping, where ids are hexadecimal and 64-bit numbers may be strings.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias

import msgspec

from fivehundred import limits
from fivehundred.console import otlp_wire as wire
from fivehundred.event import Json, clean, cut

Signal: TypeAlias = Literal["logs", "traces"]
_Reader: TypeAlias = Callable[[object], dict[str, object]]

server: Final = 2  # SpanKind
failed: Final = 2  # StatusCode


class OtlpError(ValueError):
    """The bytes are no export request, or a record is none; the text fits into an answer."""


class TooMany(OtlpError):
    """More records than one request may have."""


@dataclass(frozen=True, slots=True)
class Group:
    """Records of one resource (a service) and one scope (a library, or a logger of the application)."""

    resource: dict[str, Json]
    scope: str
    records: list[object]  # for ``log`` and ``span``


@dataclass(frozen=True, slots=True)
class Log:
    at: float | None  # seconds since 1970
    nanoseconds: int  # the same as sent: part of what tells two records apart
    severity: int
    severity_text: str
    body: Json
    attributes: dict[str, Json]
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class SpanEvent:
    at: float | None
    nanoseconds: int
    name: str
    attributes: dict[str, Json]


class Span:
    """Most spans are only counted: attributes and events are read when they are asked for."""

    def __init__(self, raw: dict[str, object]) -> None:
        self._raw = raw
        self.trace_id = _hex(raw.get("traceId"), 32)
        self.span_id = _hex(raw.get("spanId"), 16)
        self.parent_id = _hex(raw.get("parentSpanId"), 16)
        self.name = _text(raw.get("name"))
        self.is_server = _number(raw.get("kind")) == server
        self.ended_nanoseconds = _number(raw.get("endTimeUnixNano"))
        self.has_events = bool(raw.get("events"))

    @property
    def ended_at(self) -> float | None:
        return _seconds(self.ended_nanoseconds)

    @cached_property
    def attributes(self) -> dict[str, Json]:
        return _attributes(self._raw.get("attributes"))

    @cached_property
    def status(self) -> tuple[bool, str]:
        """(failed, what the instrumentation says about it)."""
        raw = self._raw.get("status")
        found = _fields(raw, _STATUS) if raw else {}
        return _number(found.get("code")) == failed, _text(found.get("message"))

    @cached_property
    def events(self) -> list[SpanEvent]:
        return [_span_event(raw) for raw in _list(self._raw.get("events"))[: limits.otlp_span_events_max]]


# ---- one request ---------------------------------------------------------------------------------


def is_json(content_type: str) -> bool:
    return content_type.lower().startswith("application/json")


def is_protobuf(content_type: str) -> bool:
    return content_type.lower().startswith(("application/x-protobuf", "application/protobuf"))


def groups(body: bytes, content_type: str, signal: Signal) -> list[Group]:
    """All of the request, its records unread. Raises OtlpError, TooMany."""
    resources, scopes, records = _NAMES[signal]
    request = _json(body) if is_json(content_type) else _fields(body, _level(resources))
    found: list[Group] = []
    seen = 0
    for resource_raw in _list(request.get(resources)):
        resource_level = _fields(resource_raw, _level(scopes, "resource"))
        resource: dict[str, Json] | None = None
        for scope_raw in _list(resource_level.get(scopes)):
            level = _fields(scope_raw, _level(records, "scope"))
            group = _list(level.get(records))
            seen += 1 + len(group)
            if seen > limits.otlp_records_max:
                raise TooMany(f"more than {limits.otlp_records_max} records in one request; send smaller batches")
            if resource is None:
                resource = _resource(resource_level.get("resource"))
            found.append(Group(resource, _scope(level.get("scope")), group))
    return found


def unreadable(found: list[Group], signal: Signal) -> int:
    """How many of the records are none: what a sender is told as a partial success."""
    read = _log_fields if signal == "logs" else _span_fields
    return sum(not _is_readable(raw, read) for group in found for raw in group.records)


def log(raw: object) -> Log:
    """Raises OtlpError."""
    found = _log_fields(raw)
    nanoseconds = _number(found.get("timeUnixNano")) or _number(found.get("observedTimeUnixNano"))
    return Log(
        at=_seconds(nanoseconds),
        nanoseconds=nanoseconds,
        severity=_number(found.get("severityNumber")),
        severity_text=_text(found.get("severityText"))[:64],
        body=_any(found.get("body")),
        attributes=_attributes(found.get("attributes")),
        trace_id=_hex(found.get("traceId"), 32),
        span_id=_hex(found.get("spanId"), 16),
    )


def span(raw: object) -> Span:
    """Raises OtlpError; so do the parts that it reads later."""
    return Span(_span_fields(raw))


def data_of(raw: object) -> bytes:
    """A record that could not be read, as bytes to look at."""
    return raw if isinstance(raw, bytes) else json.dumps(raw, default=str).encode()


# ---- protobuf's numbers --------------------------------------------------------------------------

_NAMES: Final[dict[Signal, tuple[str, str, str]]] = {
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "traces": ("resourceSpans", "scopeSpans", "spans"),
}
_ATTRIBUTES: Final[wire.Schema] = {1: wire.raw("attributes", repeated=True)}
_SCOPE: Final[wire.Schema] = {1: wire.text("name")}
_LOG: Final[wire.Schema] = {
    1: wire.fixed64("timeUnixNano"),
    2: wire.whole("severityNumber"),
    3: wire.text("severityText"),
    5: wire.raw("body"),
    6: wire.raw("attributes", repeated=True),
    9: wire.hexadecimal("traceId"),
    10: wire.hexadecimal("spanId"),
    11: wire.fixed64("observedTimeUnixNano"),
}
_SPAN: Final[wire.Schema] = {
    1: wire.hexadecimal("traceId"),
    2: wire.hexadecimal("spanId"),
    4: wire.hexadecimal("parentSpanId"),
    5: wire.text("name"),
    6: wire.whole("kind"),
    8: wire.fixed64("endTimeUnixNano"),
    9: wire.raw("attributes", repeated=True),
    11: wire.raw("events", repeated=True),
    15: wire.raw("status"),
}
_EVENT: Final[wire.Schema] = {
    1: wire.fixed64("timeUnixNano"),
    2: wire.text("name"),
    3: wire.raw("attributes", repeated=True),
}
_STATUS: Final[wire.Schema] = {2: wire.text("message"), 3: wire.whole("code")}
_KEY_VALUE: Final[wire.Schema] = {1: wire.text("key"), 2: wire.raw("value")}
_ANY: Final[wire.Schema] = {
    1: wire.text("stringValue"),
    2: wire.boolean("boolValue"),
    3: wire.whole("intValue"),
    4: wire.double("doubleValue"),
    5: wire.raw("arrayValue"),
    6: wire.raw("kvlistValue"),
    7: wire.raw("bytesValue"),
}
_ANY_NAMES: Final = frozenset(field.name for field in _ANY.values())
_VALUES: Final[wire.Schema] = {1: wire.raw("values", repeated=True)}


def _level(inner: str, described_by: str = "") -> wire.Schema:
    """Each level of a request holds what it is about (1) and what is within; at the top there is only the latter."""
    if not described_by:
        return {1: wire.raw(inner, repeated=True)}
    return {1: wire.raw(described_by), 2: wire.raw(inner, repeated=True)}


# ---- reading, the same for both encodings --------------------------------------------------------


def _fields(raw: object, schema: wire.Schema) -> dict[str, object]:
    """A message's fields: of protobuf's bytes, or JSON's object as it is."""
    if isinstance(raw, dict):
        return raw
    if not isinstance(raw, bytes):
        raise OtlpError("a message is missing where OTLP has one")
    try:
        return wire.message(raw, schema)
    except wire.WireError as e:
        raise OtlpError(f"the data is not protobuf: {e}") from e


def _json(body: bytes) -> dict[str, object]:
    try:
        found = msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, RecursionError):
        found = _tolerant(body)
    if not isinstance(found, dict):
        raise OtlpError("the body is not a JSON object")
    return found


def _tolerant(body: bytes) -> object:
    """NaN, lone surrogates and bad UTF-8, which strict JSON refuses."""
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_int=lambda n: int(n) if len(n) < 32 else 0)
    except RecursionError as e:
        raise OtlpError("the JSON is nested deeper than a thousand levels") from e
    except ValueError as e:
        raise OtlpError(f"the body is not JSON: {e}") from e


def _log_fields(raw: object) -> dict[str, object]:
    return _fields(raw, _LOG)


def _span_fields(raw: object) -> dict[str, object]:
    return _fields(raw, _SPAN)


def _is_readable(raw: object, read: _Reader) -> bool:
    try:
        read(raw)
    except OtlpError:
        return False
    return True


def _resource(raw: object) -> dict[str, Json]:
    return _attributes(_fields(raw, _ATTRIBUTES).get("attributes")) if raw else {}


def _scope(raw: object) -> str:
    return _text(_fields(raw, _SCOPE).get("name")) if raw else ""


def _span_event(raw: object) -> SpanEvent:
    found = _fields(raw, _EVENT)
    nanoseconds = _number(found.get("timeUnixNano"))
    return SpanEvent(_seconds(nanoseconds), nanoseconds, _text(found.get("name")), _attributes(found.get("attributes")))


def _attributes(raw: object) -> dict[str, Json]:
    return dict(_pairs(raw, limits.otlp_depth_max))


def _pairs(raw: object, depth: int) -> Iterator[tuple[str, Json]]:
    entries = _list(raw)
    for entry in entries[: limits.otlp_attributes_max]:
        found = _fields(entry, _KEY_VALUE)
        yield _text(found.get("key")), _any(found.get("value"), depth)
    if len(entries) > limits.otlp_attributes_max:
        yield "…", f"{len(entries) - limits.otlp_attributes_max} more were cut"


def _any(raw: object, depth: int = limits.otlp_depth_max) -> Json:
    """An AnyValue: text, number, boolean, list, map, bytes (as base64), or nothing."""
    if raw is None:
        return None
    found = _fields(raw, _ANY)
    known = (name for name in reversed(found) if name in _ANY_NAMES)
    name = next(known, "")  # one of them; of hostile several, the last
    value = found.get(name)
    if name == "stringValue":
        return cut(_text(value), limits.otlp_text_chars_max)
    if name == "boolValue":
        return value is True
    if name == "intValue":
        return _number(value)
    if name == "doubleValue":
        return _double(value)
    if name == "bytesValue":
        return base64.b64encode(value).decode() if isinstance(value, bytes) else _text(value)
    return _container(name, value, depth - 1)


def _container(name: str, value: object, depth: int) -> Json:
    if name not in ("arrayValue", "kvlistValue"):
        return None
    if depth <= 0 or (isinstance(value, bytes) and len(value) > limits.otlp_container_bytes_max):
        return "…"
    values = _fields(value, _VALUES).get("values")
    if name == "kvlistValue":
        return dict(_pairs(values, depth))
    return [_any(inner, depth) for inner in _list(values)[: limits.otlp_attributes_max]]


def _list(raw: object) -> list[object]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise OtlpError("something else stands where OTLP has a list")
    return raw


def _text(raw: object) -> str:
    return clean(raw) if isinstance(raw, str) else ""


def _hex(raw: object, digits: int) -> str:
    """A trace or span id; "" for none, for all zeros and for what is no id."""
    value = raw.lower() if isinstance(raw, str) else ""
    is_one = len(value) == digits and not value.strip("0123456789abcdef") and value.strip("0") != ""
    return value if is_one else ""


def _number(raw: object) -> int:
    """64-bit whole numbers, which JSON may hold as text; 0 for anything else."""
    if isinstance(raw, str) and raw.isascii() and len(raw) <= 20 and raw.removeprefix("-").isdecimal():
        raw = int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and -(2**63) <= raw < 2**64 else 0


def _double(raw: object) -> Json:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return _text(raw)  # "NaN" and "Infinity" are text in JSON
    if isinstance(raw, float) and not math.isfinite(raw):
        return {"nan": "NaN", "inf": "Infinity"}.get(str(raw), "-Infinity")
    return raw if abs(raw) < 2**64 or isinstance(raw, float) else 0


def _seconds(nanoseconds: int) -> float | None:
    return nanoseconds / 1e9 if nanoseconds > 0 else None
