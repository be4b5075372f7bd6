"""Real SDKs, as their users set them up, against a real Console: only the DSN is ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.running import RunningConsole

flask_app = """
import sentry_sdk
from flask import Flask

sentry_sdk.init(send_default_pii=True, release="shop@2.4.0", environment="staging", traces_sample_rate=1.0)
app = Flask("shop")

@app.get("/cart/<int:count>")
def total(count):
    return str(100 / count)

client = app.test_client()
for _ in range(3):
    assert client.get("/cart/0").status_code == 500
assert client.get("/cart/5").data == b"20.0"
sentry_sdk.capture_message("a word from the shop", level="warning")
sentry_sdk.flush(10)
"""

node_app = """
const Sentry = require("@sentry/node");
const http = require("node:http");
Sentry.init({ dsn: process.env.SENTRY_DSN, release: "shop@2.4.0", tracesSampleRate: 1.0 });

function total(cart) {
  return cart.items.length;
}
for (let i = 0; i < 3; i++) {  // the SDK itself drops what equals its last error
  try { total({}); } catch (e) { Sentry.captureException(e); }
}
const padded = new Error("a long one");
padded.name = "PaddedError";
Sentry.withScope((scope) => {
  scope.setExtra("padding", Array.from({ length: 4000 }, (_, i) => "line " + i));  // above 32 kB it is sent as gzip
  Sentry.captureException(padded);
});
Sentry.close(10000).then((done) => process.exit(done ? 0 : 1));
"""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RunningConsole]:
    with RunningConsole(tmp_path / "data") as console:
        yield console


def faults(console: RunningConsole) -> dict[str, Any]:
    console.digested()
    return {f["title"]: f for f in console.json("/api/v1/faults?query=is:any")["faults"]}


def test_sentry_sdk_in_a_flask_app_arrives_as_one_fault(console: RunningConsole, tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text(flask_app)
    environment = {**os.environ, "SENTRY_DSN": console.dsn}
    subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=60, cwd=tmp_path)
    found = faults(console)
    fault = found["ZeroDivisionError"]
    assert (fault["events"], fault["platform"], fault["first_release"]) == (3, "python", "shop@2.4.0")
    assert (fault["environment"], fault["cause"]) == ("staging", "bug")
    assert any("a word from the shop" in title for title in found)
    event = console.json(f"/api/v1/events/{fault['last_event_id']}")
    assert event["sdk"].startswith("sentry.python")
    frame = event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"].strip()) == ("total", "return str(100 / count)")
    tallies = {(t["outcome"], t["item"]): t["quantity"] for t in console.json("/api/v1/stats")["tallies"]}
    assert tallies["counted", "transaction"] == 4
    assert not any(outcome == "malformed" for outcome, _ in tallies)


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "@sentry/node"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch @sentry/node here: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.slow
def test_sentry_node_arrives_with_chunked_bodies_and_the_key_in_the_query(
    console: RunningConsole, node_modules: Path
) -> None:
    script = node_modules / "shop.js"
    script.write_text(node_app)
    environment = {**os.environ, "SENTRY_DSN": console.dsn}
    subprocess.run(["node", str(script)], env=environment, check=True, timeout=60, cwd=node_modules)
    found = faults(console)
    assert (found["TypeError"]["events"], found["TypeError"]["platform"]) == (1, "node")
    assert found["TypeError"]["first_release"] == "shop@2.4.0"
    event = console.json(f"/api/v1/events/{found['TypeError']['last_event_id']}")
    assert event["sdk"].startswith("sentry.javascript.node")
    assert event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "total"
    assert found["PaddedError"]["events"] == 1
