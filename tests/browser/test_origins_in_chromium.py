"""Allowed origins as a real browser obeys them: pages of two origins send, one of them may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.console.running import RunningConsole, until

from fivehundred.cli import main

_SEND = """async ([url, headers]) => {
  const body = '{}\\n{"type":"event"}\\n{"message":"from a page"}\\n';
  try { return (await fetch(url, {method: "POST", body, headers})).status; } catch (e) { return "blocked"; }
}"""


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[str, str]]:
    """Two origins with an empty page each."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not into the output of the tests."""

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield tuple(f"http://127.0.0.1:{server.server_port}" for server in servers)  # type: ignore[misc]
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_page_that_may_send_does_and_another_is_stopped_by_its_browser_or_by_the_door(
    tmp_path: Path, browser: Browser, sites: tuple[str, str]
) -> None:
    ours, evil = sites
    with RunningConsole(tmp_path / "data") as console:
        key, _, rest = console.dsn.removeprefix("http://").partition("@")
        url = f"http://{rest.partition('/')[0]}/api/1/envelope/"

        def sent(site: str) -> list[object]:
            """Of a request that a browser asks about first, and of one that it sends at once."""
            page = browser.new_page()
            page.goto(site)
            auth = f"Sentry sentry_version=7, sentry_key={key}"
            asked = page.evaluate(_SEND, [url, {"X-Sentry-Auth": auth}])
            at_once = page.evaluate(_SEND, [f"{url}?sentry_key={key}", {}])
            page.close()
            return [asked, at_once]

        assert sent(evil) == [200, 200]  # without origins every page may
        assert main(["origins", "1", ours, "--url", console.url]) == 0
        until(lambda: sent(evil) == ["blocked", 403], console.log)
        assert sent(ours) == [200, 200]
