"""Between projects there are walls, whatever door is tried: every route with every number and name of the others."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.access.test_gate import House, Visitor, all_routes, command, filled, password, theirs

from fivehundred.console.access import signing
from fivehundred.console.store.filters import Filters
from fivehundred.console.store.ownership import Ownership
from fivehundred.console.store.people import People
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.store.triage import Owner
from fivehundred.console.store.views import Views
from fivehundred.console.vault import Vault

# what a body could name: faults, projects, rules, views, links ... all of the other project
named = {
    "fault": ["2"], "faults": ["2"], "project": ["2"], "act": ["resolve"], "name": ["x"], "url": ["https://a.test/1"],
    "field": ["route"], "value": [""], "share": ["99.9"], "route": [theirs], "body": ["hello"], "line": ["project:2"],
    "kind": ["path"], "pattern": ["*/x"], "owner": ["x"], "tracker": ["1"], "state": ["resolved"], "unlink": ["1"],
}  # fmt: skip
bodies: tuple[dict[str, Any], ...] = (
    {"faults": [2]},
    {"faults": [2], "act": "resolve"},
    {"faults": [2], "state": "resolved"},
    {"act": "resolve"},
    {"state": "resolved"},
    {"body": "hello"},
    {"field": "route"},
    {"name": "x", "query": "project:2"},
    {"project": "2", "share": 0.999},
    {"project": "2", "kind": "path", "pattern": "*/x", "owner": {"name": "x"}},
    {"url": "https://a.test/1"},
    {"tracker": 1},
    {"projects": ["2"], "version": "9.9", "environment": "x"},
    {},
)


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The member sees our project; theirs has rules, filters, a view and a fault of its own."""
    house = House(tmp_path_factory.mktemp("walls"))
    owner = house.visitor("owner")
    owner.post("/teams", name="shop")
    page = owner.get("/people")[1]
    numbers = dict(re.findall(r'name="member" value="(\d+)"[^>]*> <bdi>(\w+)</bdi>', page))
    token = next(c.value or "" for c in owner.jar if c.name == "fivehundred_token")
    chosen = [
        ("token", token),
        ("member", next(n for n, name in numbers.items() if name == "member")),
        ("project", "1"),
    ]
    owner.ask("POST", "/teams/1", urllib.parse.urlencode(chosen).encode(), Content_Type=_form)
    store = SqliteStore(house.data)
    Ownership(store.database).add("2", "path", f"{theirs}/*", Owner(theirs, "team"))
    Filters(store.database).add("2", "message", f"*{theirs}*")
    Views(store.database).save("shared", "project:theirs", "impact", member=None, now=time.time())
    yield house
    house.console.stop()


_form = "application/x-www-form-urlencoded"


def state_of(owner: Visitor) -> str:
    """All that the other project is, as its owner sees it."""
    paths = ("/api/v1/faults/2", "/api/v1/faults/2/triage", "/api/v1/faults/2/grouping", "/api/v1/owner-rules")
    return "\n".join(owner.get(path)[1] for path in (*paths, "/api/v1/filters", "/api/v1/projects"))


def test_no_change_of_a_restricted_person_reaches_another_project(walled: House, tmp_path: Path) -> None:
    member, owner = walled.visitor("member"), walled.visitor("owner")
    before = state_of(owner)
    token = next(c.value or "" for c in member.jar if c.name == "fivehundred_token")
    fields = urllib.parse.urlencode([("token", token), *((n, v) for n, vs in named.items() for v in vs)]).encode()
    for method, path in all_routes(tmp_path):
        if method == "GET" or path.startswith(("/sign", "/account", "/invite", "/api/v1/tokens")):
            continue
        for asked in {filled(path, "1"), filled(path, "2")}:
            if path.startswith("/api/"):
                tried = [(json.dumps(body).encode(), "application/json") for body in bodies]
            else:
                tried = [(fields, _form)]
            for body, kind in tried:
                status, answer, _ = member.ask(method, asked, body, Content_Type=kind)
                assert theirs not in answer, (method, asked, body)
                assert status < 500, (method, asked, body, answer[:300])
    assert state_of(owner) == before


