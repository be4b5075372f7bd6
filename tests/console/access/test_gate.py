"""Who may do what, asked of a real Console over HTTP: every route, every role, and nothing of another project."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route
from tests.console.face import wire
from tests.console.running import RunningConsole

from fivehundred.console.access.needs import declared, needed
from fivehundred.console.access.roles import Role, may, roles
from fivehundred.event import new_id

password = "correct horse battery"
ours, theirs = "canary-of-ours", "canary-of-theirs"


class Visitor:
    """A browser: cookies, forms with their token, no redirects followed."""

    def __init__(self, url: str, token: str = "") -> None:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                return None

        self.url, self.token = url, token
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar), Stay)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
        headers = {"Accept": "text/html", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with self.opener.open(request, timeout=10) as answer:
                endless = answer.headers.get_content_type() == "text/event-stream"
                body = b"" if endless else answer.read()
                return answer.status, body.decode("utf-8", "replace"), dict(answer.headers)
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode("utf-8", "replace"), dict(e.headers)

    def get(self, path: str) -> tuple[int, str]:
        status, body, _ = self.ask("GET", path)
        return status, body

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        self.get("/sign-in")  # brings the token of the forms
        token = next((c.value or "" for c in self.jar if c.name == "fivehundred_token"), "")
        body = urllib.parse.urlencode({"token": token, **fields}).encode()
        status, text, _ = self.ask("POST", path, body, Content_Type="application/x-www-form-urlencoded")
        return status, text

    def sign_in(self, name: str, **fields: str) -> tuple[int, str]:
        return self.post("/sign-in", name=name, password=password, **fields)


def command(data: Path, *arguments: str, typed: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "fivehundred", *arguments, "--data", str(data), "--json"],
        input=typed, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class House:
    """A Console with an account of each role, two projects, and a fault in each of them."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.console = RunningConsole(self.data)
        self.url = self.console.url
        open_house = Visitor(self.url)
        assert open_house.post("/projects", name="theirs")[0] == 303
        projects = json.loads(open_house.get("/api/v1/projects")[1])["projects"]
        for project, canary in zip(projects, (ours, theirs), strict=True):
            self._send(project["dsn"], canary)
        for role in reversed(roles):
            command(self.data, "users", "add", role, "--role", role, typed=password + "\n")
        self.tokens = {role: command(self.data, "tokens", "add", role, "--scope", "admin")["token"] for role in roles}
        time.sleep(1.1)  # the Console looks for accounts once a second

    def _send(self, dsn: str, canary: str) -> None:
        parts = urllib.parse.urlsplit(dsn)
        url = f"{self.url}/api{parts.path}/store/?sentry_key={parts.username}"
        raw = wire(f"{canary.title().replace('-', '')}Error", canary, event_id=new_id(), release=canary)
        raw |= {"server_name": canary, "environment": canary, "tags": {"tag": canary}, "user": {"id": canary}}
        body = json.dumps(raw).encode()
        urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"})).close()
        self.console.digested()

    def visitor(self, role: str) -> Visitor:
        made = Visitor(self.url)
        assert made.sign_in(role)[0] == 303
        return made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    made.console.stop()


