"""Roles in teams: every route and project, for people with each role of their own and in a team, on a real Console."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.access.test_gate import House, Visitor, all_routes, filled, ours, password, theirs

from fivehundred.console.access import secret
from fivehundred.console.access.needs import needed
from fivehundred.console.access.roles import Need, Role, covers, in_team, may, needs, team_roles
from fivehundred.console.store.database import Value
from fivehundred.console.store.people import People
from fivehundred.console.store.sqlite import SqliteStore

_named = re.compile(r"/(?:api/v1/|settings/)?(?:faults|incidents|projects|choices|objectives)/\d+")
people: tuple[tuple[Role, str], ...] = tuple(
    (own, given) for own in ("viewer", "member") for given in ("", *team_roles)
)


class Teams(House):
    """Besides: a person for each role of their own and in the team that has our project, with a token each; and an
    incident that reaches into both projects."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys: dict[str, str] = dict(self.tokens.items())
        desk, now = People(SqliteStore(self.data / "console.db").database), time.time()
        hashed, roles = secret.hashed(password), []
        for own, given in people:
            name = f"{own}-{given or 'none'}"
            person = desk.add(name, own, password=hashed, now=now)
            self.keys[name] = secret.random_secret(secret.token_mark)
            digest = secret.digest(self.keys[name])
            desk.add_token(person, name, digest, "fhk_", scope="admin", project="", expires_at=None, now=now)
            roles.append({"person": person, "role": given})
        team = {"name": "ours", "members": [r["person"] for r in roles], "projects": ["1"]}
        assert self.call("owner", "POST", "/api/v1/teams", {**team, "roles": [r for r in roles if r["role"]]})[0] == 200
        self._incident()

    def _incident(self) -> None:
        database, now = SqliteStore(self.data / "console.db").database, time.time()
        with database.transaction():
            what: dict[str, Value] = {"kind": "resource", "subject": "postgresql at db:5432"}
            said = f"postgresql at db:5432 fails: most of them {theirs}"
            times: dict[str, Value] = {"opened_at": now - 60, "last_at": now, "events": 9}
            number = database.insert("incident", {**what, **times, "project": "2", "state": "open", "sentence": said})
            for fault, events in ((1, 2), (2, 7)):
                part: dict[str, Value] = {"incident": number, "fault": fault, "project": str(fault)}
                database.insert("incident_fault", {**part, "joined_at": now, "events": events})
            database.insert("incident_value", {"incident": number, "name": "route", "value": theirs, "events": 7})

    def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        sent = None if body is None else json.dumps(body).encode()
        visitor = Visitor(self.url, self.keys[who])
        status, text, _ = visitor.ask(method, path, sent, Accept="application/json", Content_Type="application/json")
        return status, json.loads(text) if text.startswith("{") else text


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teams]:
    made = Teams(tmp_path_factory.mktemp("teams"))
    yield made
    made.console.stop()


# ---- the matrix ----------------------------------------------------------------------------------


def expected(want: Need, own: Role, given: str, path: str, project: str) -> str:
    """ "missing", "refused" or "through", by the rules of docs/reference/roles.md."""
    there = in_team(own, given)
    if _named.match(path):
        return "missing" if project == "2" else "through" if covers(there, want) else "refused"
    if want in ("read", "act") or path.endswith("/objectives"):
        return "through" if want == "read" or covers(there, want) else "refused"
    return "through" if may(own, want) else "refused"


@pytest.mark.parametrize(("own", "given"), people)
def test_every_route_role_and_project_is_as_the_rules_say(teams: Teams, tmp_path: Path, own: Role, given: str) -> None:
    visitor, wrong = Visitor(teams.url, teams.keys[f"{own}-{given or 'none'}"]), []
    for method, path in all_routes(tmp_path):
        for project in ("1", "2"):
            asked = filled(path, project)
            want = needed(method, asked)
            if want not in needs or path in ("/live", "/metrics") or "/incidents/" in path or "/choices/" in path:
                continue
            if "/objectives/" in path:  # there is none: who may manage somewhere is told that it is not there
                continue
            status, body, _ = visitor.ask(method, asked, None if method == "GET" else b"{}")
            refused = status == 403 and "may not do this" in body
            hidden = status == 404 and "no such thing, or it is in a project" in body
            found = "refused" if refused else "missing" if hidden else "through"
            if found != expected(want, own, given, asked, project):
                wrong.append((method, asked, want, found, status))
            assert theirs not in body, asked
    assert wrong == []


# ---- what it means -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("viewer-none", 403), ("viewer-member", 200), ("member-none", 200), ("member-viewer", 403), ("viewer-admin", 200)],
)
def test_a_role_in_a_team_adds_to_ones_own_or_limits_it(teams: Teams, who: str, status: int) -> None:
    assert teams.call(who, "PATCH", "/api/v1/faults/1", {"state": "muted"})[0] == status
    assert teams.call(who, "PATCH", "/api/v1/faults", {"faults": [1, 2], "state": "open"})[0] in (status, 404)
    assert teams.call(who, "POST", "/api/v1/faults/1/comments", {"body": "seen"})[0] == status
    assert teams.call(who, "PATCH", "/api/v1/faults/2", {"state": "muted"})[0] == 404


def test_an_admin_of_a_team_manages_its_projects_and_not_the_console(teams: Teams) -> None:
    assert teams.call("viewer-admin", "PATCH", "/api/v1/projects/1", {"name": "our shop"})[0] == 200
    assert teams.call("viewer-admin", "POST", "/api/v1/objectives", {"project": "1", "share": 0.99})[0] == 200
    assert teams.call("viewer-admin", "POST", "/api/v1/objectives", {"project": "2", "share": 0.99})[0] == 404
    assert teams.call("viewer-member", "POST", "/api/v1/objectives", {"project": "1", "share": 0.99})[0] == 403
    for path in ("/api/v1/people", "/api/v1/channels", "/api/v1/audit", "/api/v1/filters"):
        assert teams.call("viewer-admin", "GET", path)[0] == 403, path
    assert teams.call("viewer-admin", "POST", "/api/v1/projects", {"name": "new"})[0] == 403


