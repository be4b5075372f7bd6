"""Older and other SDKs against a real Console, as their users set them up: sentry-sdk 1, raven, browser, sentry-cli."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.console.running import RunningConsole

old_sdk = """
import sentry_sdk
assert sentry_sdk.VERSION.startswith("1.45")
sentry_sdk.init(release="till@1", environment="production")
try:
    {}["price"]
except KeyError:
    sentry_sdk.capture_exception()
sentry_sdk.flush(10)
"""
raven = """
import raven, os
client = raven.Client(os.environ["SENTRY_DSN"].replace("http://", "threaded+http://"), release="till@0")
try:
    int("four")
except ValueError:
    client.captureException()
client.captureMessage("an old word")
client.context.clear()
import time; time.sleep(1.5)
"""
browser_page = """<!doctype html><title>shop</title><script type="module">
import * as Sentry from "./sentry.js";
Sentry.init({ dsn: "%s", release: "web@3" });
function checkout(cart) { return cart.items.length; }
setTimeout(() => checkout({}), 0);
</script>"""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with RunningConsole(tmp_path_factory.mktemp("sdks") / "data") as running:
        yield running


def fault(console: RunningConsole, title: str) -> dict[str, Any]:
    console.digested()
    found = console.json("/api/v1/faults?query=is:any")["faults"]
    return next(f for f in found if f["title"] == title)


def installed(folder: Path, *packages: str) -> dict[str, str]:
    """An environment in which Python finds these packages first."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode != 0:
        pytest.skip(f"pip cannot fetch {packages[0]} here: {done.stderr.strip()[-200:]}")
    return {**os.environ, "PYTHONPATH": str(folder)}


def run(script: str, environment: dict[str, str], folder: Path) -> None:
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_sentry_sdk_1_arrives(console: RunningConsole, tmp_path: Path) -> None:
    environment = installed(tmp_path / "old", "sentry-sdk==1.45.1")
    run(old_sdk, {**environment, "SENTRY_DSN": console.dsn}, tmp_path)
    found = fault(console, "KeyError")
    assert (found["first_release"], found["environment"], found["events"]) == ("till@1", "production", 1)


def test_raven_arrives_though_it_calls_its_zlib_deflate(console: RunningConsole, tmp_path: Path) -> None:
    environment = installed(tmp_path / "raven", "raven==6.10.0")
    run(raven, {**environment, "SENTRY_DSN": console.dsn}, tmp_path)
    found = fault(console, "ValueError")
    assert (found["first_release"], found["platform"]) == ("till@0", "python")
    assert found["message"].startswith("invalid literal for int()")


# ---- a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """@sentry/browser as one module, in a folder that can be served."""
    if shutil.which("npm") is None or shutil.which("npx") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("browser")
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "@sentry/browser", "esbuild"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch @sentry/browser here: {done.stderr.strip()[-200:]}")
    (folder / "entry.js").write_text('export * from "@sentry/browser";')
    build = ["node_modules/.bin/esbuild", "entry.js", "--bundle", "--format=esm", "--outfile=sentry.js"]
    subprocess.run(build, cwd=folder, check=True, timeout=60, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield found
        found.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.mark.slow
@pytest.mark.browser
def test_the_browser_sdk_arrives_from_another_origin(console: RunningConsole, bundle: Path, browser: Browser) -> None:
    (bundle / "index.html").write_text(browser_page % console.dsn)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(bundle)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    with page.expect_response(lambda answer: "/envelope/" in answer.url and answer.status == 200):
        page.goto(f"http://localhost:{server.server_address[1]}/")
    page.close()
    server.shutdown()
    server.server_close()
    found = fault(console, "TypeError")
    assert (found["platform"], found["first_release"]) == ("javascript", "web@3")
    event = console.json(f"/api/v1/events/{found['last_event_id']}")
    assert event["sdk"].startswith("sentry.javascript.browser")
    assert event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "checkout"


# ---- sentry-cli -----------------------------------------------------------------------------------


def cli(console: RunningConsole, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "SENTRY_URL": console.url,
        "SENTRY_AUTH_TOKEN": "none-needed-on-loopback",
        "SENTRY_ORG": "us",
        "SENTRY_PROJECT": "my-project",
        "SENTRY_DSN": console.dsn,
    }
    command = [str(Path(sys.executable).parent / "sentry-cli"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_sentry_cli_announces_releases_and_deploys(console: RunningConsole) -> None:
    for arguments in (
        ("info",),
        ("releases", "new", "shop@2.5.0"),
        ("releases", "new", "shop@2.5.0"),
        ("releases", "finalize", "shop@2.5.0"),
        ("deploys", "--release", "shop@2.5.0", "new", "--env", "production", "--name", "blue"),
    ):
        done = cli(console, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    status, body = console.get("/api/0/organizations/us/releases/shop@2.5.0/deploys/")
    [deploy] = json.loads(body)
    assert (status, deploy["environment"], deploy["name"]) == (200, "production", "blue")
    [release] = json.loads(console.get("/api/0/organizations/us/releases/")[1])
    assert release["dateReleased"]


def test_sentry_cli_sends_an_event(console: RunningConsole) -> None:
    done = cli(console, "send-event", "--message", "deployed by hand", "--release", "shop@2.5.0")
    assert done.returncode == 0, done.stderr
    assert fault(console, "deployed by hand")["first_release"] == "shop@2.5.0"


def test_source_maps_are_declined_with_a_reason(console: RunningConsole, tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("var a = 1;\n//# sourceMappingURL=a.js.map\n")
    (tmp_path / "a.js.map").write_text('{"version":3,"sources":["a.ts"],"names":[],"mappings":"AAAA"}')
    done = cli(console, "sourcemaps", "upload", "--release", "shop@2.5.0", str(tmp_path))
    assert done.returncode != 0
    assert "source maps and debug files are not kept" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "organizations/us/releases/", b"{", "no JSON"),
        ("POST", "organizations/us/releases/", b"{}", "a release has a name"),
        ("POST", "organizations/us/releases/", b'{"version": "a\\nb"}', "a release has a name"),
        ("POST", "organizations/us/releases/", b'{"version": "1", "projects": ["nope"]}', "no project is called nope"),
        ("POST", "organizations/us/releases/1/deploys/", b"{}", "a deploy names its environment"),
        ("PUT", "organizations/us/releases/1/", b'{"dateReleased": "soon"}', "'soon' is no time"),
        ("POST", "nothing/here/", b"{}", "only releases and deploys"),
    ],
)
def test_what_cannot_be_carried_out_says_why(
    console: RunningConsole, method: str, path: str, body: bytes, said: str
) -> None:
    status, answer = console.send(method, f"/api/0/{path}", body)
    assert 400 <= status < 500
    assert said in json.loads(answer)["detail"]
