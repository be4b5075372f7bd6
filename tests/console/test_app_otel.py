"""The real OpenTelemetry SDK and its OTLP exporters against a real Console: only address and key are ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.console.running import RunningConsole

app = """
import logging

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

traces, logs = TracerProvider(), LoggerProvider()
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
logging.basicConfig()  # what the exporters say of themselves goes to stderr
logging.getLogger().addHandler(LoggingHandler(logger_provider=logs))
tracer = traces.get_tracer("shop")

def total(count):
    with tracer.start_as_current_span("total"):
        return 100 / count

def cart(count):
    with tracer.start_as_current_span("GET /cart/{count}", kind=trace.SpanKind.SERVER) as span:
        span.set_attributes({"http.request.method": "GET", "http.route": "/cart/{count}"})
        try:
            return total(count)
        except ZeroDivisionError:
            span.set_attribute("http.response.status_code", 500)
            logging.getLogger("shop.cart").exception("the cart failed")
            raise

for _ in range(3):
    try:
        cart(0)
    except ZeroDivisionError:
        pass
cart(5)
traces.shutdown()
with tracer.start_as_current_span("after"):
    logging.getLogger("shop").warning("a word from the shop")
logging.getLogger("shop").error("no stock for %s", "apples")
logs.shutdown()
"""


node_app = """
const { trace, SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${process.env.ENCODING}`);
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();
const tracer = trace.getTracer("shop");

function within(name, kind, work) {
  tracer.startActiveSpan(name, { kind }, (span) => {
    try {
      work(span);
    } catch (e) {
      span.recordException(e);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw e;
    } finally {
      span.end();
    }
  });
}
function total(cart) {
  return cart.items.length;
}
try {
  within("GET /cart/:id", SpanKind.SERVER, (span) => {
    const answer = { "http.request.method": "GET", "http.route": "/cart/:id", "http.response.status_code": 500 };
    span.setAttributes(answer);
    within("total", SpanKind.INTERNAL, () => total({}));
  });
} catch {}
provider.shutdown().then(() => process.exit(0), () => process.exit(1));
"""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RunningConsole]:
    with RunningConsole(tmp_path / "data") as console:
        yield console


def settings(console: RunningConsole) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": console.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-sentry-auth=sentry sentry_key={urlsplit(console.dsn).username}",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.version=2.4.0,deployment.environment.name=staging",
    }


def run(console: RunningConsole, folder: Path, **environment: str) -> str:
    script = folder / "shop.py"
    script.write_text(app)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, **settings(console), **environment},
        check=True,
        timeout=60,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.stderr


def faults(console: RunningConsole) -> dict[str, Any]:
    console.digested()
    return {f["title"]: f for f in console.json("/api/v1/faults?query=is:any")["faults"]}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_three_failures_in_log_and_trace_are_three_events_of_one_fault(
    console: RunningConsole, tmp_path: Path, compression: str
) -> None:
    assert run(console, tmp_path, OTEL_EXPORTER_OTLP_COMPRESSION=compression).count("Failed to export") == 0
    found = faults(console)
    assert set(found) == {"ZeroDivisionError", "no stock for apples"}
    fault = found["ZeroDivisionError"]
    assert (fault["events"], fault["platform"], fault["first_release"]) == (3, "python", "2.4.0")
    assert (fault["environment"], fault["cause"], fault["route"]) == ("staging", "bug", "/cart/{count}")
    event = console.json(f"/api/v1/events/{fault['last_event_id']}")
    assert event["sdk"].startswith("opentelemetry.python/")
    frame = event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"]) == ("total", "return 100 / count")
    tallies = {(t["outcome"], t["item"]): t["quantity"] for t in console.json("/api/v1/stats")["tallies"]}
    assert (tallies["counted", "otlp span"], tallies["counted", "otlp log"]) == (8, 1)
    assert not any(outcome == "malformed" for outcome, _ in tallies)


def test_the_long_address_of_the_sentry_protocol_works_as_well(console: RunningConsole, tmp_path: Path) -> None:
    base = f"{console.url}/api/1/integration/otlp"
    assert run(console, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=base).count("Failed to export") == 0
    assert faults(console)["ZeroDivisionError"]["events"] == 3


def test_a_wrong_key_is_said_in_the_log_of_the_exporter(console: RunningConsole, tmp_path: Path) -> None:
    said = run(console, tmp_path, OTEL_EXPORTER_OTLP_HEADERS="x-sentry-auth=sentry sentry_key=wrong")
    assert "code: 403" in said
    assert faults(console) == {}


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    packages = ["api", "sdk-trace-node", "exporter-trace-otlp-http", "exporter-trace-otlp-proto"]
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", *(f"@opentelemetry/{p}" for p in packages)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch OpenTelemetry here: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["http", "proto"])  # "http" is JSON
def test_opentelemetry_of_node_arrives_in_both_encodings(
    console: RunningConsole, node_modules: Path, encoding: str
) -> None:
    script = node_modules / "shop.js"
    script.write_text(node_app)
    environment = {**os.environ, **settings(console), "ENCODING": encoding}
    subprocess.run(["node", str(script)], env=environment, check=True, timeout=60, cwd=node_modules)
    fault = faults(console)["TypeError"]
    assert (fault["events"], fault["platform"]) == (1, "node")
    assert (fault["route"], fault["status"], fault["cause"]) == ("/cart/:id", 500, "bug")
    payload = console.json(f"/api/v1/events/{fault['last_event_id']}")["payload"]
    assert payload["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "total"
