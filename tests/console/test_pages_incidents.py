"""Incidents on the pages and in the API: the list, one of them, what the overview and a fault say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.console.face import Face, digested, wire

from fivehundred.console.digest_incidents import follow
from fivehundred.console.store.base import Batch
from fivehundred.event import Json

nasty = "<img src=x onerror=alert(1)> ``` '\""


def refused(message: str = "connection refused") -> dict[str, Json]:
    value = f'connection to server at "db.example", port 5432 failed: {message}'
    raw = wire("OperationalError", value)
    values = raw["exception"]["values"]  # type: ignore[index,call-overload]
    values[0]["module"] = "psycopg2"  # type: ignore[index,call-overload]
    return raw


@pytest.fixture
def face(tmp_path: Path) -> Face:
    face = Face(tmp_path)
    now = time.time()
    events = [digested(refused("Connection refused"), received_at=now - n, cause="database") for n in range(5)]
    events += [digested(wire("ValueError", nasty, transaction=nasty), received_at=now)]
    store = face.store()
    store.write(Batch(events=events), now=now, within=lambda news: _ignored(follow(store.database, news)))
    return face


def _ignored(_: object) -> None:
    return None


def test_the_overview_says_each_open_incident_in_a_sentence_first(face: Face) -> None:
    shown = face.page("/")
    assert "PostgreSQL at db.example:5432 fails (1 fault): 5 events" in shown
    assert shown.index("PostgreSQL at db.example:5432 fails") < shown.index("Events in 24 hours")


def test_an_incident_shows_its_faults_reach_verdict_and_what_else_failed(face: Face) -> None:
    shown = face.page("/incidents/1")
    for words in ("OperationalError", "/orders/{id}", "web-1", "What else failed", "ValueError", "Evidence"):
        assert words in shown
    assert "<img" not in shown.replace('<img src="/static', "")


def test_a_fault_names_its_incident_and_what_else_failed(face: Face) -> None:
    assert 'href="/incidents/1"' in face.page("/faults/1")
    assert 'href="/faults/2"' in face.page("/faults/1")


def test_an_incident_as_markdown_fences_what_events_say(face: Face) -> None:
    shown = face.page("/incidents/1.md")
    assert shown.startswith("# Incident 1, open\n")
    assert "````" in shown


def test_a_person_looks_after_it_and_says_that_it_is_over(face: Face) -> None:
    assert face.post("/incidents/1", {"act": "acknowledge"}) == 303
    assert "looks after it" in face.page("/incidents/1")
    assert face.post("/incidents/1", {"act": "resolve"}) == 303
    assert "resolved by a person" in face.page("/incidents/1")
    assert face.post("/incidents/1", {"act": "explode"}) == 400


@pytest.mark.parametrize("path", ["/incidents/7", "/incidents/7.md", f"/incidents/{2**70}"])
def test_an_incident_that_is_not_there_is_missed_politely(face: Face, path: str) -> None:
    face.page(path, 404)


def test_the_api_lists_and_changes_incidents(face: Face) -> None:
    listed = face.client.get("/api/v1/incidents?state=open").json()
    assert [i["id"] for i in listed["incidents"]] == [1]
    assert listed["next"] == ""
    sent = face.client.patch("/api/v1/incidents/1", json={"state": "resolved"})
    assert sent.json()["incident"]["resolved_why"] == "resolved by a person"
    assert face.client.get("/api/v1/incidents?state=open").json()["incidents"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("?state=new", 400), ("?cursor=x", 400), ("?limit=0", 400), ("?project=99", 404), ("/9", 404), ("?q=1", 400)],
)
def test_what_the_api_cannot_answer_it_refuses_with_a_reason(face: Face, path: str, status: int) -> None:
    answer = face.client.get(f"/api/v1/incidents{path}")
    assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)
