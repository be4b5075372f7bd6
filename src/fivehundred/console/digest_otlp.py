"""What OTLP's log records and spans are to us: failures as events in the form SDKs send, the rest as counts.

An exception on a span or on a log record is an event; so are a log record of level error or above and a server span
that was answered with 5xx. OpenTelemetry records one exception on every span that it passes, and again in the log:
all of these get the same event id, made from service, trace, type, message and the frame that raised it, so that the
store counts one. Within a request the innermost span's record is the one that is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fivehundred import limits
from fivehundred.console import otlp
from fivehundred.console.digest_stack import Raised, exceptions, module_and_type, raising_frame
from fivehundred.console.otlp import Group, Log, Span, SpanEvent
from fivehundred.event import Json, context_name, text

Attributes = dict[str, Json]

_error: Final = 17  # SeverityNumber; fatal begins at 21
_fatal: Final = 21


@dataclass(slots=True)
class Made:
    """What one export request holds for us."""

    events: list[tuple[str, dict[str, Json]]] = field(default_factory=list)  # (event id, the event)
    counted: int = 0  # records that are no event themselves
    repeated: int = 0  # further records of an exception that is among the events
    unreadable: list[tuple[str, bytes]] = field(default_factory=list)  # (why, the record)
    sdk: str = ""  # of the first resource


def of_logs(groups: list[Group], project: str) -> Made:
    """Log records: errors and exceptions are events, the others are counted."""
    made = Made(sdk=_sdk(groups))
    for group in groups:
        for raw in group.records:
            try:
                record = otlp.log(raw)
            except otlp.OtlpError as e:
                made.unreadable.append((str(e), otlp.data_of(raw)))
                continue
            found = _log_event(record, group, project)
            if found is None:
                made.counted += 1
            else:
                made.events.append(found)
    return made


def of_spans(groups: list[Group], project: str) -> Made:
    """Spans: all are counted; their exceptions, and 5xx of servers without one, are events."""
    made = Made(sdk=_sdk(groups))
    for service in _services(groups, made):
        taken: dict[str, tuple[int, dict[str, Json]]] = {}  # event id -> (depth of its span, the event)
        for group, span in service.spans:
            for event_id, raw in _span_events(span, group, service, project):
                depth = service.depth(span)
                made.repeated += event_id in taken
                if event_id not in taken or depth > taken[event_id][0]:
                    taken[event_id] = depth, raw
        made.events += [(event_id, raw) for event_id, (_, raw) in taken.items()]
    return made


# ---- spans ---------------------------------------------------------------------------------------


class _Service:
    """The spans that one service sent in this request, and how they hang together."""

    def __init__(self) -> None:
        self.spans: list[tuple[Group, Span]] = []
        self._by_id: dict[tuple[str, str], Span] = {}
        self._servers: dict[str, Span] = {}  # trace -> its server span
        self.failed_traces: set[str] = set()  # with an exception

    def add(self, group: Group, span: Span) -> None:
        """Reads what will be needed of the span, so that one which cannot be read is found here. Raises OtlpError."""
        has_exception = span.has_events and any(_is_exception(e.attributes) for e in span.events)
        if has_exception or span.is_server:
            _ = span.attributes, span.status
        self.spans.append((group, span))
        self._by_id[span.trace_id, span.span_id] = span
        if span.is_server:
            self._servers.setdefault(span.trace_id, span)
        if has_exception and span.trace_id:
            self.failed_traces.add(span.trace_id)

    def depth(self, span: Span) -> int:
        return sum(1 for _ in self._above(span))

    def server_of(self, span: Span) -> Span | None:
        """The request that the span is part of."""
        if span.is_server:
            return span
        above = (s for s in self._above(span) if s.is_server)
        return next(above, None) or (self._servers.get(span.trace_id) if span.trace_id else None)

    def _above(self, span: Span) -> Iterator[Span]:
        parent = self._by_id.get((span.trace_id, span.parent_id))
        seen = 0
        while parent is not None and seen < limits.otlp_span_depth_max:  # hostile spans may be each other's parents
            yield parent
            seen += 1
            parent = self._by_id.get((parent.trace_id, parent.parent_id))


def _services(groups: list[Group], made: Made) -> list[_Service]:
    found: dict[str, _Service] = {}
    for group in groups:
        service = found.setdefault(_service(group.resource), _Service())
        for raw in group.records:
            try:
                service.add(group, otlp.span(raw))
                made.counted += 1
            except otlp.OtlpError as e:
                made.unreadable.append((str(e), otlp.data_of(raw)))
    return list(found.values())


def _span_events(span: Span, group: Group, service: _Service, project: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """The failures that a span tells of."""
    has_exception = False
    for event in span.events if span.has_events else ():
        if _is_exception(event.attributes):
            has_exception = True
            yield _exception_of_span(span, event, group, service.server_of(span), project)
    status = _status(span.attributes) if span.is_server else None
    if status is not None and status >= 500 and not has_exception and span.trace_id not in service.failed_traces:
        yield _failed_answer(span, status, group, project)


def _exception_of_span(
    span: Span, event: SpanEvent, group: Group, server: Span | None, project: str
) -> tuple[str, dict[str, Json]]:
    raw = _event_of(span, server, group, _without_exception(event.attributes))
    key = _add_exception(raw, event.attributes, handled=_handled(event.attributes))
    raw["timestamp"] = event.at or span.ended_at
    return _id(project, group, span.trace_id or str(event.nanoseconds), *key), raw


def _failed_answer(span: Span, status: int, group: Group, project: str) -> tuple[str, dict[str, Json]]:
    raw = _event_of(span, span, group, {})
    raw["message"] = f"{span.name or 'a request'} was answered with {status}"
    told = span.status[1]
    if told:
        raw["extra"] = {"status_message": text(told)}
    raw["timestamp"] = span.ended_at
    return _id(project, group, span.trace_id, span.span_id, "answered", str(span.ended_nanoseconds)), raw


def _event_of(span: Span, server: Span | None, group: Group, more: Attributes) -> dict[str, Json]:
    """What is known of a failure by its span, and by the request that the span is part of.

    A client span's own URL is that of a call to somebody else, so the request is always the server span's.
    """
    raw = _base(group, server.attributes if server else {})
    contexts = _dict(raw["contexts"])
    contexts |= _contexts({**span.attributes, **more}, span.trace_id, span.span_id, span.name)
    raw["transaction"] = (server or span).name
    if server is not None:
        method, route = _first(server.attributes, *_METHOD), _route(server.attributes)
        ours: dict[str, Json] = {"method": method, "route": route, "status": _status(server.attributes)}
        contexts[context_name] = {name: value for name, value in ours.items() if value}
        if method and route:
            raw["transaction"] = f"{method} {route}"
        if server is not span:
            contexts["otel_request"] = {"span": server.name, "attributes": dict(server.attributes)}
    return raw


def _route(attributes: Attributes) -> str:
    """The template; where the instrumentation knows none, the path."""
    return _first(attributes, "http.route") or _first(attributes, "url.path", "http.target").partition("?")[0]


# ---- log records ---------------------------------------------------------------------------------


def _log_event(record: Log, group: Group, project: str) -> tuple[str, dict[str, Json]] | None:
    severity, attributes = record.severity or _severity(record.severity_text), record.attributes
    has_exception = _is_exception(attributes)
    if not has_exception and severity < _error:
        return None
    body = text(record.body, limits.text_chars_max)
    raw = _base(group, attributes)
    _dict(raw["contexts"]).update(_contexts(_without_exception(attributes), record.trace_id, record.span_id, ""))
    raw |= {"logger": group.scope, "timestamp": record.at, "level": _level(severity)}
    if body:
        raw["message"] = body
    apart = record.trace_id or str(record.nanoseconds)
    if has_exception:
        return _id(project, group, apart, *_add_exception(raw, attributes, handled=None)), raw
    raw |= _place_of(attributes)
    return _id(project, group, apart, "log", group.scope, body, str(record.nanoseconds), record.span_id), raw


def _severity(name: str) -> int:
    """Of a record that names its level only in words."""
    words = {"ERROR": _error, "CRITICAL": _fatal, "FATAL": _fatal, "ALERT": _fatal, "EMERGENCY": _fatal}
    return words.get(name.strip().upper(), 0)


def _level(severity: int) -> str:
    if severity >= _fatal:
        return "fatal"
    return "warning" if 13 <= severity < _error else "error"


def _place_of(attributes: Attributes) -> dict[str, Json]:
    """Where a log record without an exception was written: one frame."""
    path = _first(attributes, "code.file.path", "code.filepath")
    name = _first(attributes, "code.function.name", "code.function")
    if not path and not name:
        return {}
    frame: dict[str, Json] = {"filename": path, "abs_path": path, "function": name.rpartition(".")[2]}
    frame["module"] = _first(attributes, "code.namespace") or name.rpartition(".")[0]
    frame["lineno"] = attributes.get("code.line.number") or attributes.get("code.lineno")
    return {"stacktrace": {"frames": [frame]}}


# ---- exceptions ----------------------------------------------------------------------------------


def _is_exception(attributes: Attributes) -> bool:
    return bool(attributes.get("exception.type") or attributes.get("exception.message"))


def _without_exception(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if not name.startswith("exception.")}


def _handled(attributes: Attributes) -> bool | None:
    """False when it left its span; OpenTelemetry does not say whether it was caught after that."""
    return False if attributes.get("exception.escaped") in (True, "true", "True") else None


def _add_exception(raw: dict[str, Json], attributes: Attributes, handled: bool | None) -> tuple[str, str, str]:
    """Puts the exception into the event; (type, message, place) tell it apart within its trace."""
    kind, message = text(attributes.get("exception.type")), text(attributes.get("exception.message"))
    stack = attributes.get("exception.stacktrace")
    written = stack if isinstance(stack, str) else ""
    language, chain = exceptions(written)
    if not chain:
        chain = [Raised()]
    chain[-1].type, chain[-1].value = kind or chain[-1].type, message or chain[-1].value
    values = [_exception(one, number, len(chain), handled) for number, one in enumerate(chain)]
    raw["exception"] = {"values": list(values)}
    if written:
        raw["extra"] = {**_dict(raw.get("extra")), "stacktrace": written}
    if language and raw.get("platform") in (None, "other"):
        raw["platform"] = language
    return kind, message, raising_frame(chain) or written[-200:]


def _exception(one: Raised, number: int, of: int, handled: bool | None) -> dict[str, Json]:
    module, kind = module_and_type(one.type)
    mechanism: dict[str, Json] = {"type": "chained" if number < of - 1 else "opentelemetry", "handled": handled}
    mechanism |= {"exception_id": of - 1 - number, "source": one.source}
    if number < of - 1:
        mechanism["parent_id"] = of - 2 - number
    found: dict[str, Json] = {"type": kind, "value": one.value, "mechanism": mechanism}
    if module:
        found["module"] = module
    if one.frames:
        found["stacktrace"] = {"frames": list(one.frames)}
    return found


# ---- what every event has ------------------------------------------------------------------------

_LANGUAGES: Final = {
    "nodejs": "node",
    "webjs": "javascript",
    "dotnet": "csharp",
    "erlang": "elixir",
    "cpp": "native",
    "swift": "cocoa",
}


_METHOD: Final = ("http.request.method", "http.method")


def _base(group: Group, attributes: Attributes) -> dict[str, Json]:
    """What the resource says, and the request that ``attributes`` describe, if any."""
    resource = group.resource
    language = _first(resource, "telemetry.sdk.language")
    service = _service(resource)
    raw: dict[str, Json] = {
        "platform": _LANGUAGES.get(language, language) or "other",
        "level": "error",
        "release": _first(resource, "service.version"),
        "environment": _first(resource, "deployment.environment.name", "deployment.environment"),
        "server_name": _first(resource, "host.name", "k8s.pod.name", "service.instance.id") or service,
        "sdk": {"name": _sdk_name(resource), "version": _first(resource, "telemetry.sdk.version")},
        "tags": {"service": service} if service else {},
        "contexts": _runtime(resource),
    }
    request = _request(attributes)
    if request:
        raw["request"] = request
    user = _first(attributes, "user.id", "enduser.id")
    address = _first(attributes, "client.address", "http.client_ip")
    if user or address:
        raw["user"] = {"id": user, "ip_address": address}
    return raw


def _runtime(resource: Attributes) -> dict[str, Json]:
    name = _first(resource, "process.runtime.name")
    return {"runtime": {"name": name, "version": _first(resource, "process.runtime.version")}} if name else {}


def _contexts(attributes: Attributes, trace_id: str, span_id: str, name: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if trace_id:
        found["trace"] = {"trace_id": trace_id, "span_id": span_id}
    if attributes:
        found["otel"] = {"attributes": dict(attributes)} | ({"span": name} if name else {})
    return found


def _request(attributes: Attributes) -> dict[str, Json]:
    method = _first(attributes, *_METHOD)
    url = _first(attributes, "url.full", "http.url") or _built_url(attributes)
    if not method and not url:
        return {}
    found: dict[str, Json] = {"method": method, "url": url.partition("?")[0]}
    query = _first(attributes, "url.query") or url.partition("?")[2]
    if query:
        found["query_string"] = query
    prefix = "http.request.header."
    headers: dict[str, Json] = {
        name.removeprefix(prefix): _joined(value) for name, value in attributes.items() if name.startswith(prefix)
    }
    agent = _first(attributes, "user_agent.original", "http.user_agent")
    if agent:
        headers.setdefault("user-agent", agent)
    if headers:
        found["headers"] = headers
    return found


def _built_url(attributes: Attributes) -> str:
    path = _first(attributes, "url.path", "http.target")
    host = _first(attributes, "server.address", "http.host", "http.server_name")
    port = _first(attributes, "server.port", "net.host.port")
    if not host:
        return path
    if port and ":" not in host and port not in ("80", "443"):
        host = f"{host}:{port}"
    return f"{_first(attributes, 'url.scheme', 'http.scheme') or 'http'}://{host}{path}"


def _status(attributes: Attributes) -> int | None:
    value = attributes.get("http.response.status_code", attributes.get("http.status_code"))
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else None


def _joined(value: Json) -> str:
    return ", ".join(text(v) for v in value) if isinstance(value, list) else text(value)


def _first(attributes: Attributes, *names: str) -> str:
    return next((text(attributes[n]) for n in names if attributes.get(n) not in (None, "")), "")


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _service(resource: Attributes) -> str:
    return _first(resource, "service.name")


def _sdk(groups: list[Group]) -> str:
    resource = groups[0].resource if groups else {}
    version = _first(resource, "telemetry.sdk.version")[:50]
    return f"{_sdk_name(resource)}/{version}" if version else _sdk_name(resource)


def _sdk_name(resource: Attributes) -> str:
    language = _first(resource, "telemetry.sdk.language")[:40]
    return f"opentelemetry.{language}" if language else "opentelemetry"


def _id(project: str, group: Group, *parts: str) -> str:
    """The same for every record of one failure, and again when the exporter sends it again."""
    whole = "\0".join((project, _service(group.resource), *parts))
    return hashlib.blake2b(whole.encode("utf-8", "replace"), digest_size=16).hexdigest()
