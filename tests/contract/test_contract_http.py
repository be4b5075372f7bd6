"""The 500 contract, over real sockets: what it does on the wire, to other origins, to streams, and to the log."""

from __future__ import annotations

import gzip
import json
import re
import time

import pytest
from tests.contract.apps import failures
from tests.contract.conftest import Pair, complete
from tests.contract.wire import Reply, request

point = pytest.mark.point


# ---- E. HTTP -------------------------------------------------------------------------------------


ways_to_fail = (
    "/boom", "/db", "/mw", "/mwafter", "/handler", "/badtype", "/badjson", "/badheader", "/nul", "/huge", "/sets",
    "/stream0", "/cancel", "/genexit", "/sysexit", "/memory", "/own",
)  # fmt: skip


@point(33)
@pytest.mark.parametrize("accept", ["application/problem+json", "text/html"])
@pytest.mark.parametrize("path", ["/boom", "/db", "/sysexit"])
def test_head_has_the_status_and_headers_of_get_and_no_body(pair: Pair, path: str, accept: str) -> None:
    origin = {"Origin": failures.allowed_origin, "Accept": accept}
    connection = pair.connect()
    connection.send(request("HEAD", path, {**origin, "Connection": "close"}))
    reply = connection.reply("HEAD")
    assert connection.rest() == b""
    _, headers, _ = pair.get(path, {**origin, "Connection": "close"}).shape
    hidden = ("retry-after", "transfer-encoding")  # the first is drawn; the second belongs to a body
    assert [h for h in reply.shape[1] if h[0] not in hidden] == [h for h in headers if h[0] not in hidden]
    assert reply.status == (503 if path == "/db" else 500)


@point(33)
def test_a_connection_goes_on_after_a_head(pair: Pair) -> None:
    connection = pair.connect()
    connection.send(request("HEAD", "/boom"))
    head = connection.reply("HEAD")
    if head.header("connection").lower() != "close" and not pair.name.endswith("wsgiref"):
        connection.send(request("GET", "/ok"))
        assert complete(connection.reply(), 200)


@point(34)
@pytest.mark.parametrize("path", ways_to_fail)
def test_the_framing_is_exact(pair: Pair, path: str) -> None:
    connection = pair.connect()
    connection.send(request("GET", path, {"Connection": "close"}))
    reply = connection.reply()
    lengths, chunked = reply.all("content-length"), reply.all("transfer-encoding")
    # without either the body ends with the connection: legal only where the server speaks HTTP/1.0
    whole = path == "/own" and pair.name.endswith("wsgiref") and not lengths and reply.closed
    assert len(lengths) + len(chunked) == 1 or whole
    assert reply.whole
    assert connection.rest() == b""


@point(35)
@pytest.mark.parametrize("connection_header", ["close", "keep-alive"])
@pytest.mark.parametrize("path", ["/boom", "/db", "/stream0", "/own"])
def test_http_1_0_is_answered_without_chunks_and_closed(pair: Pair, path: str, connection_header: str) -> None:
    connection = pair.connect()
    connection.send(request("GET", path, {"Connection": connection_header}, version="1.0"))
    reply = connection.reply()
    assert complete(reply, 503 if path in ("/db", "/own") else 500)
    assert not reply.all("transfer-encoding")
    connection.rest()
    assert connection.closed or (connection_header, reply.header("connection").lower()) == ("keep-alive", "keep-alive")


@point(36)
@pytest.mark.parametrize("path", ways_to_fail)
def test_the_connection_stays_usable_or_says_it_closes(pair: Pair, path: str) -> None:
    connection = pair.connect()
    for asked, status in ((path, 0), ("/ok", 200), (path, 0)):
        connection.send(request("GET", asked))
        reply = connection.reply()
        assert reply.whole
        assert reply.status == status or (not status and reply.status >= 500)
        if reply.header("connection").lower() == "close":
            assert connection.rest() == b""
            assert connection.closed
            return
    connection.close()


@point(37)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path", ["/upload", "/mw", "/sysexit"])
def test_an_unread_body_neither_resets_nor_confuses(pair: Pair, path: str, framing: str) -> None:
    connection = pair.connect()
    body = b"GET /ok HTTP/1.1\r\nHost: smuggled\r\n\r\n" * 20_000
    if framing == "length":
        connection.send(request("POST", path, body=body))
    else:
        head = request("POST", path, {"Transfer-Encoding": "chunked"})
        connection.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    reply = connection.reply()
    assert complete(reply, 405 if reply.status == 405 else 500)
    if reply.header("connection").lower() != "close" and not pair.name.endswith("wsgiref"):
        connection.send(request("GET", "/boom"))
        assert connection.reply().status == 500


