"""A fault becomes an issue at GitHub, GitLab or Jira: what is sent to a real server, and what is made of the answer."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path

import pytest
from tests.console.face import Face, wire

from fivehundred.console.channels.base import BadSettings, NotAccepted, Rejected
from fivehundred.console.channels.issues import Issues, Kind
from fivehundred.console.store.trackers import Trackers

from .conftest import Hook

title = "KeyError: 'x'\r\nLabels: evil"
text = "# Fault 1\n\n{noformat}\n*what happened*"


def issues(hook: Hook, kind: Kind, target: str, account: str = "") -> Issues:
    return Issues(kind, hook.url.partition("/hook")[0], target, account, "t0ken")


def test_github_gets_an_issue(hook: Hook) -> None:
    hook.body = json.dumps({"number": 12, "html_url": "https://github.test/us/shop/issues/12"}).encode()
    made = issues(hook, "github", "us/shop").create(title, text)
    [(headers, body)], [path] = hook.got, hook.paths
    assert (made.title, made.url) == ("#12", "https://github.test/us/shop/issues/12")
    assert (path, headers["Authorization"]) == ("/repos/us/shop/issues", "Bearer t0ken")
    assert json.loads(body) == {"title": "KeyError: 'x' Labels: evil", "body": text}


def test_gitlab_gets_an_issue_in_a_project_of_groups(hook: Hook) -> None:
    hook.body = json.dumps({"iid": 3, "web_url": "https://gitlab.test/a/b/c/-/issues/3"}).encode()
    made = issues(hook, "gitlab", "a/b/c").create(title, text)
    assert (made.title, hook.paths) == ("#3", ["/api/v4/projects/a%2Fb%2Fc/issues"])


def test_jira_gets_an_issue_whose_text_is_no_markup(hook: Hook) -> None:
    hook.body = b'{"key": "SHOP-7"}'
    made = issues(hook, "jira", "SHOP", "ann@example.test").create(title, text)
    [(headers, body)] = hook.got
    assert made.title == "SHOP-7"
    assert made.url.endswith("/browse/SHOP-7")
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"ann@example.test:t0ken").decode()
    assert json.loads(body)["fields"]["description"].count("{noformat}") == 2


@pytest.mark.parametrize(("status", "error"), [(401, Rejected), (404, Rejected), (422, Rejected), (503, NotAccepted)])
def test_a_refusal_says_what_the_service_said(hook: Hook, status: int, error: type[Exception]) -> None:
    hook.answers, hook.body = [status], b'{"message": "Bad credentials"}'
    with pytest.raises(error, match=f"{status}.*Bad credentials"):
        issues(hook, "github", "us/shop").create(title, text)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"number": 1, "html_url": "javascript:alert(1)"}'])
def test_an_answer_that_names_no_issue_is_refused(hook: Hook, body: bytes) -> None:
    hook.body = body
    with pytest.raises(Rejected):
        issues(hook, "github", "us/shop").create(title, text)


@pytest.mark.parametrize(
    ("kind", "url", "target", "account"),
    [
        ("github", "https://api.github.com", "no-slash", ""),
        ("github", "https://api.github.com", "a/../b", ""),
        ("github", "file:///etc", "a/b", ""),
        ("gitlab", "https://gitlab.com", "a b", ""),
        ("jira", "https://x.test", "lower", "a@b"),
        ("jira", "https://x.test", "SHOP", ""),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_set(kind: Kind, url: str, target: str, account: str) -> None:
    with pytest.raises(BadSettings):
        Issues(kind, url, target, account, "t0ken")


# ---- the pages -----------------------------------------------------------------------------------


def token(face: Face) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{32})"', face.client.get("/trackers").text)
    assert found
    return found[1]


def test_a_fault_is_linked_to_the_issue_that_was_made_of_it(tmp_path: Path, hook: Hook) -> None:
    face = Face(tmp_path)
    face.add(wire())
    hook.body = json.dumps({"number": 12, "html_url": "https://github.test/us/shop/issues/12"}).encode()
    sent = {"token": token(face), "kind": "github", "target": "us/shop", "secret": "t0ken"}
    added = face.client.post("/trackers", data={**sent, "url": hook.url.partition("/hook")[0]})
    assert added.status_code == 303
    made = face.client.post("/faults/1/issues", data={"token": token(face), "tracker": "1"})
    assert made.status_code == 303
    [link] = Trackers(face.store().database).links(1)
    assert (link.title, link.url) == ("#12", "https://github.test/us/shop/issues/12")
    assert "## Why" in json.loads(hook.got[0][1])["body"]
    assert b"t0ken" not in (tmp_path / "console.db").read_bytes()


def test_a_service_that_refuses_is_shown_with_its_words(tmp_path: Path, hook: Hook) -> None:
    face = Face(tmp_path)
    face.add(wire())
    hook.answers, hook.body = [401], b"Bad credentials"
    sent = {"token": token(face), "kind": "github", "target": "us/shop", "secret": "t0ken"}
    face.client.post("/trackers", data={**sent, "url": hook.url.partition("/hook")[0]})
    made = face.client.post("/faults/1/issues", data={"token": token(face), "tracker": "1"})
    assert made.status_code == 502
    assert "Bad credentials" in made.text


def test_an_issue_is_linked_by_its_address_once(tmp_path: Path) -> None:
    face = Face(tmp_path)
    face.add(wire())
    desk, url = Trackers(face.store().database), "https://github.test/us/shop/issues/7"
    for _ in range(2):
        face.client.post("/faults/1/issues", data={"token": token(face), "url": url})
    [link] = desk.links(1)
    assert link.title == "7"
    bad = face.client.post("/faults/1/issues", data={"token": token(face), "url": "javascript:alert(1)"})
    assert bad.status_code == 400
    face.client.post("/faults/1/issues", data={"token": token(face), "unlink": str(link.id)})
    assert desk.links(1) == []
    assert time.time() - link.linked_at < 60
