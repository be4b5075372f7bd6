"""A real Chromium in front of the real pages, and axe-core, which is fetched once into a folder that git ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.console.face import Face, wire

from fivehundred.console.access import secret
from fivehundred.console.access.gate import Gate
from fivehundred.console.store.alerts import Alerts, Narrow, Rule
from fivehundred.console.store.filters import Filters
from fivehundred.console.store.ownership import Ownership
from fivehundred.console.store.people import People
from fivehundred.console.store.trackers import Tracker, Trackers
from fivehundred.console.store.triage import Owner, Triage
from fivehundred.console.store.views import Views

root = Path(__file__).parents[2]
password = "correct horse battery"
kinds = (
    ("ZeroDivisionError", "division by zero", "bug"),
    ("OperationalError", "connection to server at 127.0.0.1, port 5432 failed: Connection refused", "database"),
    ("KeyError", "'STRIPE_API_KEY'", "misconfiguration"),
    ("TimeoutError", "QueuePool limit of size 5 overflow 10 reached, connection timed out", "overload"),
    ("ProgrammingError", "syntax error at or near OR", "security"),
    ("RuntimeError", "worker exited", "unknown"),
)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core. FIVEHUNDRED_AXE names the file when it is somewhere else."""
    found = Path(os.environ.get("FIVEHUNDRED_AXE", root / ".cache/axe/node_modules/axe-core/axe.min.js"))
    if not found.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("axe-core is not there: set FIVEHUNDRED_AXE to axe.min.js, or install npm")
        folder = root / ".cache/axe"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--prefix", str(folder), "axe-core@4"], check=True, capture_output=True)
    return found.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with its file: while Playwright runs, no other test of this process may start an event loop."""
    chromium = os.environ.get("FIVEHUNDRED_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in FIVEHUNDRED_CHROMIUM")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


class Served:
    """The pages behind a real server on a port of its own."""

    def __init__(self, folder: Path, *, gate: bool = False) -> None:
        self.face = Face(folder)
        app: Any = Gate(self.face.app, self.face.store) if gate else self.face.app
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.close()


@pytest.fixture
def served(empty: Served) -> Served:
    """Thirty faults of all causes; the first one has eight events."""
    fill(empty.face)
    return empty


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same, shared by the tests that change nothing."""
    served = Served(tmp_path_factory.mktemp("still"))
    fill(served.face)
    triage(served.face)
    yield served
    served.close()


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With accounts: Ann is the owner and has a token, Bob is a viewer."""
    served = Served(tmp_path_factory.mktemp("gated"), gate=True)
    served.face.add(wire())
    desk, now = People(served.face.store().database), time.time()
    ann = desk.add("Ann", "owner", password=secret.hashed(password), now=now)
    desk.add("Bob", "viewer", password=secret.hashed(password), now=now)
    desk.add_token(ann, "ci", "0" * 64, "fhk_abcdef", scope="read", project="", expires_at=now + 9e6, now=now)
    desk.invite(ann, secret.digest("invited"), expires_at=now + 9e6)
    yield served
    served.close()


def triage(face: Face) -> None:
    """Something of everything that people decide: owners, a mute, a release that fixed one, comments, rules, views."""
    database, now = face.store().database, time.time()
    desk = Triage(database)
    desk.assign([1, 3], Owner("billing", "team"), by="Ann", now=now)
    desk.prioritise([2], "high", by="Ann", now=now)
    desk.comment(1, "The vendor says Monday.\nUntil then: restart the worker.", by="Ann", now=now)
    Ownership(database).add("", "path", "shop/payments/*", Owner("billing", "team"))
    Filters(database).add("1", "message", "*connection reset*")
    Views(database).save("Database", "cause:database", "impact", member=None, now=now)
    tell(face, "Ops")


def tell(face: Face, name: str) -> None:
    """A channel, a rule, a message that failed, a tracker, an issue, somebody in a team, an incident: all so called."""
    database, now = face.store().database, time.time()
    alerts, trackers, people = Alerts(database), Trackers(database), People(database)
    channel = alerts.add_channel(name, "webhook", {"url": "http://127.0.0.1:9/"}, "", hourly_max=20, now=now)
    alerts.add_rule(Rule(0, name, channel, ("new",), Narrow(environment=(name,), team=(name,))), now=now)
    with database.transaction():
        body = {"text": name, "path": "/faults/1"}
        alerts.failed(alerts.add(channel, 1, "new", "1", name, body, now=now, due_at=now), name)
    tracker = Tracker(0, name, "github", "https://github.example", "shop/shop", "", "")
    trackers.link(
        1, trackers.add(tracker, now=now), name, "https://github.example/shop/shop/issues/1", by=name, now=now
    )
    person = people.add(name, "member", now=now)
    people.set_team(people.add_team(name), [person], ["1"])
    people.audit(name, name, name, address="192.0.2.1", now=now)
    begin_incident(face, name)


def begin_incident(face: Face, name: str) -> None:
    """As the digest writes one."""
    database, now = face.store().database, time.time()
    with database.transaction():
        row = {"project": "1", "kind": "resource", "subject": name, "state": "open", "sentence": f"{name} fails"}
        incident = database.insert("incident", {**row, "opened_at": now - 60, "last_at": now, "events": 8})
        database.insert(
            "incident_fault", {"incident": incident, "fault": 1, "project": "1", "joined_at": now, "events": 8}
        )
        database.insert("incident_value", {"incident": incident, "name": "route", "value": name, "events": 8})


def fill(face: Face) -> None:
    for number in range(30):
        kind, message, cause = kinds[number % len(kinds)]
        raws = [wire(kind=f"{kind}{number or ''}", message=message) for _ in range(8 if number == 0 else 1)]
        face.add(*raws, cause=cause, ago_s=60 + number * 600)  # type: ignore[arg-type]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a fresh context and fails the test when the browser complains about anything."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opener(url: str, *, width: int = 1366, height: int = 850, scheme: str = "light", scripts: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            bypass_csp=False,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto(url)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert complaints == []