@point(37)
def test_an_answer_arrives_whole_although_megabytes_of_the_request_are_unread(pair: Pair) -> None:
    connection = pair.connect()
    connection.send(request("POST", "/upload", {"Content-Length": str(3 * 1024 * 1024)}))
    for _ in range(3):
        connection.send(b"x" * 1024 * 1024)
    assert complete(connection.reply())


@point(38)
@pytest.mark.parametrize("path", ways_to_fail)
def test_it_is_not_stored_by_caches(pair: Pair, path: str) -> None:
    reply = pair.get(path)
    assert reply.all("cache-control") == ["no-store"]
    assert not [name for name in ("etag", "last-modified", "expires") if reply.all(name)]


@point(39)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_what_the_handler_had_set_is_gone(pair: Pair, accept: str) -> None:
    reply = pair.get("/sets", {"Accept": accept})
    assert complete(reply)
    assert reply.all("cache-control") == ["no-store"]
    assert not [name for name in ("etag", "set-cookie", "content-encoding") if reply.all(name)]
    assert pair.alike(reply, pair.get("/boom", {"Accept": accept}))


@point(40)
@pytest.mark.parametrize("path", ["/boom", "/db", "/stream0"])
@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": "*", "If-Modified-Since": "Wed, 01 Jan 2031 00:00:00 GMT", "Range": "bytes=0-1"},
        {"If-Match": '"another"', "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Range": "bytes=900000-", "If-Range": '"x"'},
    ],
)
def test_preconditions_and_ranges_are_ignored(pair: Pair, path: str, headers: dict[str, str]) -> None:
    reply = pair.get(path, {**headers, "Accept-Encoding": "gzip"})
    assert complete(reply, 503 if path == "/db" else 500)
    if reply.header("content-encoding") == "gzip":
        reply.body = gzip.decompress(reply.body)
    assert reply.reference in reply.body.decode()
    assert not reply.all("content-range")


# ---- F. CORS -------------------------------------------------------------------------------------


def grants(reply: Reply) -> list[tuple[str, str]]:
    named = ((k.lower(), v) for k, v in reply.headers)
    return sorted(h for h in named if h[0].startswith("access-control-") and h[0] != "access-control-expose-headers")


@point(41)
@pytest.mark.parametrize("origin", [failures.allowed_origin, "https://evil.example", "null"])
@pytest.mark.parametrize("path", ways_to_fail)
def test_the_500_grants_what_the_200_grants(pair: Pair, path: str, origin: str) -> None:
    _needs_grants(pair, path)
    good, bad = pair.get("/ok", {"Origin": origin}), pair.get(path, {"Origin": origin})
    assert grants(good) == grants(bad)
    assert bool(bad.all("access-control-allow-origin")) == (origin == failures.allowed_origin)
    assert ("origin" in good.vary) == ("origin" in bad.vary)


def _needs_grants(pair: Pair, path: str) -> None:
    begun = ["/badtype", "/badjson", "/badheader", "/nul", "/sets", "/stream0"]
    begun += ["/mwafter"] * pair.name.startswith("wsgi")
    if pair.name.startswith(("wsgi", "asgi")) and path not in begun:
        pytest.skip("n/a: a bare application that fails before it starts a response has granted nothing")


@point(41)
def test_a_preflight_of_a_failing_route_is_answered_as_any(pair: Pair) -> None:
    asked = {"Origin": failures.allowed_origin, "Access-Control-Request-Method": "GET"}
    good, bad = pair.ask("OPTIONS", "/ok", asked), pair.ask("OPTIONS", "/boom", asked)
    assert (good.status, grants(good)) == (bad.status, grants(bad)) or pair.name.startswith(no_preflights)


no_preflights = ("wsgi", "asgi", "bottle", "pyramid", "quart", "aiohttp", "sanic", "tornado", "flask", "drf", "django")


@point(42)
@pytest.mark.parametrize("path", ["/db", "/boom", "/mw", "/sysexit", "/stream0", "/own"])
def test_scripts_may_read_the_reference(pair: Pair, path: str) -> None:
    _needs_grants(pair, path)
    reply = pair.get(path, {"Origin": failures.allowed_origin})
    exposed = {name.strip() for name in reply.header("access-control-expose-headers").lower().split(",")}
    assert {"error-reference", *(["retry-after"] if reply.all("retry-after") else [])} <= exposed
    assert not pair.get(path, {"Origin": "https://evil.example"}).all("access-control-expose-headers")


# ---- G. streams and lifetimes --------------------------------------------------------------------


@point(43)
def test_a_stream_that_fails_before_its_first_byte_is_a_full_500(pair: Pair) -> None:
    reply = pair.get("/stream0")
    assert complete(reply)
    assert reply.reference


