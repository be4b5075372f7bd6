"""Merging, splitting and rules as a person does them: on a fault's page, on the page of rules, and by the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.console.face import Face, wire

from fivehundred.event import Json

nasty = "<script>alert(1)</script> {{ x }}"


@pytest.fixture
def face(tmp_path: Path) -> Face:
    face = Face(tmp_path)
    face.add(wire(), wire("KeyError", nasty), wire("ValueError", "order 7 has no lines"))
    return face


def test_a_person_merges_two_faults_and_takes_it_back(face: Face) -> None:
    assert face.post("/faults/1/merge", {"fault": "#2"}) == 303
    assert "was merged into this by" in face.page("/faults/1")
    assert "This fault is part of" in face.page("/faults/2")
    assert face.post("/choices/1/undo", {}) == 303
    assert "taken back by" in face.page("/faults/1")
    assert "This fault is part of" not in face.page("/faults/2")


def test_a_person_splits_a_fault(face: Face) -> None:
    assert face.post("/faults/1/split", {"field": "tag:region", "value": nasty}) == 303
    shown = face.page("/faults/1")
    assert "split by <code><bdi>tag:region</bdi></code>" in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/faults/1/merge", {"fault": "1"}, 400),
        ("/faults/1/merge", {"fault": "all"}, 400),
        ("/faults/1/merge", {"fault": "99"}, 404),
        ("/faults/1/split", {"field": "colour"}, 400),
        ("/choices/9/undo", {}, 404),
        (f"/choices/{2**70}/undo", {}, 404),
        ("/grouping/9", {"act": "remove"}, 404),
        ("/grouping/9", {"act": "explode"}, 400),
        ("/grouping", {"act": "add", "matchers": "type: *", "fingerprint": "x"}, 400),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    face: Face, path: str, fields: dict[str, str | list[str]], status: int
) -> None:
    assert face.post(path, fields) == status
    assert face.client.get("/api/v1/faults/1/grouping").json()["choices"] == []


def test_a_rule_is_tried_added_turned_off_and_removed(face: Face) -> None:
    rule: dict[str, str | list[str]] = {"matchers": "type: Key*\nmodule: shop.*", "fingerprint": "keys {{ route }}"}
    tried = face.client.get("/grouping")
    assert tried.status_code == 200
    assert face.post("/grouping", {**rule, "act": "test"}) == 200
    assert face.post("/grouping", {**rule, "act": "add"}) == 303
    assert "type: Key*" in face.page("/grouping")
    assert face.post("/grouping/1", {"act": "off"}) == 303
    assert "Turn on" in face.page("/grouping")
    assert face.post("/grouping/1", {"act": "remove"}) == 303
    assert "type: Key*" not in face.page("/grouping")


def test_the_api_merges_splits_and_takes_back(face: Face) -> None:
    api = face.client
    merged = api.post("/api/v1/faults/1/merge", json={"faults": [2, 3]})
    assert [c["other"] for c in merged.json()["choices"]] == [3, 2]
    assert api.get("/api/v1/faults/2/grouping").json()["merged_into"] == 1
    assert api.post("/api/v1/choices/2/undo", json={}).json()["undone_by"]
    assert api.post("/api/v1/faults/1/split", json={"field": "route"}).status_code == 200
    refused = api.post("/api/v1/faults/1/merge", json={"faults": [1]})
    assert (refused.status_code, "itself" in refused.json()["detail"]) == (422, True)


def test_a_merge_of_many_is_all_or_nothing(face: Face) -> None:
    assert face.client.post("/api/v1/faults/1/merge", json={"faults": [2, 99]}).status_code == 404
    assert face.client.get("/api/v1/faults/1/grouping").json()["choices"] == []


def test_the_api_tries_a_rule_on_kept_events(face: Face) -> None:
    rule = {"matchers": [["type", "KeyError"]], "fingerprint": "keys"}
    tried = face.client.post("/api/v1/grouping-rules/test", json=rule).json()
    assert (tried["fitting"], len(tried["tried"])) == (1, 3)
    assert len(face.client.post("/api/v1/grouping-rules", json=rule).json()["rules"]) == 1
    assert not face.client.patch("/api/v1/grouping-rules/1", json={"enabled": False}).json()["rules"][0]["enabled"]
    assert face.client.delete("/api/v1/grouping-rules/1").status_code == 200
    assert face.client.delete("/api/v1/grouping-rules/1").status_code == 404


def test_faults_with_near_keys_are_suggested_with_the_reason(face: Face) -> None:
    def event(bank: str) -> dict[str, Json]:
        raw = wire("PaymentError", f"card declined by {bank} bank")
        raw["exception"]["values"][0]["module"] = "shop.errors"  # type: ignore[index,call-overload]
        return raw

    face.add(event("north"), event("south"))
    (suggestion,) = face.client.get("/api/v1/faults/4/grouping").json()["suggestions"]
    assert (suggestion["fault"], "one word only" in suggestion["reason"]) == (5, True)
    assert "Merge #5 into this" in face.page("/faults/4")
