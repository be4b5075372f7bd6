"""What each adapter does in each bad situation, over real sockets: the same in all of them."""

from __future__ import annotations

import email.utils
import gzip
import io
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.client.conftest import Caller, Server, cut, drip, ends_in_time, hang, problem, reply, reset

from fivehundred import limits
from fivehundred.client import (
    CallFailed,
    DeadlineExceeded,
    NoAnswer,
    NotSent,
    Policy,
    RateLimited,
    ServerError,
    Unavailable,
    deadline,
)
from fivehundred.client.origin import origin

reference = "ab" * 16
quick = Policy(attempt_s=0.1, call_s=5)


# ---- the error ------------------------------------------------------------------------------------


def test_a_500_is_a_server_error_with_the_reference(caller: Caller, server: Server) -> None:
    server.plays(problem(500, "false"))
    with pytest.raises(ServerError) as raised:
        caller.call("GET", f"{server.url}/x?token=secret")
    error = raised.value
    assert (error.status, error.reference, error.retryable, len(error.attempts)) == (500, reference, False, 1)
    assert reference in str(error)
    assert "Retrying does not help" in str(error)
    assert "secret" not in str(error)


def test_the_error_is_also_the_librarys_own(library: Caller, server: Server) -> None:
    server.plays(problem(503, "false"))
    own = library.library.HTTPError if library.name == "requests" else library.library.HTTPStatusError
    with pytest.raises(own) as raised:
        library.call("GET", server.url)
    assert isinstance(raised.value, Unavailable)
    assert raised.value.response.status_code == 503
    assert raised.value.response.request.method == "GET"
    assert reference in raised.value.response.text


def test_the_reference_survives_a_body_that_is_cut(caller: Caller, server: Server) -> None:
    server.plays(cut(500, b'{"type": "about:bl', 500, Error_Reference=reference, Content_Type="application/json"))
    with pytest.raises(ServerError) as raised:
        caller.call("POST", server.url, body=b"x")
    assert raised.value.reference == reference
    assert not raised.value.problem.whole


def test_an_id_before_the_cut_goes_before_one_of_a_header(caller: Caller, server: Server) -> None:
    server.plays(cut(500, b'{"reference": "' + reference.encode() + b'", "det', 500, Error_Reference="cd" * 16))
    with pytest.raises(ServerError) as raised:
        caller.call("POST", server.url, body=b"x")
    assert raised.value.reference == reference


def test_an_answer_below_500_is_an_answer(caller: Caller, server: Server) -> None:
    server.plays(reply(404, b"no"))
    assert caller.call("GET", server.url) == (404, b"no")
    assert len(server.seen) == 1


# ---- what is tried again --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_get_is_tried_again(caller: Caller, server: Server, status: int) -> None:
    server.plays(problem(status), reply())
    assert caller.call("GET", server.url) == (200, b"ok")
    assert len(server.seen) == 2


def test_at_most_four_attempts_are_made(caller: Caller, server: Server) -> None:
    server.earn()
    server.plays(problem(500))
    with pytest.raises(ServerError) as raised:
        caller.call("GET", server.url)
    assert len(server.seen) == 4
    assert [attempt.number for attempt in raised.value.attempts] == [1, 2, 3, 4]


@pytest.mark.parametrize("status", [501, 505, 507, 511])
def test_a_5xx_that_does_not_pass_is_not_tried_again(caller: Caller, server: Server, status: int) -> None:
    server.plays(problem(status))
    with pytest.raises(ServerError):
        caller.call("GET", server.url)
    assert len(server.seen) == 1


def test_the_servers_no_ends_it_at_once(caller: Caller, server: Server) -> None:
    server.earn()
    server.plays(problem(503, "false"))
    with pytest.raises(Unavailable):
        caller.call("GET", server.url)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "step", [problem(500), problem(503, "true"), reset, hang(0.4)], ids=["500", "503", "reset", "hang"]
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_post_without_a_key_is_never_sent_twice(caller: Caller, server: Server, step: object, method: str) -> None:
    server.earn()
    server.plays(step, reply())  # type: ignore[arg-type]
    with pytest.raises(CallFailed) as raised:
        caller.call(method, server.url, body=b"pay", policy=quick)
    time.sleep(0.02)
    assert len(server.seen) == 1
    assert "Idempotency-Key" in str(raised.value)


