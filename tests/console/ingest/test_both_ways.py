"""Whatever bytes arrive: the short way answers as the long way does, keeps the same, and serves the next sender."""

from __future__ import annotations

import gzip
import itertools
import re
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.console.ingest.conftest import BothDoors, key, seconds

event_id = "c3" * 16
envelope = b'{"event_id":"%s"}\n{"type":"event"}\n{"message":"x"}\n' % event_id.encode()
auth = b"X-Sentry-Auth: Sentry sentry_key=%s, sentry_client=t/1\r\n" % key.encode()
close = b"Connection: close\r\n"


def post(path: bytes = b"/api/1/envelope/", headers: bytes = auth, body: bytes = envelope) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (path, headers, len(body), body)


def alike(answer: bytes) -> bytes:
    """Without what differs between any two answers: the date, and an id that was made up."""
    return re.sub(rb'date: [^\r]*\r\n|(?<="id":")[0-9a-f]{32}', b"", answer)


def both_alike(doors: BothDoors, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    kept = [len(d.kept()) for d in (doors.short, doors.long)]
    short, long = doors.ask(*pieces, pause_s=pause_s)
    assert alike(short) == alike(long)
    assert doors.short.kept()[kept[0] :] == doors.long.kept()[kept[1] :]
    return short


def healthy(doors: BothDoors) -> None:
    honest = uuid.uuid4().hex
    body = b'{"event_id":"%s"}\n' % honest.encode()
    assert doors.short.ask(post(headers=auth + close, body=body)).endswith(b'{"id":"%s"}' % honest.encode())


heads = [
    b"Content-Length: 2\r\nContent-Length: 2",
    b"Content-Length: 2\r\nContent-Length: 3",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity\r\nContent-Length: 2",
    b"Content-Length: +2",
    b"Content-Length: -2",
    b"Content-Length: 0x2",
    b"Content-Length: 2, 2",
    b"Content-Length: 99999999999999999999999",
    b"Content-Length: 3",
    b"Content-Length : 2",
    b" Content-Length: 2",
    b"Content-Length: 2\r\n folded",
    b"Content-Length: 2\nX: y",
    b"Content-Length: 2\rX: y",
    b"Content-Length: 2\r\nX\0: y",
    b"Content-Length: 2\r\nX: \0",
    b"Content-Length: 2\r\n: empty",
    b"Content-Length: 2\r\nno colon",
    b"Content-Length: 2\r\nConnection: close",
    b"Content-Length: 2\r\nConnection: Upgrade\r\nUpgrade: h2c",
    b"Content-Length: 2\r\nUpgrade: websocket",
    b"Content-Length: 2\r\nExpect: 100-continue",
    b"Content-Length: 2\r\nExpect: something",
    b"Content-Length: 2\r\nContent-Encoding: gzip",
    b"Content-Length: 2\r\nContent-Encoding: nonsense",
    b"Content-Length: 2\r\nX-Sentry-Auth: Sentry sentry_key=other",
    b"Content-Length: 2\r\nAuthorization: Basic !!!",
    b"Content-Length: 2\r\nOrigin: https://shop.example",
    b"Content-Length: 2\r\nX-Forwarded-For: 203.0.113.9",
]


@pytest.mark.parametrize("lines", heads)
@pytest.mark.parametrize("version", [b"1.1", b"1.0", b"0.9", b"2.0"])
def test_a_head_that_can_be_read_in_two_ways_is_read_in_one(doors: BothDoors, lines: bytes, version: bytes) -> None:
    both_alike(doors, b"POST /api/1/envelope/ HTTP/%s\r\nHost: x\r\n%s%s\r\n\r\n{}" % (version, auth, lines))
    healthy(doors)


@pytest.mark.parametrize(
    "path",
    [
        b"/api/1/envelope",
        b"/api/1/store/",
        b"/api/1%2fenvelope/",
        b"/api/%31/envelope/",
        b"/api/1/envelope/#x",
        b"/api/1/envelope/?a#b",
        b"http://x/api/1/envelope/",
        b"//api/1/envelope/",
        b"/api/1/envelope//",
        b"/api/01/envelope/",
        b"/api/2/envelope/",
        b"/api/1/envelope/;x",
        b"/api/1/cron/\xc3\xa9/",
        b"/api/1/cron/nightly/?status=ok",
        b"/api/1/minidump/",
        b"/api/1/security/?x=%00",
        b"/api/1/integration/otlp/v1/logs",
        b"/v1/traces",
        b"*",
        b"",
    ],
)
def test_every_address_means_the_same_on_both_ways(doors: BothDoors, path: bytes) -> None:
    for content_type in (b"", b"Content-Type: application/json\r\n", b"Content-Type: application/x-protobuf\r\n"):
        both_alike(doors, post(path, auth + content_type + close))


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"BREW"])
def test_every_method_is_answered_alike(doors: BothDoors, method: bytes) -> None:
    both_alike(doors, b"%s /api/1/envelope/ HTTP/1.1\r\nHost: x\r\n%s%s\r\n" % (method, auth, close))


