"""Import from the APIs of other trackers: a scripted server answers as they document it, a real Console takes it in."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console.running import RunningConsole

from fivehundred import limits
from fivehundred.cli import main
from fivehundred.console.import_api import Progress, events
from fivehundred.console.importing import ImportRefused
from fivehundred.event import new_id

token = "sntrys_secret"
Answer = tuple[int, dict[str, str], Any]  # status, headers, JSON or bytes


class Tracker:
    """Answers GET by ``answer(path, query)``; remembers what it was asked and with which token."""

    def __init__(self, answer: Callable[[str, dict[str, list[str]]], Answer]) -> None:
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        tracker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                tracker.asked.append(self.path)
                tracker.tokens.add(self.headers.get("Authorization", ""))
                parts = urlsplit(self.path)
                status, headers, found = answer(parts.path, parse_qs(parts.query))
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Not into the output of the tests."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def running(self) -> Iterator[str]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield self.url
        self.server.shutdown()
        self.server.server_close()


def api_event(kind: str = "KeyError", **more: Any) -> dict[str, Any]:
    """One event as Sentry's API answers it with ``full=true``."""
    frame = {"filename": "shop/cart.py", "absPath": "/srv/shop/cart.py", "module": "shop.cart", "function": "total",
             "lineNo": 7, "inApp": True, "context": [[6, "def total():"], [7, "    return prices[sku]"]]}  # fmt: skip
    values = [{"type": kind, "value": "'sku'", "stacktrace": {"frames": [frame]}}]
    name = new_id()
    return {"id": name, "eventID": name, "dateCreated": "2026-11-20T10:00:00Z", "platform": "python",
            "tags": [{"key": "release", "value": "2.4"}],
            "entries": [{"type": "exception", "data": {"values": values}}], **more}  # fmt: skip


class Sentry:
    """Pages of two, newest first, as cursors in a Link header say it."""

    path = "/api/0/projects/acme/shop/events/"

    def __init__(self, count: int = 5) -> None:
        self.events = [api_event() for _ in range(count)]
        self.before: dict[int, Answer] = {}  # number of the request -> what is answered instead, once
        self.tracker = Tracker(self.answer)

    def answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        number = len(self.tracker.asked)
        if number in self.before:
            return self.before[number]
        if path != self.path or query.get("full") != ["true"]:
            return 404, {}, {"detail": "The requested resource does not exist"}
        first = int(query.get("cursor", ["0:0:0"])[0].split(":")[1])
        page, more = self.events[first : first + 2], first + 2 < len(self.events)
        here = f"<http://evil.example{path}?cursor=0:{first + 2}:0>"  # where it points to is not followed
        link = f'{here}; rel="previous"; results="false"; cursor="0:0:1", {here}; rel="next"; results="'
        return 200, {"Link": f'{link}{"true" if more else "false"}"; cursor="0:{first + 2}:0"'}, page


def read(address: str, resume: Path | None = None, key: str = token) -> list[str]:
    return [e["event_id"] for e in events(address, key, Progress(address, resume, lambda _: None))]


def ids(sentry: Sentry) -> list[str]:
    return [event["eventID"] for event in sentry.events]


pages: dict[str, Any] = {}


@pytest.fixture(scope="module")
def hostile() -> Iterator[Tracker]:
    """Answers everything with the page that stands in ``pages``."""
    tracker = Tracker(lambda path, query: (200, {}, pages[tracker.url]))
    with tracker.running():
        yield tracker


@pytest.fixture(autouse=True, scope="module")
def patient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "import_pause_s", 0.01)
        patch.setattr(limits, "import_wait_s_max", 2)
        yield


def test_all_pages_are_read_with_the_token_and_only_from_the_host_that_was_named() -> None:
    sentry = Sentry()
    with sentry.tracker.running() as url:
        assert read(f"{url}{sentry.path}") == ids(sentry)
    assert sentry.tracker.tokens == {f"Bearer {token}"}
    assert len(sentry.tracker.asked) == 3


