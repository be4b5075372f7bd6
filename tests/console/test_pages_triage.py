"""Triage on the pages, as plain forms do it: acts, comments, owners, filters, views, releases, routes, projects."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from tests.console.face import Face, wire

from fivehundred.console.store.rates import Counted, RateReport, Rates
from fivehundred.console.store.triage import Owner, Triage


@pytest.fixture
def face(tmp_path: Path) -> Face:
    face = Face(tmp_path)
    face.add(wire(release="2.4.0"), ago_s=300)
    face.add(wire(kind="KeyError", release="2.5.0"))
    return face


def act(face: Face, words: str, **more: str) -> int:
    return face.post("/faults/state", {"fault": "1", "act": words, "back": "/faults/1", **more})


@pytest.mark.parametrize(
    ("words", "more", "shown"),
    [
        ("resolve this", {}, "resolved in 2.5.0"),
        ("resolve next", {}, "resolved in the release after 2.5.0"),
        ("mute 1d", {}, "muted for 1 day"),
        ("mute 100 events", {}, "muted until 100 more events"),
        ("mute …", {"until": "10 users"}, "muted until 10 more users"),
        ("assign …", {"owner": "Zoë <b>"}, "assigned it to Zoë &lt;b&gt;"),
        ("assign-team billing", {}, "assigned it to team billing"),
        ("priority high", {}, "set the priority to high"),
    ],
)
def test_an_act_is_done_by_a_form_and_stands_in_the_history(
    face: Face, words: str, more: dict[str, str], shown: str
) -> None:
    assert act(face, words, **more) == 303
    assert shown in face.page("/faults/1")


@pytest.mark.parametrize("words", ["", "explode", "mute 3 parsecs", "assign …", "priority now", "mute 999999w"])
def test_an_act_that_is_none_changes_nothing_and_says_so(face: Face, words: str) -> None:
    assert act(face, words) == 400
    assert face.store().fault(1, now=time.time()).fault.state == "open"
    assert Triage(face.store().database).conversation(1) == []


def test_what_is_new_is_for_review_until_somebody_opens_it(face: Face) -> None:
    assert 'href="/faults/1"' in face.page("/faults?q=is:review")
    face.client.get("/faults/1", headers={"x-live": "1"})  # a page that refreshes itself is nobody's look
    assert 'href="/faults/1"' in face.page("/faults?q=is:review")
    face.page("/faults/1")
    assert 'href="/faults/1"' not in face.page("/faults?q=is:review")
    assert 'href="/faults/1"' in face.page("/faults")


def test_a_comment_is_part_of_the_history_and_can_be_taken_away(face: Face) -> None:
    assert face.post("/faults/1/comments", {"body": "The <script>vendor</script>\nknows."}) == 303
    page = face.page("/faults/1")
    assert "The &lt;script&gt;vendor&lt;/script&gt;\nknows." in page
    assert face.post("/faults/1/comments/1/remove", {}) == 303
    assert "vendor" not in face.page("/faults/1")
    assert face.post("/faults/1/comments", {"body": " "}) == 400
    assert face.post("/faults/99/comments", {"body": "x"}) == 404


def test_the_list_shows_owner_and_priority_and_narrows_by_them(face: Face) -> None:
    act(face, "assign …", owner="Ann")
    act(face, "priority high")
    page = face.page("/faults?q=assigned:ann+priority:high")
    assert "high priority" in page
    assert "<bdi>Ann</bdi>" in page
    assert 'href="/faults/2"' not in page


def test_a_search_is_saved_as_a_view_and_leads_back(face: Face) -> None:
    fields: dict[str, str | list[str]] = {"name": "Keys <i>", "line": "cause:bug KeyError", "order": "events"}
    assert face.post("/views", fields) == 303
    page = face.page("/faults")
    assert "Keys &lt;i&gt;" in page
    assert "/faults?q=cause%3Abug+KeyError&amp;order=events" in page
    assert face.post("/views/1/remove", {}) == 303
    assert "Keys" not in face.page("/faults")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "is:"),
        ("ca", "cause:"),
        ("cause:da", "cause:database"),
        ("is:any rel", "is:any release:"),
        ("release:2.", "release:2.5.0"),
        ("refused -env:", "refused -env:production"),
        ("route:", "route:/orders/{id}"),
        ("project:", "project:shop"),
    ],
)
def test_the_search_box_offers_what_could_come_next(face: Face, line: str, expected: str) -> None:
    answer = face.client.get("/faults/suggest", params={"q": line})
    assert expected in json.loads(answer.text)
    assert answer.headers["content-type"].startswith("application/json")


def test_owners_are_added_tried_and_removed(face: Face) -> None:
    rule: dict[str, str | list[str]] = {"kind": "path", "pattern": "shop/*", "owner": "billing", "owner_kind": "team"}
    assert face.post("/settings/owners", {**rule, "project": ""}) == 303
    assert "belongs to <b><bdi>billing</bdi></b>" in face.page("/settings/owners?event=%231")
    assert "No kept event" in face.page("/settings/owners?event=%2399")
    assert face.post("/settings/owners", {**rule, "pattern": ""}) == 400
    assert face.post("/settings/owners", {**rule, "project": "7"}) == 404
    assert face.post("/settings/owners/1/remove", {}) == 303
    assert "No rule yet" in face.page("/settings/owners")


def test_filters_are_added_tried_turned_off_and_removed(face: Face) -> None:
    made: dict[str, str | list[str]] = {"kind": "type", "pattern": "Zero*", "project": "1"}
    assert face.post("/settings/filters", made) == 303
    assert "drops it" in face.page("/settings/filters?event=1")
    assert face.post("/settings/filters/1", {"act": "off"}) == 303
    assert "would drop it" in face.page("/settings/filters?event=1")
    assert face.post("/settings/filters", {**made, "pattern": "*"}) == 400
    assert face.post("/settings/filters/1", {"act": "remove"}) == 303
    assert "No filter" in face.page("/settings/filters")


def test_a_release_is_shown_beside_the_one_before_it(face: Face) -> None:
    listed = face.page("/releases")
    assert listed.index("2.5.0") < listed.index("2.4.0")
    page = face.page("/release?project=1&name=2.5.0")
    assert "KeyError" in page
    assert "/release?project=1&amp;name=2.4.0" in page
    face.page("/release?project=1&name=9", status=404)
    face.page("/release", status=404)


def test_a_route_is_shown_with_its_faults(face: Face) -> None:
    link = re.search(r'href="(/route\?[^"]*)"', face.page("/routes"))
    assert link
    page = face.page(link[1].replace("&amp;", "&"))
    assert "KeyError" in page
    assert "ZeroDivisionError" in page
    face.page("/route?project=1&method=GET&route=/none", status=404)


def test_a_project_shows_its_dsn_for_the_chosen_framework_and_can_be_renamed(face: Face) -> None:
    assert "guard.fastapi(app)" in face.page("/projects/1?framework=fastapi")
    assert face.post("/projects/1", {"act": "rename", "name": "The shop"}) == 303
    assert '<h1 class="title"><bdi>The shop</bdi></h1>' in face.page("/projects/1")
    face.page("/projects/99", status=404)


def test_a_new_key_needs_the_name_to_be_typed(face: Face) -> None:
    before = face.store().project("1").key
    assert face.post("/projects/1", {"act": "rotate", "sure": "no"}) == 400
    assert face.store().project("1").key == before
    assert face.post("/projects/1", {"act": "rotate", "sure": "shop"}) == 303
    assert face.store().project("1").key != before


def test_a_test_that_nobody_answers_says_what_to_do(face: Face) -> None:
    assert face.post("/projects/1/test", {}) == 502


def test_checks_say_in_words_what_is_wrong(face: Face) -> None:
    face.refused = {("1", "unknown key"): 3}
    page = face.page("/projects/1")
    assert "3 × unknown key" in page
    assert "The DSN names testserver, where you are reading this." in page


def test_everything_that_the_palette_lists_is_there(face: Face) -> None:
    page = face.page("/palette")
    for url in re.findall(r'<li><a href="([^"]+)"', page):
        face.page(url.replace("&amp;", "&"))


def test_owners_come_from_earlier_assignments(face: Face) -> None:
    Triage(face.store().database).assign([2], Owner("billing", "team"), by="Ann", now=time.time())
    assert "assign-team billing" in face.page("/faults/1")


def test_rates_have_a_denominator_and_an_objective_has_a_budget(face: Face) -> None:
    database, now = face.store().database, time.time()
    with database.transaction():
        counts = (Counted("/orders/{id}", "POST", 990, 0, 10), Counted("/quiet", "GET", 500, 0, 0))
        Rates(database).add([RateReport("1", now - 60, "2.5.0", "production", "web-1", counts)])
    page = face.page("/routes")
    assert "1.0 %" in page
    assert "/quiet" in page
    assert face.post("/settings/objectives", {"project": "1", "route": "/orders/{id}", "share": "99.9"}) == 303
    assert "spent" in face.page("/routes")
    shown = face.page("/route?project=1&method=POST&route=/orders/{id}")
    assert "10 of 1,000 requests" in shown
    assert "10 of 1,000 requests failed in 24 hours, 1.0 %" in shown
    face.page("/route?project=1&method=GET&route=/quiet")
    for share in ("", "many", "100", "nan", "1e999"):
        assert face.post("/settings/objectives", {"project": "1", "route": "", "share": share}) == 400
    assert face.post("/settings/objectives/1/remove", {}) == 303
