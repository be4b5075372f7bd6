"""A newcomer's journey through real processes: the demo's page and buttons, the Console's list, the fault's page."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pytest
from playwright.sync_api import Page, expect

Open: TypeAlias = Callable[..., Page]
presses = [
    ("Divide by zero", "bug"),
    ("Forget a setting", "misconfiguration"),
    ("Stop the database", "database"),
    ("Try an injection", "security"),
]


@dataclass
class Demo:
    console: str
    client: str
    process: subprocess.Popen[str]
    lines: list[str]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    command = [sys.executable, "-m", "fivehundred", "demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C ends everything" in line:
            break
    text = "".join(lines)
    console, client = (re.search(rf"^  {name} +(http\S+)", text, re.MULTILINE) for name in ("console", "client"))
    assert console, text
    assert client, text
    yield Demo(console[1], client[1], process, lines)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.parametrize(("label", "cause"), presses)
def test_a_press_leads_to_a_page_that_says_why(demo: Demo, open_page: Open, label: str, cause: str) -> None:
    page = open_page(demo.client)
    page.get_by_role("button", name=label).click()
    link = page.get_by_role("link", name=re.compile("^Open [0-9a-f]{32} in the Console$")).first
    reference = link.inner_text().split()[1]
    expect(page.locator("article").first).to_contain_text(reference)
    for _ in range(100):  # the event may be a moment behind the click, and the browser logs a 404 as an error
        if page.request.get(f"{demo.console}/api/v1/events/{reference}").ok:
            break
        page.wait_for_timeout(100)
    with page.expect_navigation():
        link.click()
    expect(page.locator("main")).to_contain_text(cause, ignore_case=True)
    expect(page.locator("main")).to_contain_text(" because ")
    expect(page.locator("main")).to_contain_text(reference)


def test_a_new_fault_appears_in_the_open_list_without_a_reload(demo: Demo, open_page: Open) -> None:
    listed = open_page(f"{demo.console}/faults")
    before = listed.evaluate("performance.timeOrigin")
    page = open_page(demo.client)
    page.get_by_role("button", name="Read bad data").click()
    expect(listed.locator("body")).to_contain_text(re.compile(r"\d+ new|unsupported operand"), timeout=3_000)
    assert listed.evaluate("performance.timeOrigin") == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_axe_finds_nothing_on_the_pages_of_the_demo(
    demo: Demo, open_page: Open, axe: str, scheme: str, width: int
) -> None:
    for url in (demo.client, f"{demo.console}/faults", f"{demo.console}/faults/1"):
        page = open_page(url, width=width, scheme=scheme)
        page.evaluate(axe)
        found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
        assert found == [], url
        assert page.evaluate("document.documentElement.scrollWidth") <= width
