"""The development page is shown to this machine alone, and shows nothing as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.event import Frame
from fivehundred.guard.devpage.shown import editor_link
from fivehundred.guard.guard import Guard
from fivehundred.guard.request import RequestParts
from fivehundred.problem import Answer


def guard(**options: Any) -> Guard:
    return Guard(dsn="", mode="development", **options)


def parts(
    accept: str = "text/html", *, peer: str = "127.0.0.1", host: str = "127.0.0.1:8000", **more: str
) -> RequestParts:
    headers = [("accept", accept), *((name.replace("_", "-"), value) for name, value in more.items())]
    return RequestParts("GET", "http", host, "/mean", "q=1", headers, "1.1", "/mean", peer)


def failed(message: str = "division by zero") -> BaseException:
    password = "hunter2-canary"  # noqa: F841 - a secret that must not be shown
    numbers: list[int] = []
    try:
        raise ValueError(message) from ZeroDivisionError(len(numbers))
    except ValueError as e:
        return e


def shown(accept: str = "text/html", **more: Any) -> Answer:
    return guard().handle(failed(), parts(accept, **more))


def header(answer: Answer, name: str) -> str:
    return next((v for k, v in answer.headers if k.lower() == name), "")


def test_a_browser_on_this_machine_sees_the_failing_line_and_why() -> None:
    answer = shown()
    body = answer.body.decode()
    assert answer.status == 500
    assert "raise ValueError(message)" in body
    assert header(answer, "error-reference") in body
    assert int(header(answer, "content-length")) == len(answer.body)


def test_secrets_are_not_on_the_page() -> None:
    for accept in ("text/html", "application/json", "text/plain"):
        assert b"hunter2-canary" not in shown(accept).body


@pytest.mark.parametrize(
    "asked",
    [
        {"peer": "192.168.1.7"},
        {"peer": ""},
        {"host": "evil.test"},
        {"host": "evil.test:8000"},
        {"host": "127.0.0.1.evil.test"},
        {"x_forwarded_for": "1.2.3.4"},
        {"forwarded": "for=1.2.3.4"},
        {"via": "1.1 proxy"},
    ],
)
def test_anybody_else_gets_the_answer_of_production(asked: dict[str, str]) -> None:
    body = shown(**asked).body.decode()
    assert "ValueError" not in body
    assert "raise" not in body


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "app.localhost", "[::1]:8000", "127.0.0.2"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_has_many_names(host: str, peer: str) -> None:
    assert b"ValueError" in shown(host=host, peer=peer).body


def test_production_shows_nothing_to_anybody() -> None:
    answer = Guard(dsn="", mode="production").handle(failed(), parts())
    assert b"ValueError" not in answer.body


def test_programs_get_the_safe_members_and_debug_beside_them() -> None:
    answer = shown("application/problem+json")
    members = json.loads(answer.body)
    assert header(answer, "content-type") == "application/problem+json"
    assert (members["status"], members["reference"]) == (500, header(answer, "error-reference"))
    assert members["debug"]["exception"] == "ValueError: division by zero"


def test_a_terminal_gets_a_dozen_lines_in_colour() -> None:
    text = shown("*/*", user_agent="curl/8.5").body.decode()
    assert text.startswith("\x1b[31m\x1b[1m500  ValueError")
    assert len(text.splitlines()) <= 12


def test_text_for_others_has_no_colour() -> None:
    assert b"\x1b" not in shown("text/plain", user_agent="Mozilla").body


def test_the_policy_allows_what_is_on_the_page_and_nothing_else() -> None:
    answer = shown()
    body, policy = answer.body.decode(), header(answer, "content-security-policy")
    for tag in ("style", "script"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", body, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy
    assert "unsafe" not in policy


class Tags(HTMLParser):
    def __init__(self, body: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200))
def test_whatever_the_message_says_is_text(message: str) -> None:
    usual = Tags(shown().body.decode()).seen
    body = guard().handle(failed(f"<img src=x onerror=alert(1)><script>{message}"), parts()).body.decode()
    found = Tags(body).seen
    assert set(found) <= set(usual)
    assert found.count("script") == usual.count("script") == 1
    terminal = guard().handle(failed(f"\x1b]0;x\x07{message}"), parts("text/plain")).body.decode()
    assert all(unicodedata.category(c)[0] != "C" or c == "\n" for c in terminal)


def test_a_page_that_fails_is_the_safe_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("fivehundred.guard.devpage.answer.shown", fail)
    answer = shown()
    assert answer.status == 500
    assert b"ValueError" not in answer.body


@pytest.mark.parametrize(
    ("editor", "link"),
    [
        ("vscode", "vscode://file/srv/a%20b.py:3"),
        ("my://{path}#{line}", "my:///srv/a%20b.py#3"),
        ("none", ""),
        ("javascript://{path}", ""),
    ],
)
def test_a_frame_opens_in_the_editor_that_is_named(monkeypatch: pytest.MonkeyPatch, editor: str, link: str) -> None:
    monkeypatch.setenv("FIVEHUNDRED_EDITOR", editor)
    assert editor_link(Frame(abs_path="/srv/a b.py", lineno=3)) == link
