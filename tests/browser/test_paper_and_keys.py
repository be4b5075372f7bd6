"""Pages on paper, and what the keyboard reaches without any shortcut: only a browser can tell."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Served

from fivehundred.console.store.objectives import Objectives
from fivehundred.console.store.rates import Counted, RateReport, Rates

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
paper = {"width": 703, "height": 1000}  # A4 between its margins


# ---- paper ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/faults/1", "/incidents/1", "/faults"])
def test_paper_holds_what_is_read_and_nothing_to_press(still: Served, open_page: Open, path: str) -> None:
    page = open_page(f"{still.url}{path}")
    page.emulate_media(media="print")
    page.set_viewport_size(paper)  # type: ignore[arg-type]
    assert page.locator("button:visible, input:visible, textarea:visible, .top:visible").count() == 0
    expect(page.locator("h1")).to_be_visible()
    if path == "/faults/1":
        expect(page.locator(".code .fails").first).to_be_visible()
        expect(page.locator(".steps")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= paper["width"]


def test_paper_is_white_whatever_the_screen_is(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults/1", scheme="dark")
    on_screen = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    page.emulate_media(media="print", color_scheme="dark")
    colour = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    red, green, blue = (int(part) for part in colour[4:-1].split(","))
    assert colour != on_screen
    assert red + green + blue < 150, colour


def test_times_on_paper_are_absolute(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults/1")
    page.emulate_media(media="print")
    said = "getComputedStyle(document.querySelector('.figures time'), '::after').content"
    assert "UTC" in page.evaluate(said)


# ---- keys ----------------------------------------------------------------------------------------


def test_a_fault_is_muted_and_resolved_from_its_own_page(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults/1")
    chip = page.locator(".crumbs .chip").first
    for key, state in (("m", "muted"), ("m", "open"), ("e", "resolved"), ("e", "open")):
        page.keyboard.press(key)
        expect(chip).to_have_text(state)


@pytest.mark.parametrize(("key", "path"), [("o", "/"), ("f", "/faults"), ("i", "/incidents"), ("r", "/releases"),
                                           ("t", "/routes"), ("p", "/projects"), ("a", "/alerts"),
                                           ("s", "/settings"), ("l", "/losses")])  # fmt: skip
def test_g_and_a_letter_go_to_a_page(still: Served, open_page: Open, key: str, path: str) -> None:
    page = open_page(f"{still.url}/help")
    page.keyboard.press("g")
    page.keyboard.press(key)
    page.wait_for_url(f"{still.url}{path}")


def test_a_menu_is_used_with_tab_and_enter_alone(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults/1")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == "Priority, choose":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "high"
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs .prio")).to_be_visible()


def test_what_has_the_focus_is_seen(still: Served, open_page: Open) -> None:
    """Each of the first stops of the Tab key has an outline."""
    page = open_page(f"{still.url}/faults")
    for _ in range(25):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(e => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0"
            " ? '' : e.outerHTML.slice(0, 120) })(document.activeElement)"
        )
        assert seen == ""


@pytest.mark.parametrize("width", [390, 1366])
def test_no_dialog_is_cut(still: Served, open_page: Open, width: int) -> None:
    page = open_page(f"{still.url}/faults", width=width)
    for key in ("?", "Control+k"):
        page.keyboard.press(key)
        box = page.get_by_role("dialog")
        expect(box).to_be_visible()
        assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
        page.keyboard.press("Escape")
        expect(box).to_have_count(0)


# ---- pages that are fuller than most -------------------------------------------------------------


@pytest.fixture(scope="module")
def counted(still: Served) -> Served:
    """With rates of several routes and objectives of which one burns: tables of nine columns."""
    database, now = still.face.store().database, time.time()
    rows = tuple(Counted(f"/orders/{{id}}/a-long-route-{n}", "POST", 40_000, 12, 30 * n) for n in range(12))
    with database.transaction():
        Rates(database).add([RateReport("1", now - 600, "2.4.0", "production", "web-1", rows)])
    Objectives(database).set("1", "", 0.9999)
    Objectives(database).set("1", rows[3].route, 0.99)
    return still


@pytest.mark.parametrize("path", ["/", "/routes", "/route?project=1&method=POST&route=/orders/{id}/a-long-route-3"])
@pytest.mark.parametrize("width", [390, 768, 1366])
def test_no_table_of_figures_scrolls_sideways(counted: Served, open_page: Open, path: str, width: int) -> None:
    page = open_page(f"{counted.url}{path}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_text("Error budgets")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_there_are_rates(counted: Served, open_page: Open, axe: str, scheme: str) -> None:
    page = open_page(f"{counted.url}/routes", scheme=scheme)
    for path in ("/routes", "/", "/api/v1/docs", "/api/v1/docs/shapes"):
        page.goto(f"{counted.url}{path}")
        page.evaluate(axe)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")
        assert [(v["id"], v["nodes"][0]["html"][:160]) for v in found["violations"]] == [], path


def test_the_titles_are_titles(counted: Served, open_page: Open) -> None:
    page = open_page(f"{counted.url}/routes")
    assert page.title() == "Routes · fivehundred"