def test_an_event_is_what_its_client_sent() -> None:
    sentry = Sentry(1)
    with sentry.tracker.running() as url:
        address = f"{url}/api/0/projects/acme/shop"
        (event,) = events(address, token, Progress(address, None, lambda _: None))
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][0]
    assert (frame["abs_path"], frame["lineno"], frame["in_app"]) == ("/srv/shop/cart.py", 7, True)
    assert (frame["pre_context"], frame["context_line"]) == (["def total():"], "    return prices[sku]")
    assert (event["release"], event["timestamp"]) == ("2.4", "2026-11-20T10:00:00Z")


@pytest.mark.parametrize(
    "answer",
    [
        (429, {"Retry-After": "1"}, {}),
        (429, {"X-Sentry-Rate-Limit-Reset": str(int(time.time()) + 1)}, {}),
        (502, {}, b"<html>bad gateway</html>"),
        (503, {}, {}),
    ],
)
def test_a_tracker_that_asks_to_wait_or_is_ill_is_asked_again(answer: Answer) -> None:
    sentry = Sentry()
    sentry.before = {2: answer}
    with sentry.tracker.running() as url:
        assert read(f"{url}{sentry.path}") == ids(sentry)
    assert len(sentry.tracker.asked) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {}, {"detail": "Invalid\ntoken"}), "401: the token is not accepted.*project:read.*'Invalid token'"),
        ((403, {}, {}), "answers 403: the token may not read this"),
        ((404, {}, {}), "answers 404: there is no such project"),
        (
            (302, {"Location": "http://evil.example/x"}, {}),
            "302: it points to http://evil.example/x; name",
        ),
        ((200, {}, b"<html>sign in</html>"), "answers 200 with what is no JSON"),
        ((200, {}, {"detail": "x"}), "is no list of JSON objects; is the address one of the API"),
        ((200, {}, [{"title": "no id"}]), "a row of .* has no id"),
        ((200, {}, [[], 1]), "is no list of JSON objects"),
        ((429, {"Retry-After": "86400"}, {}), "answers 429: it asks for more patience"),
    ],
)
def test_what_cannot_go_on_is_said_and_goes_on_later_where_it_was(answer: Answer, words: str, tmp_path: Path) -> None:
    sentry, resume = Sentry(), tmp_path / "resume.json"
    sentry.before = {2: answer}
    with sentry.tracker.running() as url:
        with pytest.raises(ImportRefused, match=words):
            read(f"{url}{sentry.path}", resume)
        asked = len(sentry.tracker.asked)
        assert read(f"{url}{sentry.path}", resume) == ids(sentry)[2:]
        assert len(sentry.tracker.asked) == asked + 2
        assert read(f"{url}{sentry.path}", resume) == []


def test_a_tracker_that_goes_away_is_waited_for_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "import_wait_s_max", 0.1)
    sentry = Sentry()
    with sentry.tracker.running() as url:
        pass
    with pytest.raises(ImportRefused, match=r"answers 503: Connection|answers 503: .*refused"):
        read(f"{url}{sentry.path}")


def test_a_list_that_says_less_is_completed_event_by_event() -> None:
    whole = api_event()

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/api/0/projects/acme/shop/events/":
            return 200, {}, [{"id": "1", "eventID": whole["eventID"], "title": "KeyError"}]
        return 200, {}, whole if path.endswith(f"/{whole['eventID']}/") else {}

    tracker = Tracker(answer)
    with tracker.running() as url:
        assert read(f"{url}/api/0/projects/acme/shop/") == [whole["eventID"]]


names = ("id", "eventID", "event_id", "entries", "data", "results", "next", "type", "values", "frames", "tags",
         "lineNo", "context", "release", "exception", "digest_order")  # fmt: skip
anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.just("exception") | st.just("a" * 32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=5),
)
rows = st.lists(st.dictionaries(st.sampled_from(names), anything, max_size=6), max_size=3)


