"""``fivehundred get``."""

from __future__ import annotations

import argparse
import json

import pytest
from tests.client.conftest import Server, problem, reply

from fivehundred.client import cli


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.main(parser.parse_args(words))


def test_a_good_answer_is_its_body(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(reply(200, b"hello"))
    assert run(server.url) == 0
    assert capfd.readouterr().out == "hello"


def test_a_500_is_explained(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(problem(500, "false"))
    assert run(server.url) == cli.exit_failed
    out = capfd.readouterr().out
    assert "ab" * 16 in out
    assert "does not help" in out


def test_json_holds_what_was_tried(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(problem(503))
    assert run(server.url, "--json", "--attempts", "2") == cli.exit_failed
    found = json.loads(capfd.readouterr().out)
    assert (found["ok"], found["status"], found["reference"], len(found["attempts"])) == (False, 503, "ab" * 16, 2)


def test_redirects_are_followed_and_end(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(reply(302, b"", Location="/again"))
    assert run(server.url) == 2
    assert "redirects" in capfd.readouterr().err


def test_a_server_cannot_move_the_cursor(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(reply(500, b'{"error": "x", "y": "\x1b[2J"}'))
    run(server.url)
    assert "\x1b" not in capfd.readouterr().out


@pytest.mark.parametrize("words", [["ftp://x"], ["http://127.0.0.1/", "-H", "no colon"]])
def test_what_cannot_be_asked_is_said(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    assert "fivehundred get:" in capfd.readouterr().err
