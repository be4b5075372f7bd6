"""Reading answers, waiting, breaker, budget, scope, switches, hooks, fork and decorator: each on its own."""

from __future__ import annotations

import asyncio
import json
import os
import threading

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from tests.client.conftest import Server, problem, reply

import fivehundred.client.requests as ours
from fivehundred import limits
from fivehundred.client import Notice, NotSent, Policy, ServerError, deadline, serving, set_active, set_testing
from fivehundred.client.breaker import Breaker
from fivehundred.client.budget import Budget
from fivehundred.client.call import retrying
from fivehundred.client.origin import origin
from fivehundred.client.policy import wait_s
from fivehundred.client.problem_reader import read
from fivehundred.client.retry_after import retry_after_s

reference = "ab" * 16
trace = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("kind", "content_type", "body"),
    [
        ("problem", "application/problem+json", {"title": "T", "status": 500, "reference": reference}),
        ("problem", "application/problem+json", {"title": "T", "instance": f"urn:uuid:{reference}"}),
        ("spring", "application/json", {"timestamp": "t", "error": "T", "path": "/x", "requestId": reference}),
        ("aspnet", "application/problem+json", {"title": "T", "traceId": f"00-{trace}-00f067aa0ba902b7-00"}),
        ("jsonapi", "application/vnd.api+json", {"errors": [{"id": reference, "title": "T", "status": "500"}]}),
        ("json", "application/json", {"error": "T", "error_id": reference}),
    ],
)
def test_the_usual_forms_of_an_error_are_read(kind: str, content_type: str, body: dict[str, object]) -> None:
    told = read({"content-type": content_type}, json.dumps(body).encode())
    assert (told.problem.kind, told.problem.title) == (kind, "T")
    assert told.reference == reference or told.trace_id == trace


def test_a_html_page_gives_title_and_reference() -> None:
    page = f"<html><title>Oops &amp; sorry</title><p>Reference: <b>{reference}</b></html>".encode()
    told = read({"content-type": "text/html"}, page)
    assert (told.problem.kind, told.problem.title, told.reference) == ("html", "Oops & sorry", reference)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50)), st.binary(max_size=300), st.booleans())
def test_no_answer_makes_the_reader_raise(headers: dict[str, str], body: bytes, whole: bool) -> None:
    told = read(headers, body, whole)
    assert len(told.reference) <= limits.reference_chars_max
    assert told.problem.title.isprintable()


@given(st.text())
def test_retry_after_is_seconds_or_nothing(value: str) -> None:
    found = retry_after_s(value, 0.0)
    assert found is None or found >= 0


def test_retry_after_reads_a_date() -> None:
    assert retry_after_s("Thu, 01 Jan 1970 00:01:40 GMT", 40.0) == 60
    assert retry_after_s("Thu, 01 Jan 1970 00:01:40 GMT", 400.0) == 0


@given(st.integers(1, 60), st.floats(0, 0.999))
def test_a_wait_is_never_nothing_and_never_past_its_ceiling(number: int, chance: float) -> None:
    assert limits.backoff_min_s <= wait_s(number, None, lambda: chance) <= limits.backoff_max_s


def test_a_wait_that_was_asked_for_is_a_least() -> None:
    assert 10 <= wait_s(1, 10.0, lambda: 0.5) <= 12.5


def test_the_breaker_opens_pauses_probes_and_closes() -> None:
    breaker = Breaker()
    opened = [breaker.failed(1.0, 0, 0, overload=True) for _ in range(10)]
    assert opened == [False] * 9 + [True]
    ends = 1.0 + limits.breaker_open_s
    assert breaker.admit(ends - 0.1) is None
    probe = breaker.admit(ends + 0.1)
    assert probe
    assert breaker.admit(ends + 0.1) is None  # one probe at a time
    breaker.succeeded(ends + 0.2, 0)  # a straggler from before says nothing
    assert breaker.open_until is not None
    breaker.succeeded(ends + 0.3, probe)
    assert breaker.admit(ends + 0.4) == 0


def test_a_probe_that_never_reports_does_not_keep_the_breaker_open() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(0.0, 0, 0, overload=True)
    assert breaker.admit(5.5)
    assert breaker.admit(5.5 + limits.attempt_s)


def test_successes_keep_the_breaker_closed() -> None:
    breaker = Breaker()
    assert not any(breaker.failed(1.0, 0, 11, overload=True) for _ in range(10))


def test_a_budget_is_earned_and_bounded() -> None:
    budget = Budget()
    assert budget.take(0.0, 2)
    assert not budget.take(0.0, 1)
    for _ in range(100):
        budget.succeeded(1.0)
    assert budget.tokens == pytest.approx(20)
    assert budget.take(60.0, 2)
    assert not budget.take(60.0, 1)  # what was saved in a busy minute is gone in a quiet one


