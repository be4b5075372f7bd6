"""How long from an event's arrival until a page shows it, and from an empty folder to the first event: in Chromium.

    python bench/live.py [--times 20]

A real Console as a process of its own on an empty folder; events by HTTP through the door that applications use. The
waiting page, the list and the fault's page are open one after the other; the time is taken in the browser, from before
the request is sent until the changed text is painted, with one clock.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="live-bench-") as folder:
        command = [sys.executable, "-m", "fivehundred", "console", "--data", folder, "--port", "0", "--json"]
        console = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert console.stdout
            started = json.loads(console.stdout.readline())
            print(f"from nothing to a Console that answers: {time.perf_counter() - begun:.1f} s")
            measure(started["url"], started["dsn"], times)
        finally:
            console.terminate()
            console.wait(20)


def measure(url: str, dsn: str, times: int) -> None:
    with sync_playwright() as playwright:
        path = os.environ.get("FIVEHUNDRED_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 850})
        page.goto(f"{url}/")
        page.wait_for_timeout(1_000)
        begun = time.perf_counter()
        send(dsn)
        page.wait_for_selector("[data-live=overview]")
        flipped = 1000 * (time.perf_counter() - begun)
        print(f"the waiting page flips: {flipped:.0f} ms")
        for name, address, shows in (
            ("the list", "/faults", "document.querySelector('tr[data-fault] td.num').textContent.trim() == '{n}'"),
            ("a fault's page", "/faults/1", "document.querySelector('.figures dd').textContent.trim() == '{n}'"),
        ):
            page.goto(url + address)
            page.wait_for_timeout(1_000)
            count = int(page.evaluate("parseInt(document.querySelector('td.num, .figures dd').textContent)"))
            spent = []
            for n in range(count + 1, count + 1 + times):
                spent.append(seen(page, dsn, shows.replace("{n}", str(n))))
                page.wait_for_timeout(700)  # twice a second is what a page asks for in a storm
            print(f"{name}: median {statistics.median(spent):.0f} ms, worst {max(spent):.0f} ms of {times}")
        for name, address in (("overview", "/"), ("the list", "/faults"), ("a fault's page", "/faults/1")):
            weigh(browser, name, url + address)
        browser.close()


def weigh(browser: Browser, name: str, address: str) -> None:
    """With nothing in the cache: bytes as they were sent, requests, and the time to the load event."""
    page = browser.new_page(viewport={"width": 1366, "height": 850})
    page.goto(address, wait_until="load")
    timing = (
        "(() => { const of = kind => performance.getEntriesByType(kind), n = of('navigation')[0], r = of('resource');"
        " return [n.loadEventStart, 1 + r.length, r.reduce((a, x) => a + x.transferSize, n.transferSize)] })()"
    )
    loaded, requests, sent = page.evaluate(timing)
    print(f"{name}: loaded in {loaded:.0f} ms, {requests} requests, {sent / 1000:.1f} kB sent")
    page.close()


def seen(page: Page, dsn: str, shows: str) -> float:
    begun = time.perf_counter()
    send(dsn)
    # asked through the debugger: the pages' policy lets no script of others in
    page.evaluate(
        f"new Promise(done => {{ const look = () => {shows} ? done(1) : requestAnimationFrame(look); look() }})"
    )
    return 1000 * (time.perf_counter() - begun)


def send(dsn: str) -> None:
    parts = urlsplit(dsn)
    frame = {"filename": "shop/cart.py", "function": "total", "lineno": 7, "in_app": True, "context_line": "x / 0"}
    error = {"type": "ZeroDivisionError", "value": "division by zero", "stacktrace": {"frames": [frame]}}
    body = json.dumps({"event_id": uuid.uuid4().hex, "platform": "python", "exception": {"values": [error]}}).encode()
    url = f"{parts.scheme}://{parts.hostname}:{parts.port}/api{parts.path}/store/?sentry_key={parts.username}"
    urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"}), timeout=10).close()


if __name__ == "__main__":
    main()
