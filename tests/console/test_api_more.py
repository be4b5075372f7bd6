"""What the API does beside faults: channels, rules, the outbox, trackers, issues, objectives, deploys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.console.face import Face, wire


@pytest.fixture
def face(tmp_path: Path) -> Face:
    made = Face(tmp_path)
    made.add(wire())
    return made


def ask(face: Face, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = face.client.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


hook = {"kind": "webhook", "name": "Ops", "settings": {"url": "http://127.0.0.1:9/hook"}, "secret": "sign-with-this"}


def test_a_channel_is_added_tried_and_removed_and_its_secret_is_never_told(face: Face) -> None:
    made = ask(face, "POST", "/channels", hook)["id"]
    told = ask(face, "GET", "/channels")
    assert [(c["id"], c["name"], c["settings"]) for c in told["channels"]] == [(made, "Ops", hook["settings"])]
    assert "sign-with-this" not in str(told)
    alert = ask(face, "POST", f"/channels/{made}/test", {})["id"]
    assert [(a["id"], a["kind"], a["state"]) for a in ask(face, "GET", "/alerts")["alerts"]] == [
        (alert, "test", "waiting")
    ]
    assert ask(face, "POST", f"/alerts/{alert}/retry", {}) == {"changed": 1}
    assert ask(face, "DELETE", f"/channels/{made}") == {"changed": 1}
    ask(face, "DELETE", f"/channels/{made}", status=404)


def test_a_rule_tells_a_team_of_its_faults(face: Face) -> None:
    made = ask(face, "POST", "/channels", hook)["id"]
    narrow = {"team": ["billing"], "project": ["1"]}
    rule = ask(face, "POST", "/alerts/rules", {"channel": made, "kinds": ["new"], "narrow": narrow})["id"]
    assert ask(face, "GET", "/alerts/rules")["rules"][0]["narrow"]["team"] == ["billing"]
    assert ask(face, "PATCH", f"/alerts/rules/{rule}", {"enabled": False}) == {"changed": 1}
    assert ask(face, "DELETE", f"/alerts/rules/{rule}") == {"changed": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/channels", {"kind": "webhook", "settings": {"url": "ftp://x"}}),
        ("/channels", {"kind": "apprise", "secret": "no address"}),
        ("/alerts/rules", {"channel": 1, "kinds": []}),
        ("/alerts/rules", {"channel": 2**70, "kinds": ["new"]}),
        ("/alerts/rules", {"channel": 1, "kinds": ["new"], "within_s": 1e300}),
        ("/trackers", {"kind": "github", "target": "../..", "token": "t"}),
        ("/faults/1/issues", {"url": "http://["}),
        ("/faults/1/issues", {"url": "javascript:alert(1)"}),
        ("/faults/1/issues", {}),
        ("/objectives", {"project": "1", "share": 2}),
        ("/deploys", {"project": "1", "release": "", "environment": "x"}),
        ("/deploys", {"project": "1", "release": "1", "environment": "x", "finished_at": 1e300}),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(face: Face, path: str, body: Any) -> None:
    answer = ask(face, "POST", path, body, 422)
    assert answer["detail"].endswith("nothing was changed")


def test_an_issue_is_linked_and_taken_away(face: Face) -> None:
    linked = ask(face, "POST", "/faults/1/issues", {"url": "https://github.com/a/b/issues/12"})["issues"]
    assert [(i["title"], i["linked_by"]) for i in linked] == [("12", "a person")]
    assert ask(face, "DELETE", f"/faults/1/issues/{linked[0]['id']}") == {"changed": 1}
    assert ask(face, "GET", "/faults/1/issues") == {"issues": []}


def test_an_issue_at_a_tracker_that_does_not_answer_is_a_502_with_its_words(face: Face) -> None:
    sent = {"kind": "github", "target": "a/b", "token": "secret", "url": "http://127.0.0.1:9"}
    made = ask(face, "POST", "/trackers", sent)["id"]
    assert "secret" not in str(ask(face, "GET", "/trackers"))
    assert "127.0.0.1" in ask(face, "POST", "/faults/1/issues", {"tracker": made}, 502)["detail"]
    assert ask(face, "DELETE", f"/trackers/{made}") == {"changed": 1}


def test_an_objective_is_set_and_removed(face: Face) -> None:
    made = ask(face, "POST", "/objectives", {"project": "1", "share": 0.999})["id"]
    found = ask(face, "GET", "/objectives?project=1")["objectives"]
    assert [(o["objective"]["share"], o["burning"]) for o in found] == [(0.999, "")]
    assert ask(face, "DELETE", f"/objectives/{made}") == {"changed": 1}


def test_a_deploy_is_announced(face: Face) -> None:
    ask(face, "POST", "/deploys", {"project": "1", "release": "2.5.0", "environment": "production"})
    found = ask(face, "GET", "/deploys")["deploys"]
    assert [(d["release"], d["environment"]) for d in found] == [("2.5.0", "production")]
    ask(face, "POST", "/deploys", {"project": "9", "release": "1", "environment": "x"}, 404)


def test_people_and_teams_are_made_over_the_api(face: Face) -> None:
    made = ask(face, "POST", "/people", {"name": "Ann", "role": "owner"})
    assert "/invite/" in made["invite"]
    ask(face, "POST", "/people", {"name": "ann", "role": "member"}, 409)
    team = ask(face, "POST", "/teams", {"name": "billing", "members": [made["id"]], "projects": ["1"]})["id"]
    assert ask(face, "GET", "/teams")["teams"][0]["members"] == [made["id"]]
    ask(face, "PUT", f"/teams/{team}", {"members": [999]}, 404)
    assert ask(face, "PATCH", f"/people/{made['id']}", {"act": "role", "role": "member"}, 409)["detail"].startswith(
        "this"
    )
    assert ask(face, "DELETE", f"/teams/{team}") == {"changed": 1}
    assert [r["what"] for r in ask(face, "GET", "/audit")["rows"]] == [
        "removed the team", "made the team", "added",
    ]  # fmt: skip