def test_a_time_out_is_tried_again_where_recent_successes_vouch_for_the_server() -> None:
    quiet, busy = Budget(), Budget()
    for budget, successes in ((quiet, 4), (busy, 5)):
        for _ in range(successes):
            budget.succeeded(1.0)
    assert (quiet.take(1.0, 2, in_doubt=True), busy.take(1.0, 2, in_doubt=True)) == (False, True)
    assert quiet.take(1.0, 2)  # what the server has refused at once may be tried again


def test_before_the_first_success_one_time_out_may_be_tried_again() -> None:
    budget = Budget()
    assert budget.take(0.0, 2, in_doubt=True)
    assert not budget.take(0.0, 2, in_doubt=True)


def test_a_budget_loses_nothing_between_threads() -> None:
    one = origin("http://threads")

    def succeed() -> None:
        for _ in range(500):
            one.succeeded(1.0, 0)

    work = [threading.Thread(target=succeed) for _ in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert one.successes(1.0) == 4000


def test_a_forked_child_begins_anew() -> None:
    one = origin("http://fork")
    with one._lock:  # as if another thread held it at that moment
        child = os.fork()
        if child == 0:
            os._exit(0 if origin("http://fork") is not one and origin("http://fork").take(0.0, 2) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_only_the_outermost_layer_retries(server: Server) -> None:
    server.earn()
    server.plays(problem(500))
    for _ in range(60):
        origin("call:rates").succeeded(0.0, 0)

    @retrying("rates", policy=Policy(attempts_max=2))
    def rates() -> object:
        return ours.Session().get(server.url)

    with pytest.raises(ServerError):
        rates()
    assert len(server.seen) == 2


def test_a_caller_that_retries_is_known_by_its_header(server: Server) -> None:
    server.earn()
    server.plays(problem(500))
    with serving({"fivehundred-attempt": "1"}), pytest.raises(ServerError) as raised:
        ours.Session().get(server.url)
    assert len(server.seen) == 1
    assert "a layer above retries" in str(raised.value)


def test_a_deadline_is_handed_down(server: Server) -> None:
    server.plays(reply())
    with serving({"Fivehundred-Deadline": "2000"}):
        ours.Session().get(server.url)
    assert 1900 < int(server.seen[0].headers["fivehundred-deadline"]) <= 2000


def test_inner_deadlines_never_lengthen_outer_ones(server: Server) -> None:
    server.plays(reply())
    with deadline(1), deadline(60):
        ours.Session().get(server.url)
    assert int(server.seen[0].headers["fivehundred-deadline"]) <= 1000


def test_switched_off_every_call_is_sent_once(server: Server) -> None:
    server.plays(problem(503))
    set_active(False)
    for number in range(1, 13):
        with pytest.raises(ServerError):
            ours.Session().get(server.url)
        assert len(server.seen) == number


def test_testing_makes_as_many_attempts_as_it_says_and_never_waits(server: Server) -> None:
    server.plays(problem(503, "true", Retry_After="20"))
    set_testing(3)
    with pytest.raises(ServerError):
        ours.Session().get(server.url)
    assert len(server.seen) == 3


def test_hooks_hear_of_each_failed_attempt_and_may_fail_themselves(server: Server) -> None:
    heard: list[Notice] = []

    class Hearing:
        def attempt_failed(self, notice: Notice) -> None:
            heard.append(notice)
            raise RuntimeError("a hook of the application")

    server.plays(problem(500), reply())
    assert ours.Session(hooks=[Hearing()]).get(server.url + "/x?secret=1").ok
    assert [(notice.attempt.status, notice.wait_s is not None) for notice in heard] == [(500, True)]
    assert "secret" not in heard[0].url


def test_any_callable_is_retried_and_its_own_error_leaves() -> None:
    calls: list[int] = []

    @retrying("queue")
    def publish() -> None:
        calls.append(1)
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError) as raised:
        publish()
    assert len(calls) == 3
    assert "3 attempts" in raised.value.__notes__[0]


def test_a_coroutine_is_retried_and_may_return_nothing() -> None:
    calls: list[int] = []

    @retrying("queue")
    async def publish() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionResetError("gone")

    assert asyncio.run(publish()) is None  # type: ignore[arg-type]
    assert len(calls) == 2


def test_an_open_breaker_is_the_librarys_connection_error() -> None:
    assert issubclass(ours.NotSent, requests.ConnectionError)
    assert issubclass(ours.NotSent, NotSent)


def test_an_exception_of_the_code_is_no_matter_of_the_network() -> None:
    calls: list[int] = []

    @retrying("code")
    def broken() -> None:
        calls.append(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        broken()
    assert len(calls) == 1
