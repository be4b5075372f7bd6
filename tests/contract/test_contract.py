"""The 500 contract, over real sockets: that it answers, what it says, and what it must not say."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.contract import told
from tests.contract.apps import failures
from tests.contract.conftest import Pair, complete
from tests.contract.contract_points import levels
from tests.contract.wire import Reply

point = pytest.mark.point
problem = {"Accept": "application/problem+json"}
page = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


# ---- A. it always answers ------------------------------------------------------------------------


@point(1)
def test_an_exception_in_the_handler_is_exactly_500_and_complete(pair: Pair) -> None:
    assert complete(pair.get("/boom"))


def test_a_4xx_of_the_frameworks_own_is_left_alone(pair: Pair) -> None:
    if pair.name.startswith(("wsgi", "asgi")):
        pytest.skip("n/a: a bare application has none")
    reply = pair.get("/nothing-is-here")
    assert (reply.status, reply.whole, reply.reference) == (404, True, "")


@point(2)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_method_is_answered_alike(pair: Pair, method: str) -> None:
    reply = pair.ask(method, "/boom", {"Content-Type": "application/json"}, body=b'{"a": "planted"}')
    assert complete(reply)
    assert reply.shape == pair.get("/boom").shape


@point(2)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND", "X-OWN"])
def test_a_method_that_nobody_expects_is_no_failure_of_another_kind(pair: Pair, method: str) -> None:
    reply = pair.ask(method, "/key")
    assert reply.whole
    assert reply.status in (200, 204, 400, 404, 405, 500, 501), reply.raw
    if reply.status >= 500:
        assert reply.reference or reply.status == 501


@point(3)
def test_a_failing_hook_before_the_handler_is_answered(pair: Pair) -> None:
    assert complete(pair.get("/mw"))
    assert pair.get("/mw").shape == pair.get("/boom").shape
    if pair.name.startswith("fastapi"):
        assert complete(pair.get("/dep"))


@point(4)
def test_a_failure_on_the_way_out_is_answered(pair: Pair) -> None:
    assert complete(pair.get("/mwafter"))
    assert pair.alike(pair.get("/mwafter"), pair.get("/boom"))


@point(5)
def test_a_failing_error_handler_is_answered(pair: Pair) -> None:
    assert complete(pair.get("/handler"))
    assert pair.get("/handler").shape == pair.get("/boom").shape


@point(6)
@pytest.mark.parametrize("path", ["/none", "/badtype", "/badjson"])
def test_a_malformed_result_is_complete(pair: Pair, path: str) -> None:
    reply = pair.get(path)
    assert reply.whole
    assert reply.status == 500 or (path == "/none" and 200 <= reply.status < 300)
    assert reply.status != 500 or reply.reference


@point(7)
@pytest.mark.parametrize("path", ["/badheader", "/nul"])
def test_a_header_with_line_ends_or_nul_injects_nothing(pair: Pair, path: str) -> None:
    reply = pair.get(path)
    assert complete(reply)
    assert not reply.all("set-cookie")
    assert not reply.all("x-name")


@point(8)
@pytest.mark.parametrize("path", ["/badstr", "/unicode", "/huge", "/crlf"])
def test_a_hostile_exception_is_answered_briefly(pair: Pair, path: str) -> None:
    reply = pair.get(path)
    assert complete(reply)
    assert len(reply.body) <= 32 * 1024


@point(9)
@pytest.mark.parametrize("path", ["/recursion", "/memory", "/group"])
def test_exceptions_of_the_interpreter_are_answered(pair: Pair, path: str) -> None:
    assert complete(pair.get(path), 503 if path == "/memory" else 500)
    assert complete(pair.get("/ok"), 200)


@point(10)
@pytest.mark.parametrize("path", ["/cancel", "/genexit"])
def test_cancellation_that_nobody_asked_for_is_answered(pair: Pair, path: str) -> None:
    assert complete(pair.get(path))
    time.sleep(0.2)
    assert complete(pair.get("/ok"), 200)
    assert pair.process.poll() is None


@point(11)
def test_sys_exit_fails_its_request_alone(pair: Pair) -> None:
    assert complete(pair.get("/sysexit"))
    assert complete(pair.get("/ok"), 200)
    assert pair.process.poll() is None


@point(12)
@pytest.mark.parametrize("path", ["/db", "/pool", "/breaker"])
def test_a_dependency_that_is_known_to_be_down_is_503_with_retry_after(pair: Pair, path: str) -> None:
    replies = [pair.get(path) for _ in range(8)]
    assert all(complete(reply, 503) for reply in replies)
    waits = [int(reply.header("retry-after")) for reply in replies]
    assert all(0 < wait <= 600 for wait in waits)
    assert path != "/db" or len(set(waits)) > 1, waits  # clients must not come back together


@pytest.mark.parametrize("path", ["/disk", "/quota"])
def test_a_disk_that_is_full_is_507(pair: Pair, path: str) -> None:
    assert complete(pair.get(path), 507)


@point(13)
@pytest.mark.parametrize(("path", "statuses"), [("/timeout", (503, 504)), ("/upstream", (502, 503))])
def test_an_upstream_that_fails_is_told_as_such(pair: Pair, path: str, statuses: tuple[int, ...]) -> None:
    if pair.name in ("django+uvicorn", "django+hypercorn") and path == "/timeout":
        pytest.skip("cannot: asyncio makes a new TimeoutError of one that leaves a thread; where it arose is lost")
    reply = pair.get(path)
    assert complete(reply, reply.status)
    assert reply.status in statuses


# ---- B. what it says -----------------------------------------------------------------------------


@point(14)
@pytest.mark.parametrize(
    ("path", "title"),
    [("/boom", "Internal Server Error"), ("/db", "Service Unavailable"), ("/upstream", "Bad Gateway")],
)
def test_problem_json_is_valid(pair: Pair, path: str, title: str) -> None:
    reply = pair.get(path, problem)
    body = reply.json()
    assert reply.type == "application/problem+json"
    assert (body["type"], body["title"], body["status"]) == ("about:blank", title, reply.status)
    assert isinstance(body["detail"], str)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["instance"])
    assert body["instance"].removeprefix("urn:uuid:").replace("-", "") == reply.reference
    assert body["retryable"] == (path != "/boom")


@point(15)
def test_json_has_the_member_error_beside_the_problem(pair: Pair) -> None:
    reply = pair.get("/boom", {"Accept": "application/json"})
    assert reply.type == "application/json"
    assert reply.json()["error"] == "Internal Server Error"


@point(16)
def test_a_browser_gets_html(pair: Pair) -> None:
    assert pair.get("/boom", page).header("content-type").lower() == "text/html; charset=utf-8"


@point(17)
def test_text_is_given_for_text_plain(pair: Pair) -> None:
    reply = pair.get("/boom", {"Accept": "text/plain"})
    assert reply.header("content-type").lower() == "text/plain; charset=utf-8"
    assert b"Internal Server Error" in reply.body


@point(18)
@pytest.mark.parametrize("accept", [None, "", "*/*", "image/png", ";;;,,==", ";;;,,==\t\x7f", "a/b;q=0.1," * 300])
def test_any_other_accept_still_gets_the_500(pair: Pair, accept: str | None) -> None:
    reply = pair.get("/boom", {"Accept": accept} if accept is not None else {})
    if reply.status == 400 and accept and "\x7f" in accept:
        pytest.skip("the server refuses such a header before the application is asked")
    assert complete(reply)
    assert reply.body
    assert reply.reference.encode() in reply.body


@point(19)
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html;q=0.2, application/json;q=0.9", "application/json"),
        ("application/json;q=0.2, text/html;q=0.9", "text/html"),
        ("application/problem+json;q=0, application/json;q=0, text/plain", "text/plain"),
        ("*/*;q=0.5, application/problem+json;q=0, application/json;q=0, text/html;q=0", "text/plain"),
    ],
)
def test_q_values_decide(pair: Pair, accept: str, kind: str) -> None:
    assert pair.get("/boom", {"Accept": accept}).type == kind


@point(20)
@pytest.mark.parametrize("path", ["/boom", "/db", "/mw", "/stream0", "/sysexit"])
def test_vary_names_accept_once_beside_what_else_it_names(pair: Pair, path: str) -> None:
    good, bad = (pair.get(p, {"Origin": failures.allowed_origin}).vary for p in ("/ok", path))
    granted = {"origin"} & set(good) if path == "/stream0" or not pair.name.startswith(("wsgi", "asgi")) else set()
    assert sorted(bad) == sorted({"accept", "accept-language", *granted})


@point(21)
@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/plain"])
def test_it_says_whether_to_try_again(pair: Pair, accept: str) -> None:
    assert "not temporary" in pair.get("/boom", {"Accept": accept}).body.decode()
    assert "This is temporary" in pair.get("/db", {"Accept": accept}).body.decode()


@point(22)
@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ja", "zh"])
def test_the_language_is_the_clients(pair: Pair, language: str) -> None:
    reply = pair.get("/boom", {**problem, "Accept-Language": f"xx, {language}-XY;q=0.9, en;q=0.1"})
    assert reply.header("content-language") == language
    assert (reply.json()["title"] == "Internal Server Error") == (language == "en")
    assert "accept-language" in reply.vary
    for kind in ("text/html", "text/plain"):
        body = pair.get("/boom", {"Accept": kind, "Accept-Language": language}).body.decode()
        assert reply.json()["title"] in body


class _Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title, self._in_title = "", False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_title = tag == "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
            self._in_title = False

    def count(self, tag: str) -> int:
        return sum(t == tag for t, _ in self.tags)


@point(23)
def test_the_page_is_accessible_and_needs_nothing_else(pair: Pair) -> None:
    source = pair.get("/boom", page).body.decode()
    parsed = _Page(source)
    assert source.lower().startswith("<!doctype html>")
    assert dict(parsed.tags)["html"]["lang"] == "en"
    assert parsed.title.strip()
    assert any(a.get("name") == "viewport" for t, a in parsed.tags if t == "meta")
    assert (parsed.count("h1"), parsed.count("main")) == (1, 1)
    assert not {"script", "link", "img", "iframe"} & {t for t, _ in parsed.tags}
    assert "http" not in source


@point(24)
def test_the_browser_is_told_not_to_guess_and_not_to_load(pair: Pair) -> None:
    reply = pair.get("/boom", page)
    assert "default-src 'none'" in reply.header("content-security-policy")
    for kind in ("text/html", "application/json", "text/plain"):
        assert pair.get("/boom", {"Accept": kind}).header("x-content-type-options") == "nosniff"


# ---- C. the reference ----------------------------------------------------------------------------


@point(25)
@pytest.mark.parametrize("accept", ["application/problem+json", "application/json", "text/html", "text/plain"])
def test_the_reference_is_new_and_the_same_in_header_and_body(pair: Pair, accept: str) -> None:
    first, second = pair.get("/boom", {"Accept": accept}), pair.get("/boom", {"Accept": accept})
    assert re.fullmatch("[0-9a-f]{32}", first.reference)
    assert first.reference != second.reference
    assert first.reference in first.body.decode()
    assert second.reference not in first.raw.decode()


@point(26)
def test_fifty_failures_at_once_have_fifty_references(pair: Pair) -> None:
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda _: pair.get("/boom"), range(50)))
    assert all(complete(reply) for reply in replies)
    assert len({reply.reference for reply in replies}) == 50


@point(27)
def test_a_trace_id_comes_back_only_when_it_is_valid(pair: Pair) -> None:
    good, bad = "4bf92f3577b34da6a3ce929d0e0e4736", "4BF92F3577B34DA6A3CE929D0E0E4736"
    assert good in pair.get("/boom", {"traceparent": f"00-{good}-00f067aa0ba902b7-01"}).raw.decode()
    for value in (
        f"00-{bad}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{good}-{'0' * 16}-01",
        f"00-{good}-x",
        f"ff-{good}-00f067aa0ba902b7-01",
        f"00-{good}-00f067aa0ba902b7-01-more",
        f"00-{good}-00f067aa0ba902b7-01<script>",
        f"cc-{good}-00f067aa0ba902b7-01-{'x' * 600}",
    ):
        reply = pair.get("/boom", {"traceparent": value}).raw.decode().lower()
        assert good not in reply
        assert "script" not in reply


# ---- D. what it must not say: told.check looks through every reply of a run, these ask for more --------------

in_request = {
    "Referer": "https://planted-referer.example/",
    "User-Agent": "planted-agent",
    "X-Request-ID": "planted-request-id",
    "Cookie": "session=planted-cookie",
    "Authorization": "Bearer planted-token",
    "Accept-Language": "planted",
    "Content-Type": "application/planted",
    "X-Forwarded-Host": "planted-host.example",
    "X-Forwarded-For": "planted-for",
    "Forwarded": "host=planted-forwarded",
    "traceparent": "planted-trace",
    "tracestate": "planted=state",
    "baggage": "planted=baggage",
    "Fivehundred-Deadline": "planted",
}
own_of_the_request = ("application/json", "text/html", "text/plain", "planted/planted")


@point(31)
@pytest.mark.parametrize("accept", own_of_the_request)
@pytest.mark.parametrize("path", ["/boom", "/db", "/stream0", "/mw", "/sysexit"])
def test_nothing_of_the_request_comes_back(pair: Pair, path: str, accept: str) -> None:
    method, body = ("POST", b"planted body") if path in ("/boom", "/db") else ("GET", b"")
    reply = pair.ask(method, f"{path}?m=planted-query", {**in_request, "Accept": accept}, body)
    assert reply.status >= 500
    assert b"planted" not in reply.raw.lower()
    assert path.encode() not in reply.raw


@point(28)
def test_no_debugger_can_be_reached(pair: Pair) -> None:
    for path in ("/boom?__debugger__=yes&cmd=resource&f=debugger.js", "/console", "/_debug_toolbar/", "/__debug__/"):
        reply = pair.get(path, page)
        assert reply.status in (404, 500) or pair.name.startswith(("wsgi", "asgi"))
        assert b"EVALEX" not in reply.raw
    told.check(pair.get("/boom", {**page, "X-Debug": "1", "Cookie": "debug=1"}))


@point(29)
@pytest.mark.parametrize("path", ["/boom", "/key", "/db", "/crlf", "/group", "/stream0", "/stream1", "/sse", "/own"])
@pytest.mark.parametrize("accept", ["application/problem+json", "application/json", "text/html", "text/plain"])
def test_no_reply_holds_a_secret_or_a_message(pair: Pair, path: str, accept: str) -> None:
    told.check(pair.get(path, {"Accept": accept}))


@point(30)
@pytest.mark.parametrize("path", ["/boom", "/db", "/own", "/mw", "/stream0", "/none", "/badheader"])
def test_no_reply_tells_a_version(pair: Pair, path: str) -> None:
    reply = pair.get(path)
    named = " ".join(reply.header(name) for name in ("server", "x-powered-by", "via"))
    assert reply.status < 500 or not re.search(r"\d+\.\d+", named), named


@point(32)
def test_different_bugs_are_answered_alike(pair: Pair) -> None:
    paths = ["/boom", "/key", "/recursion", "/unicode", "/group", "/sysexit", "/badjson", "/badtype", "/oserror"]
    paths += ["/cancel", "/genexit", "/badstr", "/huge", "/crlf", "/badheader", "/nul", "/sets", "/stream0"]
    first, *others = [pair.get(path, problem) for path in paths]
    assert all(pair.alike(first, other) for other in others)


@point(32)
def test_a_class_of_failures_is_answered_alike_whatever_is_behind_it(pair: Pair) -> None:
    shapes: dict[str, Reply] = {path: pair.get(path, problem) for path in ("/db", "/pool")}
    without_wait = {repr([h for h in r.shape[1] if h[0] != "retry-after"]) + r.shape[2] for r in shapes.values()}
    assert len(without_wait) == 1, without_wait


def test_every_point_has_a_test() -> None:
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_contract*.py"))
    assert {int(n) for n in re.findall(r"^@point\((\d+)\)", sources, re.M)} == set(levels)
