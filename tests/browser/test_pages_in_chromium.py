"""What only a browser can tell: where things stand, the keyboard, live updates, accessibility, no scripts at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Served, password, tell
from tests.console.face import wire

from fivehundred.console.store.filters import Filters
from fivehundred.console.store.ownership import Ownership
from fivehundred.console.store.projects import Projects
from fivehundred.console.store.triage import Owner, Triage
from fivehundred.console.store.views import Views

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
paths = (
    "/",
    "/faults",
    "/faults/1",
    "/faults/1/events",
    "/projects",
    "/losses",
    "/malformed",
    "/help",
    "/faults?q=x:y",
    "/faults?q=is:review",
    "/faults?q=cause:database+-env:staging",
    "/releases",
    "/release?project=1&name=2.4.0",
    "/routes",
    "/route?project=1&method=POST&route=/orders/{id}",
    "/projects/1",
    "/settings",
    "/settings/owners?event=%231",
    "/settings/filters?event=%231",
    "/palette",
    "/incidents",
    "/incidents/1",
    "/alerts",
    "/trackers",
    "/grouping",
    "/people",
    "/audit",
    "/projects/1/rules",
    "/api/v1/docs",
    "/api/v1/docs/shapes",
    "/sign-in?back=/faults",
)


def bottom(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box
    return box["y"] + box["height"]


# ---- layout --------------------------------------------------------------------------------------


def test_the_failing_line_stands_above_the_fold(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults/1")
    assert bottom(page, ".code .fails") <= 600
    assert bottom(page, ".vals") <= 850


def test_the_first_screen_of_the_list_shows_fourteen_faults(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults")
    rows = page.locator("tr[data-fault]")
    boxes = [rows.nth(n).bounding_box() for n in range(14)]
    assert all(box and box["y"] + box["height"] <= 850 and 32 <= box["height"] <= 36 for box in boxes)


@pytest.mark.parametrize("path", paths)
@pytest.mark.parametrize("width", [390, 768, 1366])
def test_no_page_scrolls_sideways(still: Served, open_page: Open, path: str, width: int) -> None:
    page = open_page(f"{still.url}{path}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_needs_at_most_eight_requests(still: Served, open_page: Open) -> None:
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto(f"{still.url}/faults/1", wait_until="load")
    page.wait_for_timeout(300)
    assert len(asked) <= 8, asked


# ---- accessibility -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_axe_finds_no_violation(still: Served, open_page: Open, axe: str, scheme: str, width: int) -> None:
    page = open_page(f"{still.url}/", width=width, scheme=scheme)
    event = still.face.store().fault(1, now=time.time()).fault.last_event_id
    for path in (*paths, f"/events/{event}"):
        page.goto(f"{still.url}{path}")
        page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = true })")
        page.evaluate(axe)  # through the debugger: the page's policy lets no foreign script in
        found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
        said = [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found["violations"]]
        assert said == [], f"{path}: {json.dumps(said, indent=1)}"


def test_the_waiting_page_has_no_violation_either(empty: Served, open_page: Open, axe: str) -> None:
    page = open_page(f"{empty.url}/")
    page.evaluate(axe)
    assert page.evaluate("axe.run().then(r => r.violations.map(v => v.id))") == []


# ---- accounts ------------------------------------------------------------------------------------


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_label("Password").press("Enter")


def test_signing_in_leads_to_the_page_that_was_asked_for(gated: Served, open_page: Open) -> None:
    page = open_page(f"{gated.url}/faults/1")
    page.set_default_timeout(15_000)
    sign_in(page, "Ann")
    page.wait_for_url("**/faults/1")
    expect(page.locator("h1")).to_contain_text("ZeroDivisionError")
    page.goto(f"{gated.url}/account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_accounts_have_no_violation_and_fit(gated: Served, open_page: Open, axe: str, scheme: str) -> None:
    page = open_page(f"{gated.url}/invite/invited", scheme=scheme)
    page.set_default_timeout(15_000)
    accessible(page, axe)
    page.goto(f"{gated.url}/sign-in?back=/account")
    accessible(page, axe)
    sign_in(page, "Ann")
    page.wait_for_url("**/account")
    expect(page.locator(".qr svg")).to_be_visible()
    for path in ("/account", "/people", "/audit"):
        page.goto(f"{gated.url}{path}")
        page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = true })")
        accessible(page, axe)


def test_a_refusal_is_a_page(gated: Served, open_page: Open, axe: str) -> None:
    page = open_page(f"{gated.url}/sign-in?back=/help")
    page.set_default_timeout(15_000)
    sign_in(page, "Bob")
    page.wait_for_url("**/help")
    answer = page.request.get(f"{gated.url}/people", headers={"accept": "text/html"})
    assert answer.status == 403
    assert "Bob may not do this" in answer.text()


def accessible(page: Page, axe: str) -> None:
    for width in (1366, 390):
        page.set_viewport_size({"width": width, "height": 850})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe)
        found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
        said = [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found["violations"]]
        assert said == [], f"{page.url}: {json.dumps(said, indent=1)}"


def test_tables_keep_their_columns_on_a_wide_screen(still: Served, open_page: Open) -> None:
    """Nothing of a row stands under its neighbour: a cell is as wide as its words."""
    for path in ("/alerts", "/trackers", "/people", "/audit"):
        page = open_page(f"{still.url}{path}")
        heights = page.locator("main tbody tr").evaluate_all("rows => rows.map(r => r.getBoundingClientRect().height)")
        assert heights, path
        assert all(height <= 60 for height in heights), (path, heights)


# ---- live ----------------------------------------------------------------------------------------


def test_the_first_event_flips_the_waiting_page(empty: Served, open_page: Open) -> None:
    page = open_page(f"{empty.url}/")
    expect(page.get_by_text("Waiting for the first event", exact=True)).to_be_visible()
    page.wait_for_timeout(300)
    empty.face.add(wire())
    expect(page.get_by_text("Failing now")).to_be_visible()


def test_a_new_fault_waits_behind_a_pill_and_no_row_moves(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults")
    page.wait_for_timeout(300)
    before = page.locator("tr[data-fault]").evaluate_all("rows => rows.map(r => r.dataset.fault)")
    served.face.add(*(wire(kind=f"Brand{n}") for n in range(3)), ago_s=0)
    pill = page.get_by_role("status").filter(has_text="3 new")
    expect(pill).to_be_visible()
    assert page.locator("tr[data-fault]").evaluate_all("rows => rows.map(r => r.dataset.fault)") == before
    pill.click()
    expect(page.get_by_text("Brand2")).to_be_visible()


def test_the_figures_of_a_row_grow_where_it_stands(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults")
    page.wait_for_timeout(300)
    row = page.locator('tr[data-fault="1"]')
    expect(row.locator("td.num").first).to_have_text("8")
    served.face.add(wire(), ago_s=0)
    expect(row.locator("td.num").first).to_have_text("9")


def test_a_fault_page_counts_while_it_is_read(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults/1")
    page.wait_for_timeout(300)
    served.face.add(wire(), ago_s=0)
    expect(page.locator(".figures dd").first).to_have_text("9")


# ---- keyboard ------------------------------------------------------------------------------------


def test_triage_by_keyboard_alone(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults?order=first_seen")
    titles = page.locator("tr[data-fault] b").all_text_contents()
    for key in ("j", "j", "k", "j", "x"):
        page.keyboard.press(key)
    assert page.locator("tr.at b").text_content() == titles[1]
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_text(titles[1], exact=True)).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("m")
    expect(page.get_by_text(titles[0], exact=True)).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(titles[2])


def test_slash_searches_and_a_question_mark_helps(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("resolve")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("cause:overload")
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-fault]")).to_have_count(5)
    assert "q=cause%3Aoverload" in page.url


def test_typing_into_the_search_is_no_command(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults")
    page.keyboard.press("/")
    page.keyboard.type("jexm?")
    assert page.locator(".find input").input_value() == "jexm?"


def test_everything_is_found_by_ctrl_k(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults")
    page.keyboard.press("Control+k")
    box = page.get_by_role("dialog")
    expect(box.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("releas")
    page.keyboard.press("Enter")
    page.wait_for_url("**/releases")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    page.keyboard.type("cause:security")
    page.keyboard.press("Enter")
    page.wait_for_url("**/faults?q=cause%3Asecurity")


def test_ctrl_k_does_what_the_page_can_do(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults/1")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    page.keyboard.type("mute for a day")
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs .chip").first).to_have_text("muted")


def test_a_fault_is_assigned_and_commented_on_by_keyboard(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults/1")
    page.keyboard.press("a")
    page.keyboard.type("Zoë")
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs")).to_contain_text("assigned to Zoë")
    expect(page.locator(".crumbs .chip").first).to_have_text("open")  # and not resolved by the way
    page.keyboard.press("c")
    page.keyboard.type("ej?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_contain_text("ej?")


def test_a_selection_is_assigned_by_keyboard(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults?order=first_seen")
    for key in ("j", "x", "j", "x", "a"):
        page.keyboard.press(key)
    page.keyboard.type("billing")
    page.keyboard.press("Enter")
    expect(page.locator("td.rel", has_text="billing")).to_have_count(2)


def test_escape_and_a_click_elsewhere_shut_a_menu(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults/1")
    page.get_by_label("Mute, choose").click()
    expect(page.locator("details.menu[open]")).to_have_count(1)
    page.get_by_label("Assign, choose").click()
    expect(page.locator("details.menu[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("details.menu[open]")).to_have_count(0)


def test_the_search_box_completes(still: Served, open_page: Open) -> None:
    page = open_page(f"{still.url}/faults")
    page.keyboard.press("/")
    page.keyboard.type("cause:da")
    expect(page.locator("#terms option").first).to_have_attribute("value", "cause:database")


# ---- weight --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", paths)
def test_a_page_weighs_at_most_sixty_kilobytes_in_eight_requests(still: Served, open_page: Open, path: str) -> None:
    page = open_page("about:blank")
    sizes: list[int] = []
    page.on("response", lambda r: sizes.append(len(r.body()) if r.url.partition("?")[0].endswith(".js") else 0))
    answer = page.goto(f"{still.url}{path}", wait_until="load")
    assert answer
    page.wait_for_timeout(150)
    assert len(answer.body()) <= 60_000
    assert len(sizes) <= 8
    assert sum(sizes) <= 10_000


# ---- without scripts -----------------------------------------------------------------------------


def test_everything_can_be_done_without_scripts(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults", scripts=False)
    page.get_by_label("Select fault 1", exact=True).check()
    page.get_by_label("Select fault 2", exact=True).check()
    page.get_by_label("Mute, choose").click()
    page.get_by_role("button", name="until unmuted").click()
    expect(page.locator("tr[data-fault]")).to_have_count(28)
    page.get_by_role("link", name="Muted").click()
    page.get_by_role("link", name="ZeroDivisionError division by zero", exact=True).click()
    page.get_by_role("button", name="Resolve", exact=True).click()
    expect(page.locator(".crumbs .chip").first).to_have_text("resolved")
    page.get_by_label("Comment").fill("Fixed by hand.")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator("#history")).to_contain_text("Fixed by hand.")
    page.get_by_role("link", name="traceback").click()
    expect(page.locator("body")).to_contain_text("Traceback (most recent call last):")


def test_dark_is_chosen_by_a_plain_form(served: Served, open_page: Open) -> None:
    page = open_page(f"{served.url}/faults", scripts=False)
    page.locator(".looks summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


# ---- hostile -------------------------------------------------------------------------------------


def test_markup_that_people_write_is_text_in_the_browser(empty: Served, open_page: Open) -> None:
    evil = "<img src=x onerror=window.owned=1>"
    empty.face.add(wire())
    database, now = empty.face.store().database, time.time()
    Triage(database).assign([1], Owner(evil), by=evil, now=now)
    Triage(database).comment(1, evil, by=evil, now=now)
    Ownership(database).add("", "path", evil, Owner(evil))
    Filters(database).add("", "message", evil)
    Views(database).save(evil, evil, "impact", member=None, now=now)
    Projects(database).rename("1", evil)
    tell(empty.face, evil)
    page = open_page(f"{empty.url}/faults/1")
    for path in (
        "/",
        "/faults",
        "/faults/1",
        "/settings/owners?event=1",
        "/settings/filters",
        "/projects",
        "/projects/1",
        "/alerts",
        "/trackers",
        "/people",
        "/audit",
        "/incidents",
        "/incidents/1",
        "/grouping",
    ):
        page.goto(f"{empty.url}{path}")
        assert page.evaluate("window.owned") is None
        assert page.locator("img:not([src^='/static/'])").count() == 0


def test_markup_in_an_event_is_text_in_the_browser(empty: Served, open_page: Open) -> None:
    evil = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
    raw = wire(kind=evil, message=evil, tags={evil: evil}, release=evil)
    event = empty.face.add(raw, text=evil)[0]
    page = open_page(f"{empty.url}/faults/1")
    for path in ("/", "/faults", "/faults/1", f"/events/{event}", "/releases", "/routes", "/projects/1", "/losses"):
        page.goto(f"{empty.url}{path}")
        assert page.evaluate("window.owned") is None
        assert page.locator("img:not([src^='/static/'])").count() == 0
