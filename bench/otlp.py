"""What an OTLP span costs: judged at the door, and read by the digest until it is counted or an event.

    python bench/otlp.py [--spans 512]

Spans as an instrumented server sends them: one server span, three inner ones, 11 attributes each, as protobuf. The
second line has an exception with a Python stack on every span: one event a trace and three repetitions. CPU time, the
best of 15 rounds; what an event costs after that (grouping, diagnosis, storing) is in bench/digest.py.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from fivehundred.console import digest_otlp, otlp

_PROTOBUF = "application/x-protobuf"
_STACK = "Traceback (most recent call last):\n" + '  File "/srv/shop/cart.py", line 7, in total\n    a / b\n' * 12
_STACK += "ZeroDivisionError: division by zero\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=512)
    spans = parser.parse_args().spans
    for fails in (False, True):
        body = _request(spans, fails)
        door, digest, events = min(_round(body) for _ in range(15))
        kind = "with exceptions" if fails else "without"
        print(
            f"{kind:16}{len(body) // spans:5} bytes, at the door {door / spans * 1e6:6.1f} us a span, "
            f"in the digest {digest / spans * 1e6:6.1f} us a span, {events} events"
        )


def _round(body: bytes) -> tuple[float, float, int]:
    begin = time.process_time()
    otlp.unreadable(otlp.groups(body, _PROTOBUF, "traces"), "traces")
    judged = time.process_time()
    made = digest_otlp.of_spans(otlp.groups(body, _PROTOBUF, "traces"), "1")
    return judged - begin, time.process_time() - judged, len(made.events)


def _request(spans: int, fails: bool) -> bytes:
    attributes = {"http.request.method": "GET", "http.route": "/cart/{n}", "url.path": "/cart/7", "url.scheme": "https"}
    attributes |= {"server.address": "shop.example", "http.response.status_code": 200, "client.address": "203.0.113.9"}
    attributes |= {"user_agent.original": "Mozilla/5.0", "network.peer.port": 5120, "thread.id": 7, "thread.name": "t"}
    exception = {"exception.type": "ZeroDivisionError", "exception.message": "division by zero"}
    event = {"name": "exception", "attributes": _pairs({**exception, "exception.stacktrace": _STACK})}
    sent: list[Any] = [
        {
            "trace_id": (number // 4 + 1).to_bytes(16, "big"),
            "span_id": (number + 1).to_bytes(8, "big"),
            "parent_span_id": b"" if number % 4 == 0 else number.to_bytes(8, "big"),
            "name": "GET /cart/{n}",
            "kind": 2 if number % 4 == 0 else 1,
            "start_time_unix_nano": 1_790_000_000_000_000_000,
            "end_time_unix_nano": 1_790_000_000_020_000_000,
            "attributes": _pairs(attributes),
            "events": [event] if fails else [],
        }
        for number in range(spans)
    ]
    resource = {"attributes": _pairs({"service.name": "shop", "service.version": "2.4.0"})}
    resources: list[Any] = [{"resource": resource, "scope_spans": [{"spans": sent}]}]
    return bytes(ExportTraceServiceRequest(resource_spans=resources).SerializeToString())


def _pairs(found: dict[str, Any]) -> list[KeyValue]:
    return [
        KeyValue(key=k, value=AnyValue(int_value=v) if isinstance(v, int) else AnyValue(string_value=v))
        for k, v in found.items()
    ]


if __name__ == "__main__":
    main()
