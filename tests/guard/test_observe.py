"""What surrounds a failure: real descriptors, a real PostgreSQL, real pools; and servers that answer nonsense."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred.guard.changes import changes
from fivehundred.guard.pools import Pools
from fivehundred.guard.probe import kind_of, probe
from fivehundred.guard.snapshot import at_once, snapshot


def test_a_snapshot_holds_what_the_machine_says(tmp_path: Path) -> None:
    found = snapshot(str(tmp_path))
    status = os.statvfs(tmp_path)
    assert found["fds_max"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert found["disk_total_bytes"] == status.f_blocks * status.f_frsize
    assert isinstance(found["rss_bytes"], int)
    assert 1_000_000 < found["rss_bytes"] < 1 << 40
    assert isinstance(found["rss_max_bytes"], int)
    assert found["rss_bytes"] <= found["rss_max_bytes"]
    json.dumps(found)


def test_open_descriptors_are_counted_exactly() -> None:
    def count() -> int:
        value = at_once()["fds_open"]
        assert isinstance(value, int)
        return value

    before = count()
    kept = [os.dup(0) for _ in range(10)]
    assert count() == before + 10
    for descriptor in kept:
        os.close(descriptor)


exhausted = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from fivehundred.guard.snapshot import at_once, snapshot
try:
    while True:
        os.dup(0)
except OSError:
    pass
told = at_once()
assert (told["fds_open"], told["fds_max"], sum(told["fd_kinds"].values())) == (64, 64, 64), told
snapshot("/tmp")
"""


def test_that_no_descriptor_is_left_can_still_be_told() -> None:
    subprocess.run([sys.executable, "-c", exhausted], check=True, timeout=30)


# ---- probes --------------------------------------------------------------------------------------


@contextmanager
def answering(data: bytes, *, close: bool = True) -> Iterator[str]:
    """A server that says ``data`` to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.sendall(data)
            if close:
                connection.close()
            else:
                held.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for connection in held:
            connection.close()


def error_53300() -> bytes:
    body = b"SFATAL\0VFATAL\0C53300\0Mzu viele Clients\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("kind", "data", "state", "code"),
    [
        ("postgresql", error_53300(), "full", "53300"),
        ("postgresql", b"R\0\0\0\x08\0\0\0\0", "ready", None),
        ("mysql", b"\x17\0\0\0\xff\x10\x04Too many connections", "full", "1040"),
        ("mysql", b"\x4a\0\0\0\x0a8.0.33\0", "ready", None),
        ("redis", b"+PONG\r\n", "ready", None),
        ("redis", b"-NOAUTH Authentication required.\r\n", "ready", None),
        ("redis", b"-ERR max number of clients reached\r\n", "full", "MAXCLIENTS"),
        ("redis", b"-LOADING Redis is loading\r\n", "error", "LOADING"),
        ("amqp", b"\x01\0\0\0\0", "ready", None),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n", "ready", "200"),
        ("http", b"HTTP/1.1 503 No\r\n\r\n", "full", "503"),
        ("tcp", b"", "ready", None),
    ],
)
def test_what_a_server_says_to_a_stranger_is_understood(kind: str, data: bytes, state: str, code: str | None) -> None:
    with answering(data, close=False) as peer:
        found = probe(peer, kind)
    assert (found["peer"], found["kind"], found["state"], found.get("code")) == (peer, kind, state, code)


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=60), st.sampled_from(["postgresql", "mysql", "redis", "amqp", "http"]))
def test_a_probe_survives_any_answer(data: bytes, kind: str) -> None:
    with answering(data) as peer:
        json.dumps(probe(peer, kind))


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with answering(b"", close=False) as peer:
        found = probe(peer, "postgresql")
    assert found["state"] == "timeout"
    assert isinstance(found["ms"], float)
    assert found["ms"] < 2_000


def test_nothing_that_listens_is_refused() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        peer = f"127.0.0.1:{s.getsockname()[1]}"
    assert probe(peer, "redis")["state"] == "refused"


def test_the_driver_tells_the_protocol_and_else_the_port() -> None:
    assert kind_of("db:6543", "psycopg") == "postgresql"
    assert kind_of("cache:6379", "") == "redis"
    assert kind_of("x:1234", "") == "tcp"
    assert kind_of("bank:443", "requests") == "tcp"


# ---- pools and changes ---------------------------------------------------------------------------


def test_a_watched_pool_tells_how_full_it_is() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.QueuePool, pool_size=2, max_overflow=1)
    pools = Pools()
    pools.watch(engine, "shop")
    with engine.connect(), engine.connect(), engine.connect():
        full = {"name": "shop", "checked_out": 3, "size": 2, "overflow": 1, "overflow_max": 1}
        assert pools.states() == [full]


def test_an_object_that_is_no_pool_is_left_out() -> None:
    pools = Pools()
    pools.watch(object(), "nothing")
    assert pools.states() == []


def test_a_changed_variable_is_told_by_name_and_never_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "CANARY-1")
    assert changes(tmp_path, "1.0") == []
    assert changes(tmp_path, "1.0") == []
    monkeypatch.setenv("SHOP_URL", "CANARY-2")
    found = changes(tmp_path, "1.1")
    assert [(c["what"], c["name"]) for c in found if isinstance(c, dict)] == [
        ("release", ""),
        ("environment", "SHOP_URL"),
    ]
    assert changes(tmp_path, "1.1") == found, "it is still worth telling after one more restart"
    assert "CANARY" not in (tmp_path / "last-start.json").read_text()
    assert (tmp_path / "last-start.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "[]", '{"state": 3, "salt": null}', '{"state": {"environment": []}}'])
def test_a_damaged_record_of_the_last_start_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "last-start.json").write_text(content)
    changes(tmp_path, "1.0")
    assert changes(tmp_path, "1.0") is not None
