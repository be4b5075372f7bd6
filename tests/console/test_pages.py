"""The pages, through a real store: what they show, in which order, and what they refuse."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from tests.console.face import Face, wire

from fivehundred.console.store.base import Malformed, Tally
from fivehundred.event import new_id


@pytest.fixture
def face(tmp_path: Path) -> Face:
    return Face(tmp_path)


def test_before_the_first_event_the_overview_says_how_to_send_one(face: Face) -> None:
    page = face.page("/")
    project = face.store().projects()[0]
    assert f"http://{project.key}@testserver/1" in page
    assert "guard.flask(app)" in page
    assert "sentry_sdk.init" in face.page("/?framework=sentry")


def test_after_the_first_event_the_overview_shows_figures_causes_and_losses(face: Face) -> None:
    face.add(wire(), cause="database")
    face.write(tallies=[Tally("1", "lost_by_sender", "error", "queue_overflow", "sentry.python/2.20", 7)])
    face.refused = {("1", "unknown key"): 3}
    page = face.page("/")
    assert "ZeroDivisionError" in page
    assert "cause:database" in page
    assert "3 refused, 7 lost by senders" in page


def test_a_fault_is_shown_verdict_first_then_figures_then_the_failing_frame_then_the_runbook(face: Face) -> None:
    face.add(wire())
    page = face.page("/faults/1")
    marks = ["<h1", 'aria-label="Diagnosis"', "<dt>Events</dt>", 'id="frame"', 'id="runbook"', 'id="frames"']
    marks += ['id="request"', 'id="logs"', 'id="sql"', 'id="tags"', 'id="events"', 'id="history"', 'id="grouped"']
    places = [page.index(mark) for mark in marks]
    assert places == sorted(places)


def test_the_failing_line_is_marked_and_its_locals_stand_beneath(face: Face) -> None:
    face.add(wire())
    page = face.page("/faults/1")
    failing = page.index('class="fails"')
    assert "count" in page[failing : failing + 400]
    assert page.index("4711", failing) < page.index('id="runbook"')


def test_a_route_that_names_its_method_shows_it_once(face: Face) -> None:
    face.add(wire(contexts={"fivehundred": {"route": "POST /orders/7", "method": "POST", "status": 500}}))
    for path in ("/faults", "/faults/1", "/faults/1.md"):
        assert "POST POST" not in face.page(path)


def test_library_frames_are_folded_into_one_line(face: Face) -> None:
    face.add(wire())
    assert "2 library frames" in face.page("/faults/1")


def test_the_title_stands_once_in_the_heading(face: Face) -> None:
    face.add(wire(kind="VeryRareError"))
    heading = re.search(r"<h1.*?</h1>", face.page("/faults/1"), re.DOTALL)
    assert heading
    assert heading[0].count("VeryRareError") == 1


def test_no_page_holds_anything_inline_or_from_outside(face: Face) -> None:
    event = face.add(wire())[0]
    for path in ("/", "/faults", "/faults/1", f"/events/{event}", "/projects", "/losses", "/malformed", "/help"):
        page = face.page(path)
        assert not re.search(r"<[^>]* (style|on[a-z]+)=", page), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//(?!testserver)', page), path
        assert "<style" not in page
        assert not re.search(r"<script(?! src=)", page)


def test_every_page_says_which_scripts_and_styles_may_run(face: Face) -> None:
    answer = face.client.get("/faults")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_and_all_it_loads_stay_below_sixty_kilobytes_and_eight_requests(face: Face) -> None:
    face.add(*(wire(kind=f"Error{number}") for number in range(60)))
    for path in ("/", "/faults", "/faults/1"):
        page = face.client.get(path, headers={"accept-encoding": "gzip"})
        files = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.text))
        sizes = [int(face.client.get(f).headers["content-length"]) for f in files]
        assert len(page.text.encode()) <= 60_000, path
        assert int(page.headers["content-length"]) + sum(sizes) <= 60_000
        assert len(files) + 2 <= 8  # the page itself and the live stream


@pytest.mark.parametrize("form", ["{}", "urn:uuid:{}", "dashed", "Error-Reference: {}"])
def test_a_reference_in_the_search_box_leads_to_its_event(face: Face, form: str) -> None:
    event = face.add(wire())[0]
    dashed = f"{event[:8]}-{event[8:12]}-{event[12:16]}-{event[16:20]}-{event[20:]}"
    answer = face.client.get("/faults", params={"q": form.format(event) if "{}" in form else dashed.upper()})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/events/{event}"


def test_an_unknown_reference_says_so_instead_of_an_empty_list(face: Face) -> None:
    assert "No event has the reference" in face.page(f"/faults?q={new_id()}")


def test_a_dashed_event_address_leads_to_the_one_address(face: Face) -> None:
    event = face.add(wire())[0]
    answer = face.client.get(f"/events/urn:uuid:{event}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/events/{event}")


def test_resolving_moves_a_fault_to_another_tab_and_into_its_history(face: Face) -> None:
    face.add(wire())
    assert face.post("/faults/state", {"fault": "1", "act": "resolve", "back": "/faults/1"}) == 303
    assert "ZeroDivisionError" not in face.page("/faults")
    assert "ZeroDivisionError" in face.page("/faults?q=is:resolved")
    assert "<b><bdi>a person</bdi></b> <bdi>resolved</bdi>" in face.page("/faults/1")


def test_many_faults_change_their_state_at_once(face: Face) -> None:
    face.add(wire(), wire(kind="KeyError"), wire(kind="OSError"))
    assert face.post("/faults/state", {"fault": ["1", "2"], "act": "mute"}) == 303
    assert face.page("/faults?q=is:muted").count("data-fault=") == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_form_posted_from_another_site_changes_nothing(face: Face, headers: dict[str, str]) -> None:
    face.add(wire())
    assert face.post("/faults/state", {"fault": "1", "act": "resolve"}, **headers) == 403
    assert "ZeroDivisionError" in face.page("/faults")


def test_a_form_without_its_token_changes_nothing(face: Face) -> None:
    face.add(wire())
    face.page("/help")
    assert face.client.post("/faults/state", data={"fault": "1", "act": "resolve"}).status_code == 403
    assert face.post("/faults/state", {"fault": "1", "act": "resolve", "token": "é"}) == 403
    assert "ZeroDivisionError" in face.page("/faults")


def test_a_form_leads_back_to_this_site_only(face: Face) -> None:
    face.add(wire())
    face.client.get("/help")
    for target in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        fields = {"token": face.client.cookies["fivehundred_token"], "fault": "1", "act": "mute", "back": target}
        assert face.client.post("/faults/state", data=fields).headers["location"] == "/faults"


def test_a_form_that_is_too_large_or_unreadable_is_refused(face: Face) -> None:
    assert face.post("/faults/state", {"fault": "1" * 70_000, "act": "mute"}) == 413
    assert face.post("/faults/state", {"fault": "x", "act": "mute"}) == 400
    assert face.post("/faults/state", {"fault": ["1"] * 3000, "act": "mute"}) == 400


def test_older_faults_are_reached_page_by_page_and_none_is_shown_twice(face: Face) -> None:
    face.add(*(wire(kind=f"Error{number}") for number in range(120)))
    seen: list[str] = []
    path = "/faults?order=first_seen"
    while path:
        page = face.page(path)
        seen += re.findall(r'data-fault="(\d+)"', page)
        more = re.search(r'href="([^"]+)" rel="next"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 120


def test_a_cursor_that_fits_no_list_is_answered_not_failed(face: Face) -> None:
    assert "not there any more" in face.page("/faults?cursor=nonsense", 400)


def test_a_wrong_filter_is_named_and_the_rest_still_works(face: Face) -> None:
    face.add(wire())
    page = face.page("/faults?q=colour:red ZeroDivision")
    assert "There is no filter colour:" in page
    assert "data-fault" in page


def test_malformed_events_are_listed_with_their_reason_and_their_bytes(face: Face) -> None:
    event = new_id()
    face.write(
        malformed=[Malformed("1", time.time(), event, "item 1 says 312 bytes", b"{}\n<script>alert(1)</script>")]
    )
    assert "item 1 says 312 bytes" in face.page("/malformed")
    assert "&lt;script&gt;alert(1)" in face.page(f"/events/{event}")


def test_losses_show_every_tally_with_reason_and_sdk(face: Face) -> None:
    face.write(tallies=[Tally("1", "dropped", "event", "disk_full", "sentry.go/0.3", 12)])
    page = face.page("/losses")
    assert "disk_full" in page
    assert "sentry.go/0.3" in page


def test_a_project_is_created_from_its_page(face: Face) -> None:
    assert face.post("/projects", {"name": "  billing  "}) == 303
    assert "billing" in face.page("/projects")
    assert face.post("/projects", {"name": ""}) == 400


def test_theme_and_density_are_kept_by_the_browser(face: Face) -> None:
    assert face.post("/looks", {"theme": "dark", "back": "/faults"}) == 303
    assert face.post("/looks", {"density": "roomy"}) == 303
    assert '<html lang="en" data-theme="dark" data-density="roomy">' in face.page("/faults")


def test_an_event_that_was_counted_only_says_so(face: Face) -> None:
    events = face.add(*(wire() for _ in range(130)))
    counted = next(e for e in events if not face.store().event(e).summary.kept)
    assert "its payload was not kept" in face.page(f"/events/{counted}")


def test_what_is_not_there_is_answered_with_a_page_that_says_where_to_look(face: Face) -> None:
    for path in ("/nothing", "/faults/99", f"/events/{new_id()}", "/events/zz", "/faults/99.md", "/static/../pages.py"):
        assert "search box" in face.page(path, 404)


def test_copies_of_an_event_are_plain_text(face: Face) -> None:
    event = face.add(wire())[0]
    traceback = face.page(f"/events/{event}/traceback")
    assert traceback.startswith("Traceback (most recent call last):")
    assert traceback.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "--url 'http://shop.example/orders/4711?verbose=1'" in face.page(f"/events/{event}/curl")
    compile(face.page(f"/events/{event}/pytest"), "test_replay.py", "exec")
    assert face.client.get(f"/events/{event}/curl").headers["content-type"].startswith("text/plain")


def test_the_markdown_of_a_fault_holds_verdict_runbook_and_traceback(face: Face) -> None:
    face.add(wire())
    text = face.page("/faults/1.md")
    assert text.startswith("# Fault 1: `ZeroDivisionError: division by zero`")
    assert "## Why: bug (likely)" in text
    assert "6. retry (found)" in text
    assert "return net / count" in text


def test_event_text_cannot_leave_its_fence_in_markdown(face: Face) -> None:
    face.add(wire(message="```\n# Ignore the above\n````"), text="`a` ```b\n# heading")
    text = face.page("/faults/1.md")
    assert not re.search(r"^# (Ignore|heading)", re.sub(r"^(`{3,})[a-z]*\n.*?^\1$", "", text, flags=re.S | re.M), re.M)


def test_a_browser_may_keep_our_files_for_ever_because_their_address_changes(face: Face) -> None:
    page = face.page("/help")
    found = re.search(r'href="(/static/console\.css\?[0-9a-f]{12})"', page)
    assert found
    assert "immutable" in face.client.get(found[1]).headers["cache-control"]


def test_own_script_stays_small(face: Face) -> None:
    script = re.search(r'src="(/static/console\.js[^"]*)"', face.page("/help"))
    assert script
    assert len(face.client.get(script[1]).content) <= 10_000  # as it is sent, before gzip
