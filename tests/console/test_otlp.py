"""OTLP against its own classes as the oracle: what is read, in both encodings, and what hostile bytes can do."""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped,unused-ignore]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from tests.console.test_digest import Desk
from tests.console.test_ingest import Site, auth

from fivehundred import limits
from fivehundred.console import otlp, otlp_wire
from fivehundred.console.digest_items import sort
from fivehundred.console.spool.base import Door, Received
from fivehundred.console.store.base import Batch, FaultQuery

protobuf, as_json = "application/x-protobuf", "application/json"
trace_id, server_span, inner_span = "5b" * 16, "a1" * 8, "b2" * 8
second = 1_000_000_000
python_stack = """Traceback (most recent call last):
  File "/srv/shop/cart.py", line 7, in total
    return price / count
           ~~~~~~^~~~~~~
ZeroDivisionError: division by zero
"""


# ---- read as its own classes read it -------------------------------------------------------------

texts = st.text(max_size=20)
scalars = st.one_of(
    st.builds(lambda v: AnyValue(string_value=v), texts),
    st.builds(lambda v: AnyValue(int_value=v), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda v: AnyValue(double_value=v), st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(lambda v: AnyValue(bool_value=v), st.booleans()),
    st.builds(lambda v: AnyValue(bytes_value=v), st.binary(max_size=20)),
    st.just(AnyValue()),
)


def containers(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    return st.one_of(
        st.builds(lambda vs: AnyValue(array_value=ArrayValue(values=vs)), st.lists(inner, max_size=3)),
        st.builds(
            lambda vs: AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=k, value=v) for k, v in vs.items()])),
            st.dictionaries(texts, inner, max_size=3),
        ),
    )


values = st.recursive(scalars, containers, max_leaves=6)
attributes = st.dictionaries(texts, values, max_size=4).map(lambda d: [KeyValue(key=k, value=v) for k, v in d.items()])
times = st.integers(0, 2**64 - 1)


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    events = [{"time_unix_nano": draw(times), "name": draw(texts), "attributes": draw(attributes)}]
    return {
        "trace_id": draw(st.binary(min_size=16, max_size=16)),
        "span_id": draw(st.binary(min_size=8, max_size=8)),
        "parent_span_id": draw(st.binary(max_size=8)),
        "name": draw(texts),
        "kind": draw(st.integers(0, 5)),
        "end_time_unix_nano": draw(times),
        "attributes": draw(attributes),
        "events": events * draw(st.integers(0, 2)),
        "status": {"code": draw(st.integers(0, 2)), "message": draw(texts)},
    }


@st.composite
def trace_requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    scope = {"scope": {"name": draw(texts)}, "spans": draw(st.lists(spans(), max_size=3))}
    resources: list[Any] = [{"resource": {"attributes": draw(attributes)}, "scope_spans": [scope]}]
    return ExportTraceServiceRequest(resource_spans=resources)