@point(44)
def test_a_stream_that_fails_later_is_told_and_nothing_is_appended(pair: Pair) -> None:
    before = pair.log().count('"reference"')
    connection = pair.connect()
    connection.send(request("GET", "/stream1"))
    reply = connection.reply()
    assert reply.status == 200
    assert not reply.whole
    assert reply.body.replace(b"id,name\n", b"") == b""
    assert connection.rest() == b""
    assert pair.log().count('"reference"') == before + 1


@point(44)
def test_an_event_stream_that_breaks_says_so_as_an_event_with_the_reference(pair: Pair) -> None:
    before = len(pair.log())
    connection = pair.connect()
    connection.send(request("GET", "/sse"))
    reply = connection.reply()
    (record,) = pair.failures_since(before)
    told = f'event: error\ndata: {{"status": 500, "reference": "{record["reference"]}"}}\n\n'
    assert reply.body == b"data: 1\n\n" + told.encode()
    assert not reply.whole or pair.name.endswith("wsgiref")
    connection.rest()
    assert connection.closed


@point(45)
def test_a_failing_background_task_leaves_the_response_whole_and_is_reported(pair: Pair) -> None:
    before = len(pair.log())
    connection = pair.connect()
    connection.send(request("GET", "/background"))
    reply = connection.reply()
    assert (reply.status, reply.body, reply.whole) == (200, b"ok", True)
    (record,) = pair.failures_since(before)
    assert "ValueError: background" in record.get("traceback", "")
    assert record.get("reference") or pair.name.startswith("falcon-asgi"), record  # there the event loop's log is told
    if reply.header("connection").lower() != "close" and not pair.name.endswith("wsgiref"):
        connection.send(request("GET", "/ok"))
        assert complete(connection.reply(), 200)


@point(46)
@pytest.mark.parametrize("when", ["while it is answered", "before it is answered", "while it still sends"])
def test_a_client_that_goes_away_is_no_fault(pair: Pair, when: str) -> None:
    before = len(pair.log())
    connection = pair.connect()
    if when == "while it is answered":
        connection.send(request("GET", "/slow"))
        connection.more()
    elif when == "before it is answered":
        connection.send(request("GET", "/waits"))
        time.sleep(0.1)
    else:
        connection.send(request("POST", "/reads", {"Content-Length": "1000"}))
        time.sleep(0.1)
    connection.close()
    assert complete(pair.get("/ok"), 200)
    assert pair.failures_since(before, 0.6) == []
    assert "Traceback" not in pair.log()[before:], pair.log()[before:]


# ---- H. logs -------------------------------------------------------------------------------------


@point(47)
def test_it_is_logged_at_error_with_its_traceback(pair: Pair) -> None:
    token = pair.token()
    pair.get(f"/boom?m={token}")
    record = json.loads(next(line for line in pair.records_with(token) if line.startswith("{")))
    assert record["level"] == "ERROR"
    assert "failures.py" in record["traceback"]


@point(48)
@pytest.mark.parametrize("path", [*ways_to_fail, "/stream1", "/sse", "/group", "/recursion", "/badstr", "/crlf"])
def test_it_is_logged_once_with_its_reference_and_nowhere_else(pair: Pair, path: str) -> None:
    before = len(pair.log())
    reply = pair.get(path, {"Accept": "text/html"})
    (record,) = pair.failures_since(before)
    assert record["reference"] == reply.reference or not reply.reference
    outside = [line for line in pair.log()[before:].split("\n") if not line.startswith("{")]
    assert not [line for line in outside if "Traceback" in line or re.search(r"\w(Error|Exception)\b", line)], outside


@point(49)
def test_the_reference_is_in_that_record(pair: Pair) -> None:
    token = pair.token()
    reference = pair.get(f"/boom?m={token}").reference
    assert any(reference in line and token in line for line in pair.records_with(token))


@point(50)
def test_no_line_can_be_forged(pair: Pair) -> None:
    before = len(pair.log())
    for forged in ("%0D%0A", "%0A", "%0D", "%E2%80%A8", "%C2%85", "%0B", "%0C", "%1B%5B2K%0D"):
        pair.get(f"/boom?m=a{forged}ERROR:forged:by-query")
        pair.get(f"/none{forged}ERROR:forged:by-path")
    pair.get("/crlf")
    pair.get("/boom", {"User-Agent": "a\tERROR:forged:by-header", "X-Request-ID": "\x1b[2KERROR:forged"})
    told = pair.log()[before:]
    assert not [line for line in told.splitlines() if line.lstrip().startswith(("ERROR:forged", "Set-Cookie"))]
    records = [line for line in told.split("\n") if line.startswith("{")]
    assert not [line for line in records if "\x1b" in line or "\r" in line or "\u2028" in line]
