"""The Console of an installation on several machines: who may come in, who is told, who may digest. No cluster runs."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.console.running import RunningConsole, until

from fivehundred.cli import main
from fivehundred.console.processes import Lock
from fivehundred.console.store.alerts import Alerts, Rule
from fivehundred.console.store.sqlite import SqliteStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of an installation whose Console others can reach, whose store is a folder, and whose cluster is away."""
    SqliteStore(tmp_path / "store").close()
    file = tmp_path / "scale.toml"
    file.write_text(
        f"""
[store]
url = "{tmp_path}/store"
[spool]
servers = ["nats://127.0.0.1:{free_port()}"]
[digest]
data = "{tmp_path}/digest"
[console]
data = "{tmp_path}/console"
host = "0.0.0.0"
port = 0
"""
    )
    return file


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def token(file: Path, capsys: pytest.CaptureFixture[str], role: str) -> dict[str, str]:
    """A header of a new account's own."""
    assert main(["users", "add", role, "--role", role, "--invite", "--scale", str(file)]) == 0
    capsys.readouterr()
    assert main(["tokens", "add", role, "--scope", "act", "--scale", str(file), "--json"]) == 0
    return {"Authorization": f"Bearer {json.loads(capsys.readouterr().out)['token']}"}


def test_without_an_account_it_is_for_its_own_machine_only(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", "--scale", str(file)]) == 5
    assert f"fivehundred users add NAME --role owner --scale {file}" in capsys.readouterr().err


def test_with_accounts_others_may_reach_it_and_must_sign_in(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    owner, viewer = token(file, capsys, "owner"), token(file, capsys, "viewer")
    with RunningConsole(file.parent / "unused", "--scale", str(file), "--data", str(file.parent / "mine")) as console:
        console.url = console.url.replace("0.0.0.0", "127.0.0.1")
        assert b'type="password"' in console.get("/", Accept="text/html")[1]
        assert console.get("/api/v1/faults")[0] == 401
        assert console.get("/api/v1/faults", **owner)[0] == 200
        body = b'{"name": "second"}'
        assert console.send("POST", "/api/v1/projects", body)[0] == 401
        assert console.send("POST", "/api/v1/projects", body, **viewer)[0] == 403
        assert "plain http" in console.log.read_text()


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Of webhooks: its address, and what it got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", got
    server.shutdown()
    server.server_close()


def test_alerts_are_sent_from_there(file: Path, receiver: tuple[str, list[bytes]]) -> None:
    url, got = receiver
    store, now = SqliteStore(file.parent / "store"), time.time()
    desk = Alerts(store.database)
    channel = desk.add_channel("team", "webhook", {"url": url}, "", hourly_max=9, now=now)
    rule = desk.add_rule(Rule(0, "mine", channel, ("new",)), now=now)
    alert = desk.add(channel, rule, "new", "1", "fault:1", {}, now=now, due_at=now)
    with RunningConsole(file.parent / "unused", "--scale", str(file), "--host", "127.0.0.2") as console:
        until(lambda: desk.alert(alert).state == "sent", console.log)
    assert json.loads(got[0])["subject"] == "fault:1"
    store.close()


def test_a_folder_is_digested_by_one_worker(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Lock(file.parent / "store" / "digest.lock")
    try:
        assert main(["digest", "--scale", str(file)]) == 5
    finally:
        first.release()
    told = capsys.readouterr().err
    assert "one digest process writes" in told
    assert "postgresql://" in told