def expected(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [expected(v) for v in value.array_value.values]
    if kind == "kvlist_value":
        return {clean(kv.key): expected(kv.value) for kv in value.kvlist_value.values}
    found = getattr(value, kind) if kind else None
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    return clean(found) if isinstance(found, str) else found


def clean(value: str) -> str:
    return value.replace("\0", "")


def plain(found: list[Any]) -> dict[str, Any]:
    return {clean(kv.key): expected(kv.value) for kv in found}


def json_of(request: Any) -> bytes:
    """OTLP's JSON mapping: protobuf's, but ids are hexadecimal."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(v) for v in value]
        if not isinstance(value, dict):
            return value
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64decode(v).hex() if k in ids else walk(v) for k, v in value.items()}

    return json.dumps(walk(MessageToDict(request, use_integers_for_enums=True))).encode()


@settings(max_examples=80, deadline=None)
@given(request=trace_requests())
def test_spans_are_read_as_the_classes_of_otlp_read_them(request: ExportTraceServiceRequest) -> None:
    for content_type, body in ((protobuf, request.SerializeToString()), (as_json, json_of(request))):
        sent = request.resource_spans[0].scope_spans[0].spans
        groups = otlp.groups(body, content_type, "traces")
        found = [(g, otlp.span(raw)) for g in groups for raw in g.records]
        assert len(found) == len(sent)
        for (group, span), theirs in zip(found, sent, strict=True):
            assert group.resource == plain(request.resource_spans[0].resource.attributes)
            assert span.trace_id == (theirs.trace_id.hex() if any(theirs.trace_id) else "")
            assert (span.name, span.is_server) == (clean(theirs.name), theirs.kind == 2)
            assert (span.attributes, span.ended_nanoseconds) == (plain(theirs.attributes), theirs.end_time_unix_nano)
            assert span.status == (theirs.status.code == 2, clean(theirs.status.message))
            assert [e.attributes for e in span.events] == [plain(e.attributes) for e in theirs.events]
            assert [e.nanoseconds for e in span.events] == [e.time_unix_nano for e in theirs.events]


@settings(max_examples=60, deadline=None)
@given(body=values, found=attributes, at=times, severity=st.integers(0, 24), text=texts)
def test_log_records_are_read_as_the_classes_of_otlp_read_them(
    body: AnyValue, found: list[KeyValue], at: int, severity: int, text: str
) -> None:
    record = {"time_unix_nano": at, "severity_number": severity, "severity_text": text, "body": body}
    scope = {"log_records": [{**record, "attributes": found, "trace_id": bytes.fromhex(trace_id)}]}
    resources: list[Any] = [{"scope_logs": [scope]}]
    request = ExportLogsServiceRequest(resource_logs=resources)
    for content_type, data in ((protobuf, request.SerializeToString()), (as_json, json_of(request))):
        ((raw,),) = (g.records for g in otlp.groups(data, content_type, "logs"))
        log = otlp.log(raw)
        assert (log.body, log.attributes) == (expected(body), plain(found))
        assert (log.nanoseconds, log.severity, log.severity_text) == (at, severity, clean(text))
        assert log.trace_id == trace_id


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=60), request=trace_requests(), at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_what_the_classes_of_otlp_accept_is_accepted(
    data: bytes, request: ExportTraceServiceRequest, at: int, byte: int
) -> None:
    damaged = bytearray(request.SerializeToString())
    if damaged:
        damaged[at % len(damaged)] = byte
    for body in (data, bytes(damaged)):
        theirs, ours = accepted_by_theirs(body), accepted_by_ours(body)
        assert theirs is None or ours in (theirs, "group"), "only groups are refused that protobuf would take"


def accepted_by_theirs(body: bytes) -> int | None:
    """How many spans the request has; None when it is none."""
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return None
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def accepted_by_ours(body: bytes) -> int | str | None:
    try:
        return sum(len(group.records) for group in otlp.groups(body, protobuf, "traces"))
    except otlp.OtlpError as e:
        return "group" if "wire type" in str(e) else None


# ---- hostile -------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["attributes", "events", "status", "body", "key", "value", "traceId", "timeUnixNano", "kind"])
records = st.dictionaries(names | st.sampled_from(["severityNumber", "name"]), json_values, max_size=6) | json_values


def is_settled(body: bytes, door: Door, content_type: str) -> bool:
    """Whether every record of the body ended as an event, as a count or as malformed."""
    batch = Batch()
    found = list(sort(Received("1", door, time.time(), {"content_type": content_type}, body), "1:0:0", batch))
    return bool(found or batch.malformed or batch.tallies)


@settings(max_examples=60, deadline=None)
@given(inner=st.lists(records, min_size=1, max_size=4), is_log=st.booleans())
def test_json_of_any_shape_is_settled(inner: list[Any], is_log: bool) -> None:
    logs, spans = ("resourceLogs", "scopeLogs", "logRecords"), ("resourceSpans", "scopeSpans", "spans")
    outer, scope, name = logs if is_log else spans
    body = json.dumps({outer: [{scope: [{name: inner}]}]}).encode()
    assert is_settled(body, "otlp_logs" if is_log else "otlp_traces", as_json)


@settings(max_examples=60, deadline=None)
@given(request=trace_requests(), at=st.integers(0, 10**6), byte=st.integers(0, 255), door=st.sampled_from([0, 1]))
def test_damaged_protobuf_is_settled(request: ExportTraceServiceRequest, at: int, byte: int, door: int) -> None:
    damaged = bytearray(request.SerializeToString())
    damaged[at % len(damaged)] = byte
    doors: tuple[Door, Door] = ("otlp_traces", "otlp_logs")
    assert is_settled(bytes(damaged), doors[door], protobuf)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_fields_or_an_error(data: bytes) -> None:
    try:
        found = otlp_wire.fields(data)
    except otlp_wire.WireError:
        return
    assert all(number > 0 for number, _, _ in found)


def nested(depth: int) -> bytes:
    """A value within a value within a value ..."""
    value = b""
    for _ in range(depth):
        inner = b"\x0a" + length(value) + value
        value = b"\x2a" + length(inner) + inner
    return value


def length(data: bytes) -> bytes:
    n, found = len(data), b""
    while n > 127:
        found += bytes((n & 127 | 128,))
        n >>= 7
    return found + bytes((n,))


def test_values_nested_thousands_deep_are_cut() -> None:
    value = nested(5_000)
    found = otlp.log(b"\x2a" + length(value) + value).body
    for _ in range(limits.otlp_depth_max - 1):
        assert isinstance(found, list)
        (found,) = found
    assert found == "…"


def test_spans_that_are_each_others_parents_end() -> None:
    loop = [span(span_id=a, parent_span_id=b) for a, b in ((server_span, inner_span), (inner_span, server_span))]
    assert is_settled(traces(*loop), "otlp_traces", protobuf)


def test_too_many_records_are_refused(tmp_path: Path) -> None:
    scope = b"\x12\x00" * (limits.otlp_records_max + 1)
    resource = b"\x12" + length(scope) + scope
    reply = ask(tmp_path, b"\x0a" + length(resource) + resource)
    assert (reply.status, b"smaller batches" in reply.body) == (413, True)


# ---- the answer ----------------------------------------------------------------------------------


def ask(folder: Path, body: bytes, content_type: str = protobuf, path: str = "/v1/traces") -> Any:
    return Site(folder).ask(path, body, {**auth, "Content-Type": content_type})


@pytest.mark.parametrize(
    ("path", "answer"), [("/v1/traces", ExportTraceServiceResponse), ("/v1/logs", ExportLogsServiceResponse)]
)
def test_records_that_cannot_be_read_are_a_partial_success(tmp_path: Path, path: str, answer: Any) -> None:
    broken, fine = b"\x0a\x7f", b""
    scope = b"\x12" + length(broken) + broken + b"\x12" + length(fine) + fine
    resource = b"\x12" + length(scope) + scope
    reply = ask(tmp_path, b"\x0a" + length(resource) + resource, path=path)
    told = answer.FromString(reply.body).partial_success
    rejected = told.rejected_spans if path == "/v1/traces" else told.rejected_log_records
    assert (reply.status, rejected, "malformed" in told.error_message) == (200, 1, True)


def test_a_partial_success_in_json(tmp_path: Path) -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}, 7]}]}]}).encode()
    reply = ask(tmp_path, body, as_json)
    assert (reply.status, json.loads(reply.body)["partialSuccess"]["rejectedSpans"]) == (200, "1")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\x0a\x7f", protobuf, 400),
        (b"{", as_json, 400),
        (b"[]", as_json, 400),
        (b'{"resourceSpans": {}}', as_json, 400),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[1]}]}]}', as_json, 400),
        (b'{"resourceSpans":' + b"[" * 5000 + b"]" * 5000 + b"}", as_json, 400),
        (b"{}", "text/plain", 415),
        (b"", "", 415),
    ],
)
def test_what_no_reader_understands_is_refused(tmp_path: Path, body: bytes, content_type: str, status: int) -> None:
    reply = ask(tmp_path, body, content_type)
    assert reply.status == status
    assert Site(tmp_path).kept() == []


# ---- what becomes of it --------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()
    desk.reader.close()


def pairs(**found: Any) -> list[KeyValue]:
    def value(v: Any) -> AnyValue:
        return AnyValue(int_value=v) if isinstance(v, int) else AnyValue(string_value=v)

    return [KeyValue(key=k.replace("__", "."), value=value(v)) for k, v in found.items()]


def raised(stack: str = python_stack) -> list[KeyValue]:
    return pairs(
        exception__type="ZeroDivisionError", exception__message="division by zero", exception__stacktrace=stack
    )


def span(**fields: Any) -> dict[str, Any]:
    ids = ("trace_id", "span_id", "parent_span_id")
    found = {"trace_id": trace_id, "name": "total", "end_time_unix_nano": int(time.time()) * second, **fields}
    return {k: bytes.fromhex(v) if k in ids else v for k, v in found.items()}


def exception_event(stack: str = python_stack) -> dict[str, Any]:
    return {"name": "exception", "time_unix_nano": int(time.time()) * second, "attributes": raised(stack)}


def resource(service: str = "shop") -> dict[str, Any]:
    found = pairs(
        service__name=service,
        service__version="2.4.0",
        deployment__environment__name="staging",
        host__name="web-3",
        telemetry__sdk__language="python",
        telemetry__sdk__version="1.45.2",
    )
    return {"attributes": found}


def traces(*spans: dict[str, Any], service: str = "shop") -> bytes:
    resources: list[Any] = [{"resource": resource(service), "scope_spans": [{"spans": list(spans)}]}]
    return bytes(ExportTraceServiceRequest(resource_spans=resources).SerializeToString())


def logs(**record: Any) -> bytes:
    record = {"trace_id": bytes.fromhex(trace_id), "time_unix_nano": int(time.time()) * second, **record}
    scope = {"scope": {"name": "shop.cart"}, "log_records": [record]}
    resources: list[Any] = [{"resource": resource(), "scope_logs": [scope]}]
    return bytes(ExportLogsServiceRequest(resource_logs=resources).SerializeToString())


def server(answered: int = 500, **fields: Any) -> dict[str, Any]:
    found = pairs(
        http__request__method="GET",
        http__route="/cart/{n}",
        url__path="/cart/0",
        url__query="coupon=7",
        server__address="shop.example",
        http__response__status_code=answered,
        client__address="203.0.113.9",
    )
    return span(name="GET /cart/{n}", kind=2, span_id=server_span, attributes=found, **fields)


def send(desk: Desk, body: bytes, door: Door = "otlp_traces") -> None:
    desk.send(Received("1", door, time.time(), {"content_type": protobuf}, body))


def only(desk: Desk) -> tuple[Any, dict[str, Any]]:
    (fault,) = desk.store.faults(FaultQuery(state=None), now=time.time()).faults
    return fault, desk.store.event(fault.last_event_id).payload


def test_an_exception_on_two_spans_is_one_event_of_the_inner_one_with_the_request_of_the_outer(desk: Desk) -> None:
    inner = span(span_id=inner_span, parent_span_id=server_span, events=[exception_event()])
    send(desk, traces(server(events=[exception_event()]), inner))
    fault, payload = only(desk)
    assert (fault.title, fault.events, fault.status, fault.method) == ("ZeroDivisionError", 1, 500, "GET")
    assert (fault.route, fault.environment, fault.first_release) == ("/cart/{n}", "staging", "2.4.0")
    assert (fault.platform, payload["server_name"], payload["tags"]) == ("python", "web-3", {"service": "shop"})
    assert payload["contexts"]["trace"] == {"trace_id": trace_id, "span_id": inner_span}
    assert payload["request"]["url"] == "http://shop.example/cart/0"
    frame = payload["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["lineno"], frame["context_line"]) == ("total", 7, "return price / count")
    assert payload["extra"]["stacktrace"] == python_stack
    assert desk.tallies()["duplicate", "event"] == 1
    assert desk.tallies()["counted", "otlp span"] == 2


def test_the_same_failure_in_log_and_trace_and_sent_again_is_one_event(desk: Desk) -> None:
    for _ in range(2):
        send(desk, logs(body={"string_value": "cart failed"}, severity_number=17, attributes=raised()), "otlp_logs")
        send(desk, traces(span(span_id=inner_span, events=[exception_event()])))
    fault, payload = only(desk)
    assert (fault.events, payload["message"], payload["logger"]) == (1, "cart failed", "shop.cart")


def test_a_span_that_comes_after_the_log_still_tells_the_route(desk: Desk) -> None:
    inner = span(span_id=inner_span, parent_span_id=server_span, events=[exception_event()])
    for n in range(2):
        found = {"trace_id": bytes([n + 1] * 16)}
        send(desk, logs(severity_number=17, attributes=raised(), **found), "otlp_logs")
        assert only(desk)[0].route == ("/cart/{n}" if n else "")
        send(desk, traces({**server(), **found}, {**inner, **found}))
    fault, _ = only(desk)
    assert (fault.events, fault.method, fault.route, fault.status) == (2, "GET", "/cart/{n}", 500)
    assert desk.store.faults(FaultQuery(text="/cart/{n}"), now=time.time()).total == 1


def test_one_failure_in_two_services_is_two_events(desk: Desk) -> None:
    for service in ("shop", "stock"):
        send(desk, traces(span(span_id=inner_span, events=[exception_event()]), service=service))
    assert only(desk)[0].events == 2


def test_a_server_span_with_a_5xx_and_no_exception_is_an_event(desk: Desk) -> None:
    send(desk, traces(server(503, status={"code": 2, "message": "no upstream"})))
    fault, payload = only(desk)
    assert (fault.title, fault.status, fault.route) == ("GET /cart/{n} was answered with 503", 503, "/cart/{n}")
    assert payload["extra"]["status_message"] == "no upstream"


def test_what_is_no_failure_is_counted_and_no_event(desk: Desk) -> None:
    calls = span(span_id=inner_span, kind=3, attributes=pairs(http__response__status_code=500))
    send(desk, traces(server(404), calls, span(span_id="c3" * 8, events=[{"name": "retry"}])))
    send(desk, logs(body={"string_value": "low"}, severity_number=13), "otlp_logs")
    assert desk.faults() == 0
    assert desk.tallies()["counted", "otlp span"] == 3
    assert desk.tallies()["counted", "otlp log"] == 1


def test_a_log_record_of_level_error_is_an_event_at_its_place(desk: Desk) -> None:
    where = pairs(code__file__path="/srv/shop/stock.py", code__function__name="reserve", code__line__number=12)
    send(desk, logs(body={"string_value": "no stock"}, severity_number=21, attributes=where), "otlp_logs")
    fault, payload = only(desk)
    assert (fault.title, fault.level, payload["stacktrace"]["frames"][0]["lineno"]) == ("no stock", "fatal", 12)


def test_a_level_may_come_as_a_word(desk: Desk) -> None:
    send(desk, logs(body={"string_value": "no stock"}, severity_text="Error"), "otlp_logs")
    assert only(desk)[0].level == "error"


def test_a_record_that_cannot_be_read_is_shown_and_the_others_are_kept(desk: Desk) -> None:
    good = traces(span(span_id=inner_span, events=[exception_event()]))
    broken = b"\x12\x02\x0a\x7f"
    send(desk, good + b"\x0a" + length(b"\x12" + length(broken) + broken) + b"\x12" + length(broken) + broken)
    assert desk.faults() == 1
    (malformed,) = desk.store.malformed("1", limit=5)
    assert "protobuf" in desk.store.event(malformed.event_id).malformed


def test_secrets_in_attributes_are_scrubbed(desk: Desk) -> None:
    found = pairs(password="hunter2-secret", http__request__header__authorization="Bearer abcdef123456")
    send(desk, logs(body={"string_value": "x"}, severity_number=17, attributes=found), "otlp_logs")
    payload = json.dumps(only(desk)[1])
    assert "hunter2" not in payload
    assert "abcdef123456" not in payload


def test_numbers_that_are_none_do_no_harm(desk: Desk) -> None:
    infinite = KeyValue(key="ratio", value=AnyValue(double_value=struct.unpack("<d", b"\0" * 6 + b"\xf0\x7f")[0]))
    send(desk, logs(body={"string_value": "x"}, severity_number=17, attributes=[infinite]), "otlp_logs")
    assert only(desk)[1]["contexts"]["otel"]["attributes"]["ratio"] == "Infinity"
