"""Beyond the fifty points: event streams that begin at once, one sentence about the cause, what is left untouched."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from tests.contract.apps import failures
from tests.contract.conftest import Pair, complete, running
from tests.contract.contract_points import Spec, pairs
from tests.contract.wire import Reply, request

by_name = {spec.name: spec for spec in pairs}


def test_the_start_of_an_event_stream_is_not_held(pair: Pair) -> None:
    if by_name[pair.name].is_wsgi:
        pytest.skip("n/a: a WSGI server may send nothing before the first chunk (PEP 3333)")
    if pair.name == "sanic":
        pytest.skip("n/a: Sanic sends nothing before the first chunk, without the Guard as well")
    connection = pair.connect()
    connection.send(request("GET", "/events"))
    while b"\r\n\r\n" not in connection.buffer:
        assert connection.more()
    began = time.monotonic()
    assert b"data: 1" not in connection.buffer
    assert b"data: 1" in connection.reply().body
    assert time.monotonic() - began > 0.2  # the event comes half a second after the start


# ---- an application that tells one sentence about the cause ------------------------------------------

disclosing = ("flask+gunicorn", "django+gunicorn", "fastapi+uvicorn", "aiohttp", "wsgi+waitress")


@pytest.fixture(scope="module", params=disclosing)
def open_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    spec: Spec = by_name[request.param]
    folder = tmp_path_factory.mktemp("discloses")
    with running(spec, folder, CONTRACT_OPTIONS=json.dumps({"disclose": "cause"})) as found:
        yield found


@pytest.mark.parametrize("accept", ["application/problem+json", "application/json", "text/html", "text/plain"])
@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/db", 503, "Failed to connect to the database."),
        ("/pool", 503, "The service is overloaded."),
        ("/disk", 507, "The service cannot store data at the moment."),
        ("/upstream", 502, "Another service that this one needs cannot be reached."),
    ],
)
def test_the_cause_is_told_in_one_sentence_and_nothing_else(
    open_pair: Pair, path: str, status: int, sentence: str, accept: str
) -> None:
    reply = open_pair.get(path, {"Accept": accept})  # told.check looks for all that must not be there
    assert reply.status == status
    assert sentence in reply.body.decode()


@pytest.mark.parametrize("path", ["/boom", "/key", "/crlf", "/recursion", "/stream0"])
def test_of_a_cause_that_is_not_known_nothing_is_told(open_pair: Pair, path: str) -> None:
    body = open_pair.get(path, {"Accept": "application/json"}).json()
    assert body["detail"].startswith("An unexpected error occurred on the server. It is not your fault.")


# ---- what is not a failure is as it was -----------------------------------------------------------------

untouched = [
    ("GET", "/ok"), ("HEAD", "/ok"), ("GET", "/nothing-is-here"), ("PUT", "/waits"), ("GET", "/teapot"),
    ("HEAD", "/teapot"), ("POST", "/reads"), ("GET", "/slow"), ("OPTIONS", "/ok"),
]  # fmt: skip


@pytest.fixture(scope="module")
def bare(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running(by_name[pair.name], tmp_path_factory.mktemp("unguarded"), CONTRACT_GUARD="none") as found:
        yield found


@pytest.mark.parametrize(("method", "path"), untouched)
@pytest.mark.parametrize("origin", ["", failures.allowed_origin])
def test_answers_of_the_applications_own_are_as_they_are_without_the_guard(
    pair: Pair, bare: Pair, method: str, path: str, origin: str
) -> None:
    headers = {"Origin": origin} if origin else {}
    body = b"a=1" if method == "POST" else b""
    ours, its = (_settled(one.ask(method, path, headers, body)) for one in (pair, bare))
    assert ours == its


def test_a_failed_answer_in_the_applications_own_words_keeps_them(pair: Pair, bare: Pair) -> None:
    if pair.is_bare:
        pytest.skip("n/a: a bare application has no exception for it")
    ours, its = pair.get("/own500"), bare.get("/own500")
    assert (ours.status, ours.body, ours.type) == (its.status, its.body, its.type) == (500, ours.body, ours.type)
    assert len(ours.reference) == 32


def _settled(reply: Reply) -> tuple[bytes, bool]:
    """All bytes of it, but for what the time alone changes."""
    return re.sub(rb"(?mi)^(date|last-modified):[^\r]*\r\n", b"", reply.raw), reply.whole


# ---- work for a caller that has gone ----------------------------------------------------------------------

punctual = ("aiohttp", "sanic", "tornado", "flask+gunicorn", "fastapi+uvicorn", "django+gunicorn")


@pytest.fixture(scope="module", params=punctual)
def punctual_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("punctual")
    with running(by_name[request.param], folder, CONTRACT_OPTIONS=json.dumps({"deadline": True})) as found:
        yield found


def test_work_whose_caller_stopped_waiting_is_not_begun(punctual_pair: Pair) -> None:
    reply = punctual_pair.get("/ok", {"Fivehundred-Deadline": "0"})
    assert complete(reply, 504)
    assert reply.reference
    assert punctual_pair.get("/ok", {"Fivehundred-Deadline": "60000"}).status == 200
    assert punctual_pair.get("/ok", {"Fivehundred-Deadline": "no number"}).status == 200