@pytest.mark.parametrize(
    "path", ["/api/v1/owner-rules", "/api/v1/grouping-rules", "/grouping", "/api/v1/views", "/faults"]
)
def test_rules_and_views_of_other_projects_are_not_listed(walled: House, path: str) -> None:
    body = walled.visitor("member").get(path)[1]
    assert theirs not in body
    assert "project:theirs" not in body


def test_figures_of_every_project_are_for_whoever_sees_them_all(walled: House) -> None:
    assert walled.visitor("member").get("/metrics")[0] == 404
    assert walled.visitor("owner").get("/metrics")[0] == 200


def test_an_agent_with_a_token_of_one_project_finds_nothing_of_another(walled: House) -> None:
    token = command(walled.data, "tokens", "add", "owner", "--scope", "act", "--project", "1")["token"]
    visitor = Visitor(walled.url, token)
    for name, sent in (
        ("list_faults", {"query": "is:any"}),
        ("search", {"text": theirs}),
        ("get_fault", {"fault": "2"}),
        ("reproduce", {"fault": "2"}),
        ("get_incident", {}),
        ("update_fault", {"fault": "2", "state": "resolved"}),
    ):
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": sent}}
        status, body, _ = visitor.ask(
            "POST", "/mcp", json.dumps(call).encode(), Content_Type="application/json",
            Accept="application/json, text/event-stream",
        )  # fmt: skip
        assert status == 200, body
        assert f"{theirs.title().replace('-', '')}Error" not in body, name
        assert theirs not in body or name == "search", name  # what was looked for may be said again


# ---- sessions and passwords ----------------------------------------------------------------------


def test_many_guesses_at_once_are_not_more_than_may_be(walled: House, tmp_path: Path) -> None:
    """Each in a thread and with a connection of its own, as requests are."""
    vault, said = Vault(tmp_path / "key"), list[str]()

    def guess() -> None:
        tried = signing.Try("hunted", "wrong wrong wrong", "", "192.0.2.9")
        with pytest.raises(signing.NotSignedIn) as refused:
            signing.checked(People(SqliteStore(walled.data).database), vault, tried, now=time.time())
        said.append(str(refused.value).split()[0])

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["The"] * 10 + ["Too"] * 6


def test_the_old_password_cannot_be_guessed_in_an_open_browser(walled: House) -> None:
    visitor = walled.visitor("viewer")
    for _ in range(10):
        assert "The password of now is wrong." in visitor.post("/account/password", old="guess", password="x" * 12)[1]
    status, page = visitor.post("/account/password", old=password, password="x" * 12)
    assert status == 400
    assert "Too many tries" in page


def test_a_stream_ends_with_its_session(walled: House) -> None:
    listener = walled.visitor("viewer")
    ended = threading.Event()

    def listen() -> None:
        with listener.opener.open(f"{walled.url}/live", timeout=20) as stream:
            stream.read()
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    time.sleep(0.5)
    command(walled.data, "users", "disable", "viewer")
    assert ended.wait(15)
    command(walled.data, "users", "enable", "viewer")
    thread.join()


def test_a_browser_is_refused_with_a_page_and_a_program_with_a_problem(walled: House) -> None:
    member = walled.visitor("member")
    _, page, headers = member.ask("GET", "/people")
    assert headers["content-type"].startswith("text/html")
    assert "<h1>Forbidden</h1>" in page
    _, document, headers = member.ask("GET", "/people", Accept="application/json")
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(document)["status"] == 403


def test_what_people_change_stands_in_the_audit_log(walled: House) -> None:
    owner = walled.visitor("owner")
    owner.post("/faults/state", act="mute 1h", fault="1")
    owner.post("/settings/filters", kind="message", pattern="*noise*")
    owner.post("/alerts/channels", kind="webhook", name="Ops", url="http://127.0.0.1:9/")
    owner.post("/trackers", kind="github", target="a/b", secret="s", name="Issues")
    owner.post("/settings/filters", kind="message", pattern="*")  # refused: nothing was changed
    rows = json.loads(owner.get("/api/v1/audit")[1])["rows"]
    told = [(r["what"], r["about"]) for r in rows[:4]]
    assert told == [
        ("added the tracker", "Issues"),
        ("added the channel", "Ops"),
        ("added a filter", ""),
        ("muted", "#1 (1h)"),
    ]