@pytest.mark.parametrize("cut", range(0, 240, 7))
def test_where_the_network_cuts_a_request_makes_no_difference(doors: BothDoors, cut: int) -> None:
    whole = post() + post(headers=auth + b"X-Other: 1\r\n") + post(headers=auth + close, body=gzip.compress(envelope))
    assert both_alike(doors, whole[:cut], whole[cut:], pause_s=0.01).count(b"HTTP/1.1 ") == 3


def test_a_body_that_stops_is_told_so_on_both_ways(doors: BothDoors) -> None:
    assert both_alike(doors, post()[:-5]).startswith(b"HTTP/1.1 408 ")
    assert doors.short.ingest.refused["1", "timeout"] == doors.long.ingest.refused["1", "timeout"]


def test_a_body_in_time_after_one_that_took_most_of_it_has_its_own_time(doors: BothDoors) -> None:
    whole = post() + post(headers=auth + close)
    cut = len(post())
    answer = doors.short.ask(whole[: cut - 3], whole[cut - 3 : cut + 250], whole[cut + 250 :], pause_s=0.2)
    assert answer.count(b"HTTP/1.1 200 ") == 2


encodings = st.sampled_from([b"", b"gzip", b"deflate", b"br", b"zstd", b"identity", b"x", b"GZIP "])
bodies = st.one_of(
    st.sampled_from([b"", envelope, gzip.compress(envelope), b"{}", b"[]\n", b"\n\n", b"\x1f\x8b"]),
    st.binary(max_size=80),
)
paths = st.sampled_from([b"/api/1/envelope/", b"/api/1/store/", b"/api/1/security/", b"/api/3/envelope/", b"/healthz"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    body = draw(bodies)
    lines = draw(st.sampled_from([auth, b"", auth + auth, b"X-Sentry-Auth: Sentry sentry_key=wrong\r\n"]))
    encoding = draw(encodings)
    lines += b"Content-Encoding: %s\r\n" % encoding if encoding else b""
    if draw(st.booleans()):
        return post(draw(paths), lines, body)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return b"POST %s HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n%s" % (draw(paths), lines, chunked)


few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(sent=st.lists(requests(), min_size=1, max_size=4), cuts=st.lists(st.integers(0, 1_000), max_size=3))
def test_any_requests_in_a_row_in_any_pieces_are_answered_alike(
    doors: BothDoors, sent: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(sent) + post(headers=auth + close)
    at = [0, *sorted(c for c in cuts if c < len(whole)), len(whole)]
    both_alike(doors, *(whole[a:b] for a, b in itertools.pairwise(at)), pause_s=0.002)


@few
@given(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", post()[:90], post()[:-60], b"POST /api/1/envelope/ HTTP/1.1\r\n" + auth, b"GET / HTTP/1.1\r\n"]
    ),
)
def test_arbitrary_bytes_break_nothing_and_the_next_sender_is_served(
    doors: BothDoors, noise: bytes, before: bytes
) -> None:
    for answer in doors.ask(before + noise):
        assert answer == b"" or re.match(rb"HTTP/1\.1 (200|4\d\d) ", answer)
    healthy(doors)


@few
@given(st.binary(min_size=1, max_size=100))
def test_noise_behind_a_request_does_not_cost_its_answer(doors: BothDoors, noise: bytes) -> None:
    healthy(doors)  # so that the keys are fresh, and the short way is taken
    answer = doors.short.ask(post() + b"\0" + noise)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_connection_that_falls_silent_is_closed_and_one_that_speaks_is_not(doors: BothDoors) -> None:
    assert doors.short.ask(post()).count(b"HTTP/1.1 200 ") == 1  # until it was closed
    assert doors.short.ask(*[post()] * 6, pause_s=seconds / 2).count(b"HTTP/1.1 200 ") == 6


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", post()])
def test_empty_lines_keep_no_connection_open(doors: BothDoors, before: bytes) -> None:
    for answer in doors.ask(before, b"\r\n", pause_s=0.1):  # fails after 10 s of waiting for the end
        assert answer.count(b"HTTP/1.1 ") == (1 if before else 0)
