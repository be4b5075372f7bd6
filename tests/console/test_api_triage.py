"""Triage over the API: each act, each list, each refusal, and answers that fit their schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.console.face import Face, wire


@pytest.fixture
def face(tmp_path: Path) -> Face:
    face = Face(tmp_path)
    face.add(wire(release="2.4.0"), ago_s=300)
    face.add(wire(kind="KeyError", release="2.5.0"))
    return face


def ask(face: Face, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = (
        face.client.request(method, f"/api/v1{path}", json=body)
        if body is not None
        else face.client.request(method, f"/api/v1{path}")
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def act(face: Face, status: int = 200, **body: Any) -> Any:
    return ask(face, "POST", "/faults/1/acts", body, status)


@pytest.mark.parametrize(
    ("body", "state", "said"),
    [
        ({"act": "resolve"}, "resolved", "resolved"),
        ({"act": "resolve", "fixed_in": "this"}, "resolved", "resolved in 2.5.0"),
        ({"act": "resolve", "fixed_in": "next"}, "resolved", "resolved in the release after 2.5.0"),
        ({"act": "resolve", "release": "3.0"}, "resolved", "resolved in 3.0"),
        ({"act": "mute", "for_seconds": 7200}, "muted", "muted for 2 hours"),
        (
            {"act": "mute", "more_events": 100, "more_users": 3},
            "muted",
            "muted until 100 more events or until 3 more users",
        ),
        ({"act": "assign", "owner": {"name": "billing", "kind": "team"}}, "open", "assigned it to team billing"),
        ({"act": "priority", "priority": "high"}, "open", "set the priority to high"),
    ],
)
def test_an_act_is_done_and_told(face: Face, body: Any, state: str, said: str) -> None:
    answer = act(face, **body)
    assert (answer["state"], answer["history"][0]["what"], answer["history"][0]["by"]) == (state, said, "API")


@pytest.mark.parametrize(
    "body",
    [
        {"act": "explode"},
        {"act": "mute", "for_seconds": 1},
        {"act": "mute", "more_events": -5},
        {"act": "assign", "owner": {"name": " "}},
        {"act": "priority", "priority": "now"},
        {},
        [],
    ],
)
def test_an_act_that_makes_no_sense_changes_nothing(face: Face, body: Any) -> None:
    before = ask(face, "GET", "/faults/1/triage")
    answer = ask(face, "POST", "/faults/1/acts", body, 422)
    assert "nothing was changed" in answer["detail"]
    assert ask(face, "GET", "/faults/1/triage") == before


def test_one_act_on_many(face: Face) -> None:
    assert ask(face, "POST", "/faults/acts", {"act": "mute", "faults": [1, 2, 77]}) == {"changed": 2}
    assert ask(face, "POST", "/faults/acts", {"act": "mute", "faults": list(range(1, 300))}, 422)


def test_comments_rules_filters_and_views_are_made_listed_and_removed(face: Face) -> None:
    for path, body, listed in (
        ("/faults/1/comments", {"body": "It is the vendor."}, ""),
        ("/owner-rules", {"kind": "path", "pattern": "shop/*", "owner": {"name": "Ann"}}, "rules"),
        ("/filters", {"kind": "message", "pattern": "*reset*"}, "filters"),
        ("/views", {"name": "Bugs", "query": "cause:bug"}, "views"),
    ):
        made = ask(face, "POST", path, body)["id"]
        if listed:
            assert [row["id"] for row in ask(face, "GET", path)[listed]] == [made]
        assert ask(face, "DELETE", f"{path}/{made}") == {"changed": 1}
        ask(face, "DELETE", f"{path}/{made}", status=404)


def test_rules_and_filters_can_be_tried_with_an_event(face: Face) -> None:
    event = ask(face, "GET", "/faults/1")["last_event_id"]
    rule = ask(face, "POST", "/owner-rules", {"kind": "path", "pattern": "shop/*", "owner": {"name": "Ann"}})["id"]
    dropping = ask(face, "POST", "/filters", {"kind": "type", "pattern": "Zero*"})["id"]
    assert ask(face, "GET", f"/owner-rules?event={event}")["decides"] == rule
    assert ask(face, "GET", f"/filters?event={event}")["fitting"] == [dropping]
    ask(face, "GET", "/filters?event=nonsense", status=400)


def test_releases_and_routes_are_counted(face: Face) -> None:
    releases = ask(face, "GET", "/releases?project=1")["releases"]
    assert [(r["name"], r["new_faults"], r["events"]) for r in releases] == [("2.5.0", 1, 1), ("2.4.0", 1, 1)]
    (route,) = ask(face, "GET", "/routes")["routes"]
    assert (route["method"], route["route"], route["faults"]) == ("POST", "/orders/{id}", 2)


def test_a_project_is_renamed_and_gets_a_new_key(face: Face) -> None:
    before = ask(face, "GET", "/projects")["projects"][0]["dsn"]
    assert ask(face, "PATCH", "/projects/1", {"name": "  the   shop "})["name"] == "the shop"
    assert ask(face, "POST", "/projects/1/key", {})["dsn"] != before
    ask(face, "PATCH", "/projects/1", {"name": " "}, status=422)
    ask(face, "PATCH", "/projects/7", {"name": "x"}, status=404)


def test_every_answer_fits_its_schema(face: Face) -> None:
    document = ask(face, "GET", "/openapi.json")
    ask(face, "POST", "/filters", {"kind": "message", "pattern": "*reset*"})
    ask(face, "POST", "/owner-rules", {"kind": "path", "pattern": "shop/*", "owner": {"name": "Ann"}})
    ask(face, "POST", "/views", {"name": "Bugs", "query": "cause:bug"})
    for path in ("/faults/{fault}/triage", "/owner-rules", "/filters", "/views", "/releases", "/routes"):
        (media,) = document["paths"][path]["get"]["responses"]["200"]["content"].values()
        validator = Draft202012Validator({**media["schema"], "components": document["components"]})
        validator.validate(ask(face, "GET", path.replace("{fault}", "1")))


def test_the_search_of_the_list_knows_the_new_terms(face: Face) -> None:
    act(face, act="assign", owner={"name": "Ann"})
    assert ask(face, "GET", "/faults?query=assigned:ann")["total"] == 1
    assert ask(face, "GET", "/faults?query=is:review")["total"] == 1