@given(st.binary(max_size=100) | anything | rows | st.builds(lambda found: {"results": found, "next": None}, rows))
@settings(max_examples=150, deadline=None)
def test_whatever_a_tracker_answers_is_taken_or_refused_in_words(hostile: Tracker, page: Any) -> None:
    pages[hostile.url] = page
    for address in (f"{hostile.url}/api/0/projects/a/b/", f"{hostile.url}/api/canonical/0/projects/1/"):
        reader = events(address, token, Progress(address, None, lambda _: None))
        with contextlib.suppress(ImportRefused):  # and nothing else
            for _ in range(5):  # a list may have itself as its next page
                next(reader, None)


class BugsinkLike:
    """Lists with an address for the next page; payloads only one by one."""

    def __init__(self) -> None:
        self.issues = {f"i{n}": [new_id() for _ in range(3)] for n in range(2)}
        self.failing = ""
        self.tracker = Tracker(self.answer)

    def answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        kind, _, name = path.removeprefix("/api/canonical/0/").strip("/").partition("/")
        if name:
            if name == self.failing:
                return 403, {}, {}
            data = {"event_id": name, "exception": {"values": [{"type": "KeyError", "value": "x"}]}}
            return 200, {}, {"id": name, "data": data, "digest_order": 1}
        rows = list(self.issues) if kind == "issues" else self.issues[query["issue"][0]]
        first = int(query.get("cursor", ["0"])[0])
        own = "project=1" if kind == "issues" else f"issue={query['issue'][0]}"
        following = f"http://elsewhere{path}?cursor={first + 2}&{own}" if first + 2 < len(rows) else None
        return 200, {}, {"next": following, "results": [{"id": row} for row in rows[first : first + 2]]}


def test_bugsinks_issues_and_events_are_read_one_by_one_and_gone_on_with(tmp_path: Path) -> None:
    bugsink, resume = BugsinkLike(), tmp_path / "resume.json"
    wanted = [event for found in bugsink.issues.values() for event in found]
    bugsink.failing = wanted[5]
    with bugsink.tracker.running() as url:
        address = f"{url}/api/canonical/0/projects/1/"
        with pytest.raises(ImportRefused, match="403"):
            read(address, resume)
        bugsink.failing = ""
        assert read(address, resume) == wanted[5:]
        assert read(address) == wanted


def test_a_file_of_another_import_is_not_gone_on_with(tmp_path: Path) -> None:
    resume = tmp_path / "resume.json"
    resume.write_text('{"address":"https://a.example/api/0/projects/x/y/"}')
    with pytest.raises(ImportRefused, match=r"belongs to an import from https://a\.example"):
        Progress("https://b.example/", resume, lambda _: None)
    resume.write_text("not JSON")
    with pytest.raises(ImportRefused, match="does not say how far"):
        Progress("https://b.example/", resume, lambda _: None)


def test_an_address_of_no_known_api_is_refused_with_the_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "https://sentry.example/organizations/acme/", "--dsn", "http://a@127.0.0.1:1/1"]) == 1
    assert "https://HOST/api/0/projects/ORG/PROJECT/" in capsys.readouterr().err
    assert main(["import", "https://sentry.example/api/0/projects/a/b/"]) == 1
    assert "--dsn" in capsys.readouterr().err


def test_a_running_console_takes_in_what_a_tracker_has_and_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentry = Sentry()
    with RunningConsole(tmp_path / "data") as console, sentry.tracker.running() as url:
        command = ["import", f"{url}{sentry.path}", "--dsn", console.dsn, "--token", token]
        assert main([*command, "--resume", str(tmp_path / "r.json")]) == 0
        assert main([*command, "--resume", str(tmp_path / "r.json")]) == 0
        assert main(command) == 0
        said = capsys.readouterr().out
        assert said.startswith("5 events were taken")
        assert "all 5 events were taken; remove it to begin anew" in said
        console.digested()
        (fault,) = console.json("/api/v1/faults")["faults"]
        assert (fault["events"], fault["title"], fault["first_release"]) == (5, "KeyError", "2.4")
        assert fault["first_seen"] < time.time() - 86_400
