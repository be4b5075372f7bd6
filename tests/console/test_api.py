"""The JSON API: every path is documented, every answer fits its schema, every refusal is a problem."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Mount, Route
from tests.console.face import Face, wire

from fivehundred.console.store.base import Malformed
from fivehundred.event import new_id


@pytest.fixture
def face(tmp_path: Path) -> Face:
    return Face(tmp_path)


def get(face: Face, path: str, status: int = 200) -> Any:
    answer = face.client.get(f"/api/v1{path}")
    assert answer.status_code == status, answer.text
    kind = "application/json" if status == 200 else "application/problem+json"
    assert answer.headers["content-type"] == kind
    return answer.json()


def fits(face: Face, documented: str, value: Any, method: str = "get", status: str = "200") -> None:
    document = get(face, "/openapi.json")
    content = document["paths"][documented][method]["responses"][status]["content"]
    (media,) = content.values()
    Draft202012Validator({**media["schema"], "components": document["components"]}).validate(value)


def test_the_document_names_every_route_and_no_other(face: Face) -> None:
    mount = next(r for r in face.app.routes if isinstance(r, Mount) and r.path == "/api/v1")
    served = {
        (route.path.replace(":int", ""), method.lower())
        for route in mount.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    documented = {(path, method) for path, ways in get(face, "/openapi.json")["paths"].items() for method in ways}
    assert served == documented


def test_every_schema_of_the_document_is_a_valid_schema(face: Face) -> None:
    document = get(face, "/openapi.json")
    assert document["openapi"] == "3.1.0"
    for found in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(found)


def test_every_answer_fits_the_schema_it_is_documented_with(face: Face) -> None:
    event = face.add(wire(), wire(kind="KeyError"), cause="misconfiguration")[0]
    face.post("/faults/state", {"fault": "2", "act": "resolve"})
    for path, documented in (
        ("/faults?query=is:any", "/faults"),
        ("/faults/1", "/faults/{fault}"),
        ("/faults/2", "/faults/{fault}"),
        ("/faults/1/events", "/faults/{fault}/events"),
        (f"/events/{event}", "/events/{event_id}"),
        ("/projects", "/projects"),
        ("/stats?hours=48&project=1", "/stats"),
        ("/incidents", "/incidents"),
    ):
        fits(face, documented, get(face, path))


def test_a_fault_carries_its_diagnosis_with_evidence_and_six_steps(face: Face) -> None:
    face.add(wire(), cause="database")
    found = get(face, "/faults/1")["diagnosis"]
    assert {"cause", "confidence", "transient", "evidence", "advice", "runbook"} <= found.keys()
    assert (found["cause"], found["confidence"], found["transient"]) == ("database", "likely", "no")
    assert [s["name"] for s in found["runbook"]] == ["logs", "code", "database", "resources", "security", "retry"]


def test_an_event_is_found_by_every_form_of_its_reference(face: Face) -> None:
    event = face.add(wire())[0]
    dashed = f"{event[:8]}-{event[8:12]}-{event[12:16]}-{event[16:20]}-{event[20:]}"
    for form in (event, dashed, f"urn:uuid:{dashed}", event.upper()):
        found = get(face, f"/events/{form}")
        assert (found["event_id"], found["fault"]) == (event, 1)


def test_a_malformed_event_is_found_as_well(face: Face) -> None:
    event = new_id()
    face.write(malformed=[Malformed("1", time.time(), event, "not JSON", b"{")])
    found = get(face, f"/events/{event}")
    assert (found["fault"], found["malformed"], found["diagnosis"]) == (None, "not JSON", None)
    fits(face, "/events/{event_id}", found)


def test_faults_are_listed_page_by_page(face: Face) -> None:
    face.add(*(wire(kind=f"Error{number}") for number in range(25)))
    seen: list[int] = []
    cursor = ""
    while True:
        page = get(face, f"/faults?limit=10&order=first_seen&cursor={cursor}")
        seen += [f["id"] for f in page["faults"]]
        cursor = page["next"]
        if not cursor:
            break
    assert page["total"] == 25
    assert sorted(seen) == list(range(1, 26))


def test_the_search_language_is_that_of_the_pages(face: Face) -> None:
    face.add(wire(), cause="overload")
    face.add(wire(kind="KeyError"), cause="bug")
    assert [f["title"] for f in get(face, "/faults?query=cause:overload")["faults"]] == ["ZeroDivisionError"]
    assert get(face, "/faults?query=is:resolved")["faults"] == []


def test_a_state_is_changed_by_patch_and_the_answer_shows_it(face: Face) -> None:
    face.add(wire(), wire(kind="KeyError"))
    answer = face.client.patch("/api/v1/faults/1", json={"state": "muted"})
    assert (answer.status_code, answer.json()["state"]) == (200, "muted")
    fits(face, "/faults/{fault}", answer.json(), "patch")
    answer = face.client.patch("/api/v1/faults", json={"faults": [1, 2], "state": "muted"})
    assert answer.json() == {"changed": 1}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/faults/99", 404),
        ("/faults/99/events", 404),
        (f"/events/{'0' * 32}", 404),
        ("/events/zz", 400),
        ("/nothing", 404),
        ("/faults?cursor=x", 400),
        ("/faults?limit=0", 400),
        ("/faults?limit=9999999999999", 400),
        ("/faults?order=colour", 400),
        ("/faults?query=colour:red", 400),
        ("/faults?state=open", 400),
        ("/stats?hours=-1", 400),
        ("/stats?project=77", 404),
        ("/faults/1/events?cursor=x", 400),
    ],
)
def test_every_refusal_is_a_problem_that_says_why(face: Face, path: str, status: int) -> None:
    face.add(wire())
    problem = get(face, path, status)
    fits(face, "/faults", problem, status="default")
    assert problem["status"] == status
    assert problem["detail"]


def test_a_method_that_is_not_offered_is_refused_with_those_that_are(face: Face) -> None:
    answer = face.client.delete("/api/v1/faults/1")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"state": "closed"}', "application/json", 422),
        (b"{", "application/json", 422),
        (b"\xff", "application/json", 422),
        (b"[" * 60_000, "application/json", 422),
        (b"x" * 70_000, "application/json", 413),
        (b"state=muted", "application/x-www-form-urlencoded", 415),
        (b'{"state": "muted"}', "text/plain", 415),
    ],
)
def test_a_change_that_cannot_be_read_changes_nothing(face: Face, body: bytes, kind: str, status: int) -> None:
    face.add(wire())
    answer = face.client.patch("/api/v1/faults/1", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert get(face, "/faults/1")["state"] == "open"


def test_numbers_beyond_the_store_are_refused(face: Face) -> None:
    for numbers in ([2**63], [0], [-1], list(range(1, 300))):
        answer = face.client.patch("/api/v1/faults", json={"faults": numbers, "state": "muted"})
        assert answer.status_code == 422
    assert get(face, f"/faults/{2**70}", 404)


def test_a_change_from_another_site_is_refused(face: Face) -> None:
    face.add(wire())
    answer = face.client.patch("/api/v1/faults/1", json={"state": "muted"}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_an_answer_that_did_not_change_is_not_sent_again(face: Face) -> None:
    face.add(wire())
    first = face.client.get("/api/v1/projects")
    again = face.client.get("/api/v1/projects", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["x-content-type-options"] == "nosniff"


def test_head_answers_like_get_without_a_body(face: Face) -> None:
    face.add(wire())
    head, full = face.client.head("/api/v1/faults/1"), face.client.get("/api/v1/faults/1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]
