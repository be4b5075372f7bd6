"""``fivehundred get``."""

from __future__ import annotations

import argparse
import json
import socket

import pytest
from tests.client.conftest import Server, TlsServer, drip, problem, reply

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


def test_what_ends_without_an_answer_is_json_too(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(reply(302, b"", Location="/again"))
    run(server.url, "--json")
    found = json.loads(capfd.readouterr().out)
    assert (found["ok"], found["attempts"]) == (False, [])
    assert "redirects" in found["message"]


def test_a_name_without_an_address_is_no_closed_port(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*args: object, **options: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)  # not every machine has a name server
    assert run("http://no-such-host.invalid/", "--attempts", "1") == cli.exit_failed
    out = capfd.readouterr().out
    assert "No address is known for this name" in out
    assert "Nothing accepts connections" not in out


def test_a_body_that_drips_has_run_out_of_time(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(drip(200, b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n", b"x" * 100, 0.05))
    assert run(server.url, "--deadline", "0.3") == cli.exit_failed
    out = capfd.readouterr().out
    assert "its body did not end before the deadline" in out
    assert "200, out of time" in out


def test_a_certificate_that_is_not_trusted_is_explained(secure: TlsServer, capfd: pytest.CaptureFixture[str]) -> None:
    secure.plays(reply())
    assert run(secure.url) == cli.exit_failed
    out = capfd.readouterr().out
    assert "certificate is not trusted: self-signed certificate" in out
    assert "SSL_CERT_FILE" in out


def test_a_server_cannot_move_the_cursor(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.plays(reply(500, b'{"error": "x", "y": "\x1b[2J"}'))
    run(server.url)
    assert "\x1b" not in capfd.readouterr().out


@pytest.mark.parametrize("words", [["ftp://x"], ["http://127.0.0.1/", "-H", "no colon"]])
def test_what_cannot_be_asked_is_said(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    assert "fivehundred get:" in capfd.readouterr().err
