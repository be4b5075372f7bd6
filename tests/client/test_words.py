"""What a failed call says to people: its message, and ``fivehundred get`` at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.conftest import Server, problem, reply

from fivehundred.client.errors import Attempt, Facts, message
from fivehundred.client.explained import explained
from fivehundred.client.problem_reader import Problem, read
from fivehundred.client.specific import specific
from fivehundred.problem import answer

reference = "ab" * 16


def said(status: int, *, public: str = "", language: str = "en", transient: str = "no", accept: str = "*/*") -> Problem:
    """The problem that our own Guard answers with."""
    whole = answer(
        reference=reference,
        status=status,
        transient=transient,
        retry_after_s=None,
        accept=accept,
        language=language,
        public=public,
    )
    headers = {name.lower(): value for name, value in whole.headers}
    return read(headers, whole.body).problem


@pytest.mark.parametrize("accept", ["application/problem+json", "application/json", "text/html"])
@pytest.mark.parametrize("language", ["en", "de", "fr", "ja"])
@pytest.mark.parametrize("status", [500, 503, 507])
def test_the_guards_stock_sentences_are_not_repeated(status: int, language: str, accept: str) -> None:
    for transient in ("no", "yes"):
        assert specific(said(status, language=language, transient=transient, accept=accept), status) == ""


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_application_says_to_the_public_is_kept(language: str) -> None:
    assert specific(said(503, public="We are starting.", language=language), 503) == "We are starting."


@pytest.mark.parametrize(
    "text",
    [
        "Internal Server Error",
        "500 - Internal Server Error",
        "An error occurred while processing your request.",
        "<html><head><title>500 Internal Server Error</title></head></html>",
        "<h1>Server Error (500)</h1>",
    ],
)
def test_the_stock_pages_of_others_are_not_repeated(text: str) -> None:
    assert specific(read({"content-type": "text/html" if "<" in text else ""}, text.encode()).problem, 500) == ""


def test_a_specific_detail_is_kept() -> None:
    assert (
        specific(Problem(detail="The ledger is locked.", title="Internal Server Error"), 500) == "The ledger is locked."
    )


@given(st.text(), st.text(), st.integers(100, 599))
def test_no_text_of_a_server_makes_the_explanation_raise(title: str, detail: str, status: int) -> None:
    facts = Facts("GET", "http://h/", status, problem=Problem(title=title, detail=detail), reference=reference)
    assert reference in message(facts)
    assert reference in explained(facts, width=80, colours=False)


def test_a_message_is_one_short_line() -> None:
    facts = Facts("GET", "http://h/x", 500, problem=said(500), reference=reference, retryable=False)
    assert message(facts) == (
        f"GET http://h/x answered 500 Internal Server Error. Reference {reference}. Retrying does not help."
    )


def test_a_message_with_a_detail_ends_one_sentence_once() -> None:
    facts = Facts("GET", "http://h/x", 503, problem=said(503, public="We are starting."), retry_after=5, retryable=True)
    assert message(facts).startswith('GET http://h/x answered 503 Service Unavailable: "We are starting." The server')


def test_the_terminal_form_is_made_of_short_lines() -> None:
    tries = (Attempt(1, 0.0, 0.512, 503, "", "cd" * 16), Attempt(2, 5.25, 0.008, 503, "", reference))
    problem = said(503, public="The database does not accept connections at the moment.")
    facts = Facts("GET", "http://h/x", 503, "", problem, reference, "", True, 5.0, "the breaker is open", tries)
    assert explained(facts, width=80, colours=False).splitlines() == [
        "503 Service Unavailable",
        "GET http://h/x",
        "",
        "  means      The server cannot answer now; it may be able to soon.",
        "  says       The database does not accept connections at the moment.",
        f"  reference  {reference}",
        "  retry      after 5 s, says the server",
        f"  attempts   1. 503 in 512 ms, reference {'cd' * 16}",
        "             2. 503 in 8 ms, after a wait of 5.2 s",
        "             no further one: the breaker is open",
    ]


def at_a_terminal(*words: str) -> str:
    main, other = pty.openpty()
    command = [sys.executable, "-m", "fivehundred", "get", *words]
    process = subprocess.Popen(command, stdout=other, stderr=other, env={**os.environ, "TERM": "xterm"})
    os.close(other)
    shown = b""
    try:
        while part := os.read(main, 4096):
            shown += part
    except OSError:  # Linux' way to say that the other end is closed
        pass
    os.close(main)
    process.wait()
    return shown.decode()


def test_a_terminal_gets_colours_and_not_the_body_again(server: Server) -> None:
    server.plays(problem(500, "false"))
    shown = at_a_terminal(server.url)
    assert shown.startswith("\x1b[1;31m500 Internal Server Error\x1b[0m")
    assert "about:blank" not in shown
    assert max(len(line) for line in shown.splitlines()) < 100


def test_a_body_that_says_nothing_we_know_is_shown(server: Server) -> None:
    server.plays(reply(500, b"\x1b[2J<<some text of a proxy>>"))
    shown = at_a_terminal(server.url, "--attempts", "1")
    assert "some text of a proxy" in shown
    assert "\x1b[2J" not in shown