def routes_of(found: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in found:
        if isinstance(route, Mount):
            yield from routes_of(list(route.routes), prefix + route.path)
        elif isinstance(route, Route):
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, prefix + route.path


def all_routes(tmp_path: Path) -> list[tuple[str, str]]:
    from tests.console.face import Face

    from fivehundred.console.api import sentry_cli

    face = Face(tmp_path)
    return list(routes_of([*face.app.routes, *sentry_cli.routes(face.site)]))


def filled(path: str, number: str = "1", reference: str = "0" * 32) -> str:
    path = re.sub(r"\{event(?:_id)?\}", reference, path)
    path = path.replace("{secret}", "x").replace("{name}", "console.css").replace("{path:path}", "no/such/page")
    path = re.sub(r"\{org\}", "us", path).replace("{release:path}", "1").replace("{project}", number)
    return re.sub(r"\{[a-z_]+(?::\w+)?\}", number, path)


# ---- the matrix ----------------------------------------------------------------------------------


def test_every_route_and_role_is_as_the_table_says(house: House, tmp_path: Path) -> None:
    """With a token of each role; what a role may not do is 403, and what it may is anything else."""
    wrong = []
    for method, path in all_routes(tmp_path):
        asked = filled(path, "999999")  # nothing is there: an act that is allowed changes nothing
        need = needed(method, asked)
        if need == "public" or need == "signed" or path == "/live":  # that one answers for ever
            continue
        for role in roles:
            visitor = Visitor(house.url, house.tokens[role])
            status, body, _ = visitor.ask(method, asked, None if method == "GET" else b"{}")
            if (status == 403 and "may not do this" in body) is may(role, need):
                wrong.append((method, asked, role, need, status))
    assert wrong == []


def test_every_route_is_declared(tmp_path: Path) -> None:
    """What is not in the table is for admins alone; only the page for addresses that lead nowhere is not in it."""
    missing = [(m, p) for m, p in all_routes(tmp_path) if not declared(m, filled(p)) and p != "/{path:path}"]
    assert missing == []


def test_without_signing_in_nothing_is_told(house: House, tmp_path: Path) -> None:
    for method, path in all_routes(tmp_path):
        asked = filled(path)
        if needed(method, asked) == "public":
            continue
        status, body, headers = Visitor(house.url).ask(method, asked, None if method == "GET" else b"{}")
        assert status in (303, 401, 403), (method, asked, status)
        assert status != 303 or headers["location"].startswith("/sign-in")
        assert ours not in body
        assert theirs not in body


def test_paths_beside_the_routes_are_kept_as_well(house: House) -> None:
    for path in ("/metrics", "/mcp", "/faults/1.md", "//people", "/people/", "/static/../people", "/%70eople"):
        status, body, _ = Visitor(house.url).ask("GET", path)
        assert status in (303, 401, 404, 405), (path, status)
        assert ours not in body


# ---- projects ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walls(house: House) -> House:
    """A team that has our project: whoever is in it sees ours and not theirs."""
    owner = house.visitor("owner")
    assert owner.post("/teams", name="shop")[0] == 303
    page = owner.get("/people")[1]
    numbers = dict(re.findall(r'name="member" value="(\d+)"[^>]*> <bdi>(\w+)</bdi>', page))
    chosen = [("member", n) for n, name in numbers.items() if name in ("viewer", "member")] + [("project", "1")]
    token = next(c.value or "" for c in owner.jar if c.name == "fivehundred_token")
    body = urllib.parse.urlencode([("token", token), *chosen]).encode()
    assert owner.ask("POST", "/teams/1", body, Content_Type="application/x-www-form-urlencoded")[0] == 303
    return house


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_no_page_shows_what_is_in_another_project(walls: House, tmp_path: Path, role: Role) -> None:
    visitor, owner = walls.visitor(role), walls.visitor("owner")
    their_event = json.loads(owner.get("/api/v1/faults/2")[1])["last_event_id"]
    seen_ours = 0
    for method, path in all_routes(tmp_path):
        if method != "GET" or path.startswith("/live"):
            continue
        for asked in {filled(path, "1"), filled(path, "2", their_event)}:
            status, body = visitor.get(asked)
            assert theirs not in body, (asked, status)
            assert status < 500, (asked, body[:300])
            seen_ours += ours in body
    assert seen_ours >= 5


@pytest.mark.parametrize(
    "query", ["?q=" + theirs, "?q=project:2", "?q=release:" + theirs, "?query=is:any", "?project=2"]
)
def test_no_search_reaches_another_project(walls: House, query: str) -> None:
    visitor = walls.visitor("member")
    for path in ("/faults", "/api/v1/faults", "/api/v1/stats", "/releases", "/routes", "/"):
        body = visitor.get(path + query)[1]
        assert "CanaryOfTheirsError" not in body, path  # the line itself is shown again, the fault is not


def test_nobody_acts_on_what_is_in_another_project(walls: House) -> None:
    member, owner = walls.visitor("member"), walls.visitor("owner")
    token = next((c.value or "" for c in member.jar if c.name == "fivehundred_token"), "")
    body = urllib.parse.urlencode({"token": token, "act": "resolve", "state": "resolved", "fault": "2"}).encode()
    member.ask("POST", "/faults/state", body, Content_Type="application/x-www-form-urlencoded")
    for path, sent in (
        ("/api/v1/faults/2", {"state": "resolved"}),
        ("/api/v1/faults", {"faults": [2], "state": "resolved"}),
    ):
        member.ask("PATCH", path, json.dumps(sent).encode(), Content_Type="application/json")
    member.post("/faults/2/comments", text="hello", comment="hello", body="hello")
    found = json.loads(owner.get("/api/v1/faults/2")[1])
    assert found["state"] == "open"
    assert "hello" not in json.dumps(found)


def test_a_token_of_one_project_sees_that_one(walls: House) -> None:
    token = command(walls.data, "tokens", "add", "owner", "--scope", "read", "--project", "1")["token"]
    visitor = Visitor(walls.url, token)
    assert [p["id"] for p in json.loads(visitor.get("/api/v1/projects")[1])["projects"]] == ["1"]
    assert visitor.get("/api/v1/faults/2")[0] == 404
    assert theirs not in visitor.get("/api/v1/faults?query=is:any")[1]


# ---- signing in ----------------------------------------------------------------------------------


def test_a_wrong_name_and_a_wrong_password_are_one_answer(house: House) -> None:
    wrong = Visitor(house.url).post("/sign-in", name="owner", password="wrong wrong wrong")
    nobody = Visitor(house.url).post("/sign-in", name="no such", password="wrong wrong wrong")
    assert wrong[0] == nobody[0] == 401
    assert "The name or the password is wrong." in wrong[1]
    assert "The name or the password is wrong." in nobody[1]


@pytest.mark.parametrize(
    "back", ["//evil.test/", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "/faults\r\nX: y"]
)
def test_signing_in_leads_to_a_page_of_this_console(house: House, back: str) -> None:
    visitor = Visitor(house.url)
    visitor.get("/sign-in")
    token = next(c.value or "" for c in visitor.jar if c.name == "fivehundred_token")
    body = urllib.parse.urlencode({"token": token, "name": "viewer", "password": password, "back": back}).encode()
    status, _, headers = visitor.ask("POST", "/sign-in", body, Content_Type="application/x-www-form-urlencoded")
    assert (status, headers["location"]) == (303, "/")


def test_a_session_that_was_planted_is_not_the_one_that_signs_in(house: House) -> None:
    visitor = Visitor(house.url)
    planted = http.cookiejar.Cookie(
        0, "fivehundred_session", "planted", None, False, "127.0.0.1", True, False, "/", True, False, None, True, None,
        None, {},
    )  # fmt: skip
    visitor.jar.set_cookie(planted)
    assert visitor.sign_in("viewer")[0] == 303
    values = [c.value for c in visitor.jar if c.name == "fivehundred_session"]
    assert "planted" not in values[-1:]
    stranger = Visitor(house.url)
    stranger.jar.set_cookie(planted)
    assert stranger.get("/account")[0] == 303


def test_signing_out_ends_the_session_itself(house: House) -> None:
    visitor = house.visitor("viewer")
    copy = next(c for c in visitor.jar if c.name == "fivehundred_session")
    assert visitor.post("/sign-out")[0] == 303
    thief = Visitor(house.url)
    thief.jar.set_cookie(copy)
    assert thief.get("/account")[0] == 303


def test_a_form_of_another_site_changes_nothing(house: House) -> None:
    owner = house.visitor("owner")
    body = urllib.parse.urlencode({"name": "evil", "role": "owner", "token": "0" * 32}).encode()
    kind = "application/x-www-form-urlencoded"
    assert owner.ask("POST", "/people", body, Content_Type=kind, Origin="http://evil.test")[0] == 403
    assert owner.ask("POST", "/people", body, Content_Type=kind)[0] == 403
    assert "evil" not in owner.get("/people")[1]


def test_an_admin_makes_nobody_an_owner(house: House) -> None:
    admin = house.visitor("admin")
    status, page = admin.post("/people", name="puppet", role="owner")
    assert status == 400
    assert "admins change nobody who is owner" in page
    assert "puppet" not in [u["name"] for u in command(house.data, "users")["users"]]


def test_an_invitation_sets_a_password_and_is_gone(house: House) -> None:
    page = house.visitor("admin").post("/people", name="newcomer", role="viewer")[1]
    link = re.search(r"/invite/[\w-]{43}", page)
    assert link
    newcomer = Visitor(house.url)
    assert newcomer.post(link[0], password="short")[0] == 400
    assert newcomer.post(link[0], password=password)[0] == 303
    assert newcomer.get("/account")[0] == 200
    assert Visitor(house.url).get(link[0])[0] == 404


def test_tokens_are_made_used_and_revoked_on_the_page(house: House) -> None:
    visitor = house.visitor("member")
    page = visitor.post("/account/tokens", name="script", scope="admin", days="5")[1]
    token = re.search(r"fhk_[\w-]{43}", page)
    assert token
    assert Visitor(house.url, token[0]).get("/api/v1/faults")[0] == 200
    assert Visitor(house.url, token[0]).get("/people")[0] == 403  # it may no more than its owner
    assert token[0] not in visitor.get("/account")[1]
    newest = re.findall(r"/account/tokens/\d+/revoke", visitor.get("/account")[1])[-1]
    visitor.post(newest)
    assert Visitor(house.url, token[0]).get("/api/v1/faults")[0] == 401


def test_nothing_that_opens_anything_is_on_the_disk(house: House) -> None:
    visitor = house.visitor("viewer")
    session = next(c.value or "" for c in visitor.jar if c.name == "fivehundred_session")
    for file in house.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for secret in (session, password, *house.tokens.values()):
                assert secret.encode() not in content, file


def test_guessing_is_stopped_for_the_one_who_guesses(house: House) -> None:
    """Last of all: afterwards this address may not try that name for a while."""
    guesser = Visitor(house.url)
    for _ in range(10):
        assert guesser.post("/sign-in", name="guessed", password="wrong wrong wrong")[0] == 401
    status, page = guesser.post("/sign-in", name="guessed", password="wrong wrong wrong")
    assert status == 429
    assert "Wait a quarter of an hour" in page
    assert Visitor(house.url).sign_in("viewer")[0] == 303  # another name is not touched