def test_one_is_told_what_one_may_in_each_project(teams: Teams) -> None:
    me = teams.call("viewer-admin", "GET", "/api/v1/me")[1]
    assert (me["role"], me["projects"], me["rights"]) == ("viewer", ["1"], {"1": "manage"})
    assert teams.call("owner", "GET", "/api/v1/me")[1]["rights"] is None


def test_a_comment_is_removed_by_who_wrote_it_or_by_an_admin(teams: Teams) -> None:
    def write(who: str) -> str:
        made = teams.call(who, "POST", "/api/v1/faults/1/comments", {"body": f"by {who}"})[1]["id"]
        return f"/api/v1/faults/1/comments/{made}"

    first, second = write("member-none"), write("member-none")
    status, said = teams.call("viewer-member", "DELETE", first)
    assert (status, said["detail"]) == (403, "a comment is removed by who wrote it, or by an admin")
    assert teams.call("member-none", "DELETE", first)[0] == 200
    assert teams.call("viewer-admin", "DELETE", second)[0] == 200
    assert teams.call("viewer-admin", "DELETE", second)[0] == 404


def test_an_incident_over_several_projects_is_told_in_part(teams: Teams) -> None:
    found = teams.call("member-none", "GET", "/api/v1/incidents/1")[1]
    assert theirs not in json.dumps(found)
    assert [f["fault"] for f in found["faults"]] == [1]
    assert (found["hidden_faults"], found["hidden_projects"], found["routes"]) == (1, 1, [])
    listed = teams.call("member-none", "GET", "/api/v1/incidents")[1]["incidents"]
    said = "postgresql at db:5432 fails: 2 events of 1 fault, and more in 1 other project."
    assert [(i["id"], i["events"], i["faults"], i["sentence"]) for i in listed] == [(1, 2, [1], said)]
    whole = teams.call("owner", "GET", "/api/v1/incidents/1")[1]
    assert (len(whole["faults"]), whole["hidden_projects"], whole["routes"]) == (2, 0, [[theirs, 7]])


def test_its_page_says_what_is_left_out_and_offers_nothing_that_is_refused(teams: Teams) -> None:
    member = teams.visitor("member-none")
    for path in ("/incidents/1", "/incidents", "/", "/faults/1", "/incidents/1.md"):
        page = member.get(path)[1]
        assert theirs not in page
        assert "postgresql at db:5432 fails: 2 events" in page
    assert "1 fault in 1 other project that you do not see" in member.get("/incidents/1")[1]
    assert "It is over" not in member.get("/incidents/1")[1]
    assert teams.call("member-none", "PATCH", "/api/v1/incidents/1", {"state": "resolved"})[0] == 403
    assert "It is over" in teams.visitor("owner").get("/incidents/1")[1]


def test_what_somebody_may_not_do_is_not_offered(teams: Teams) -> None:
    page = teams.visitor("member-viewer").get("/faults/1")[1]
    assert 'value="resolve"' not in page
    assert "Comment</button>" not in page
    assert 'value="resolve"' in teams.visitor("viewer-member").get("/faults/1")[1]
    assert "Make a new key" in teams.visitor("viewer-admin").get("/projects/1")[1]
    assert "Make a new key" not in teams.visitor("member-none").get("/projects/1")[1]
    assert ours in page


def test_the_account_says_what_one_may_in_each_project(teams: Teams) -> None:
    for who, words in (("viewer-admin", "read, act and manage"), ("member-viewer", "<span>read</span>")):
        page = teams.visitor(who).get("/account")[1]
        assert words in page.partition('id="projects"')[2]
    assert 'id="projects"' not in teams.visitor("owner").get("/account")[1]


def test_an_admin_of_a_team_takes_an_objective_back_and_nobody_below_does(teams: Teams) -> None:
    made = teams.call("owner", "POST", "/api/v1/objectives", {"project": "2", "share": 0.95})[1]["id"]
    assert teams.call("viewer-admin", "DELETE", f"/api/v1/objectives/{made}")[0] == 404
    made = teams.call("viewer-admin", "POST", "/api/v1/objectives", {"project": "1", "share": 0.95})[1]["id"]
    assert teams.call("member-none", "DELETE", f"/api/v1/objectives/{made}")[0] == 403
    assert "Remove the objective" in teams.visitor("viewer-admin").get("/routes")[1]
    assert "Remove the objective" not in teams.visitor("member-none").get("/routes")[1]
    assert teams.call("viewer-admin", "DELETE", f"/api/v1/objectives/{made}")[0] == 200


def test_the_audit_log_reads_as_sentences(teams: Teams) -> None:
    people = {p["name"]: p["id"] for p in teams.call("owner", "GET", "/api/v1/people")[1]["people"]}
    teams.call("owner", "PATCH", f"/api/v1/people/{people['viewer']}", {"act": "role", "role": "member"})
    teams.call("owner", "PATCH", "/api/v1/faults/1", {"state": "resolved"})
    rows = teams.call("owner", "GET", "/api/v1/audit")[1]["rows"]
    assert [f"{r['who']} {r['what']} {r['about']}" for r in rows[:2]] == [
        "owner resolved #1",
        "owner changed the role of viewer from viewer to member",
    ]
    page = re.sub(r"<[^>]+>", "", teams.visitor("owner").get("/audit")[1])
    assert "owner changed the role of viewer from viewer to member" in page