def test_a_post_with_a_key_is_sent_again_with_the_same_key_and_body(library: Caller, server: Server) -> None:
    server.plays(problem(500), reply())
    assert library.call("POST", server.url, body=b"pay", idempotent=True) == (200, b"ok")
    first, second = server.seen
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["idempotency-key"][::37] == '""'  # a string of RFC 9651 around a UUID
    assert (first.body, second.body) == (b"pay", b"pay")


def test_the_callers_own_key_is_kept(caller: Caller, server: Server) -> None:
    server.plays(problem(500), reply())
    caller.call("POST", server.url, body=b"pay", headers={"Idempotency-Key": '"order-42"'})
    assert [request.headers["idempotency-key"] for request in server.seen] == ['"order-42"'] * 2


def test_a_stored_answer_to_a_key_ends_it(library: Caller, server: Server) -> None:
    server.earn()
    server.plays(problem(500))  # the same reference again: the work was not done again
    with pytest.raises(ServerError) as raised:
        library.call("POST", server.url, body=b"pay", idempotent="order-42")
    assert len(server.seen) == 2
    assert "stored answer" in str(raised.value)


def test_a_refused_connection_is_tried_again_for_any_method(caller: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(NoAnswer) as raised:
        caller.call("POST", url, body=b"x")
    assert [attempt.failure for attempt in raised.value.attempts] == ["connect", "connect"]
    assert raised.value.retryable


@pytest.mark.parametrize("step", [reset, hang(0.4)], ids=["reset", "time-out"])
def test_a_get_without_an_answer_is_tried_again(caller: Caller, server: Server, step: object) -> None:
    server.plays(step, reply())  # type: ignore[arg-type]
    assert caller.call("GET", server.url, policy=quick) == (200, b"ok")


def test_no_answer_is_also_the_librarys_own_error(library: Caller, server: Server) -> None:
    server.plays(hang(1))
    module = library.library
    with pytest.raises(module.Timeout if library.name == "requests" else module.TimeoutException) as raised:
        library.call("POST", server.url, body=b"x", policy=quick)
    assert isinstance(raised.value, NoAnswer)


def test_a_body_that_is_cut_is_asked_for_again(caller: Caller, server: Server) -> None:
    server.plays(cut(200, b"half", 8), reply(200, b"wholebod"))
    assert caller.call("GET", server.url) == (200, b"wholebod")


def test_a_body_that_stays_cut_is_no_answer(caller: Caller, server: Server) -> None:
    server.plays(cut(200, b"half", 8))
    with pytest.raises(NoAnswer) as raised:
        caller.call("GET", server.url)
    assert {attempt.failure for attempt in raised.value.attempts} == {"cut"}
    assert raised.value.attempts[0].status == 200


# ---- bodies that are sent -------------------------------------------------------------------------


def test_a_file_is_sent_whole_at_each_attempt(library: Caller, server: Server) -> None:
    server.plays(problem(500), reply())
    file = io.BytesIO(b"skip" + b"content" * 1000)
    file.seek(4)
    library.call("PUT", server.url, body=file)
    assert [request.body for request in server.seen] == [b"content" * 1000] * 2


def test_a_generator_is_sent_once_and_the_error_says_why(library: Caller, server: Server) -> None:
    def blocking() -> Iterator[bytes]:
        yield from (b"one", b"two")

    async def asynchronous() -> AsyncIterator[bytes]:
        for part in (b"one", b"two"):
            yield part

    server.earn()
    server.plays(problem(500), reply())
    with pytest.raises(ServerError) as raised:
        library.call("PUT", server.url, body=asynchronous() if "async" in library.name else blocking())
    assert [request.body for request in server.seen] == [b"onetwo"]
    assert "read only once" in str(raised.value)


def test_a_form_with_a_file_is_sent_whole_at_each_attempt(library: Caller, server: Server) -> None:
    server.plays(problem(500), reply())
    library.call("PUT", server.url, files={"file": ("a.txt", io.BytesIO(b"content" * 100))})
    first, second = server.seen
    assert first.body == second.body
    assert first.body.count(b"content") == 100


# ---- time -----------------------------------------------------------------------------------------


def test_retry_after_is_obeyed(caller: Caller, server: Server) -> None:
    server.plays(problem(503, "true", Retry_After="0.15"), reply())
    began = time.monotonic()
    assert caller.call("GET", server.url) == (200, b"ok")
    assert 0.15 <= time.monotonic() - began < 2


def test_a_retry_after_of_an_hour_fails_now_and_says_so(caller: Caller, server: Server) -> None:
    server.plays(problem(503, "true", Retry_After="3600"))
    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        caller.call("GET", server.url)
    assert time.monotonic() - began < 2
    assert raised.value.retry_after == 3600
    assert "Retry after 60 min" in str(raised.value)


def test_a_retry_after_that_is_a_date_is_obeyed(caller: Caller, server: Server) -> None:
    server.plays(problem(503, "true", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), reply())
    assert caller.call("GET", server.url) == (200, b"ok")
    server.plays(problem(503, "true", Retry_After=email.utils.formatdate(time.time() + 600, usegmt=True)))
    with pytest.raises(Unavailable) as raised:
        caller.call("GET", server.url)
    assert 590 < (raised.value.retry_after or 0) <= 600


@pytest.mark.parametrize("junk", ["soon", "-5", "1e9", "\u0663", "Thu, 99 Foo 2030 00:00:00 GMT", "9" * 200])
def test_junk_in_retry_after_is_ignored(caller: Caller, server: Server, junk: str) -> None:
    server.plays(problem(503, "true", Retry_After=junk.encode().decode("latin-1")), reply())
    assert caller.call("GET", server.url) == (200, b"ok")


def test_a_429_with_a_long_wait_is_rate_limited(caller: Caller, server: Server) -> None:
    server.plays(problem(429, Retry_After="90"))
    with pytest.raises(RateLimited) as raised:
        caller.call("GET", server.url)
    assert raised.value.retry_after == 90


head = b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n"
dripping = {
    "body": drip(200, head, b"x" * 100, 0.05),
    "head": drip(200, b"HTTP/1.1 200 X\r\nX-Slow: ", b"y" * 100, 0.05),
    "chunk size": drip(200, b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5", b";" + b"x" * 100, 0.05),
    "error": drip(500, head.replace(b"200", b"500"), b"x" * 100, 0.05),
}


@pytest.mark.parametrize("part", dripping)
def test_a_drip_does_not_hang_past_the_deadline(caller: Caller, server: Server, part: str) -> None:
    server.plays(dripping[part])
    ends_in_time(lambda: caller.call("GET", server.url, policy=Policy(call_s=0.2, attempt_s=0.2)), 0.2)


def test_a_silent_server_costs_the_deadline_and_no_more(caller: Caller, server: Server) -> None:
    server.plays(hang(3))
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as raised:
        caller.call("GET", server.url, policy=Policy(call_s=0.4, attempt_s=0.2))
    assert 0.38 < time.monotonic() - began < 1.2
    assert isinstance(raised.value, TimeoutError)
    assert len(server.seen) == 2


def test_a_deadline_around_calls_holds_for_all_of_them(caller: Caller, server: Server) -> None:
    server.plays(hang(3))
    began = time.monotonic()
    with deadline(0.2), pytest.raises(DeadlineExceeded):
        caller.call("GET", server.url)
    assert time.monotonic() - began < 1


def test_the_server_is_told_attempt_and_deadline(caller: Caller, server: Server) -> None:
    server.plays(problem(500), reply())
    caller.call("GET", server.url, policy=Policy(attempt_s=3))
    assert [request.headers["fivehundred-attempt"] for request in server.seen] == ["1", "2"]
    assert 2900 <= int(server.seen[0].headers["fivehundred-deadline"]) <= 3000


def test_hops_of_a_redirect_share_one_deadline(library: Caller, server: Server) -> None:
    def slow_hop(connection: socket.socket) -> bool:
        time.sleep(0.1)
        return reply(302, b"", Location="/again")(connection)

    server.plays(slow_hop)
    follow = {} if library.name == "requests" else {"follow_redirects": True}
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        library.call("GET", server.url, policy=Policy(call_s=0.2), **follow)
    assert time.monotonic() - began < 1


# ---- breaker and budget ---------------------------------------------------------------------------


def test_overload_opens_the_breaker_and_then_nothing_is_sent(caller: Caller, server: Server) -> None:
    server.plays(problem(503))
    for _ in range(10):
        with pytest.raises(CallFailed):
            caller.call("GET", server.url)
    sent = len(server.seen)
    with pytest.raises(NotSent) as raised:
        caller.call("GET", server.url)
    assert len(server.seen) == sent
    assert "was not sent" in str(raised.value)


def test_a_bug_does_not_open_the_breaker(caller: Caller, server: Server) -> None:
    server.plays(problem(500, "false"))
    for _ in range(15):
        with pytest.raises(ServerError):
            caller.call("GET", server.url)
    assert len(server.seen) == 15


def test_retries_are_earned(caller: Caller, server: Server) -> None:
    server.plays(problem(500))
    errors = []
    for _ in range(3):
        with pytest.raises(ServerError) as raised:
            caller.call("GET", server.url)
        errors.append(raised.value)
    assert len(server.seen) == 5  # three calls, and the two retries that a fresh process has
    assert "used up" in str(errors[-1])


def test_one_origins_overload_leaves_another_alone(caller: Caller, server: Server) -> None:
    other = Server([problem(503)])
    for _ in range(11):
        with pytest.raises(CallFailed):
            caller.call("GET", other.url)
    server.plays(problem(503), reply())
    assert caller.call("GET", server.url) == (200, b"ok")
    other.listener.close()


def test_after_its_pause_an_open_breaker_lets_one_call_through_and_closes(
    caller: Caller, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "breaker_open_s", 0.4)
    for _ in range(10):
        origin(server.url).failed(time.monotonic() - limits.breaker_open_s, 0, overload=True)
    server.plays(problem(503, "false"), reply())
    with pytest.raises(Unavailable):
        caller.call("GET", server.url)  # the probe: it fails, and the pause begins anew
    with pytest.raises(NotSent):
        caller.call("GET", server.url)
    time.sleep(limits.breaker_open_s + 0.02)
    assert caller.call("GET", server.url) == (200, b"ok")
    assert caller.call("GET", server.url) == (200, b"ok")
    assert len(server.seen) == 3


def test_a_quiet_client_tries_no_time_out_again(caller: Caller, server: Server) -> None:
    server.earn(4)
    server.plays(hang(0.6), reply())
    with pytest.raises(NoAnswer) as raised:
        caller.call("GET", server.url, policy=quick)
    assert [attempt.failure for attempt in raised.value.attempts] == ["timeout"]


# ---- what the server says -------------------------------------------------------------------------


def test_a_server_that_says_so_is_asked_again_whatever_its_status(caller: Caller, server: Server) -> None:
    server.plays(problem(507, "true"), reply())
    assert caller.call("GET", server.url) == (200, b"ok")


@pytest.mark.parametrize("name", ["Idempotent_Replayed", "Idempotency_Replayed"])
def test_an_answer_that_says_it_is_a_stored_one_ends_it(library: Caller, server: Server, name: str) -> None:
    server.earn()
    server.plays(problem(500), reply(500, b"{}", **{name: "true"}))
    with pytest.raises(ServerError, match="stored answer"):
        library.call("POST", server.url, body=b"pay", idempotent=True)
    assert len(server.seen) == 2


def test_a_wait_that_would_pass_the_deadline_is_not_begun(caller: Caller, server: Server) -> None:
    server.plays(problem(503, "true", Retry_After="3"))
    began = time.monotonic()
    with pytest.raises(Unavailable, match="would pass the deadline") as raised:
        caller.call("GET", server.url, policy=Policy(call_s=2, attempt_s=1))
    assert time.monotonic() - began < 1.5
    assert raised.value.retry_after == 3


def test_the_trace_id_is_taken_from_the_headers_of_a_page_that_says_nothing(caller: Caller, server: Server) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    server.plays(reply(500, b"<h1>Oops</h1>", Content_Type="text/html", traceparent=f"00-{trace}-00f067aa0ba902b7-01"))
    with pytest.raises(ServerError) as raised:
        caller.call("POST", server.url, body=b"x")
    assert (raised.value.trace_id, raised.value.problem.title) == (trace, "Oops")


def test_a_body_in_a_content_coding_is_read(library: Caller, server: Server) -> None:
    packed = gzip.compress(b'{"error": "no luck", "reference": "' + reference.encode() + b'"}')
    server.plays(reply(500, packed, Content_Encoding="gzip", Content_Type="application/json"))
    with pytest.raises(ServerError) as raised:
        library.call("POST", server.url, body=b"x")
    assert (raised.value.reference, raised.value.problem.title) == (reference, "no luck")
    assert raised.value.response.json()["error"] == "no luck"


def test_a_body_without_end_is_read_as_far_as_anybody_needs(caller: Caller, server: Server) -> None:
    def endless(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2000):
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        return False

    server.plays(endless)
    with pytest.raises(ServerError) as raised:
        caller.call("POST", server.url, body=b"x")
    body = raised.value.response.body if caller.name == "plain" else raised.value.response.content
    assert len(body) <= 2 * limits.error_body_bytes_max
