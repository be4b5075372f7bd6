"""Asks a peer that just failed how it is, without a driver and without a password: one connection, one short exchange.

Only peers that the process itself has spoken to are asked, at most one question a second each. Every answer that a
server gives to a stranger is read: PostgreSQL's SQLSTATE, MySQL's greeting, Redis' PONG, AMQP's frame, an HTTP status.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from fivehundred import limits
from fivehundred.event import Json, clean, cut


def probe(peer: str, kind: str) -> dict[str, Json]:
    """One probe as the contract names it: ``{peer, kind, state, code, error, at, ms}``."""
    host, _, port = peer.rpartition(":")
    started = time.perf_counter()
    found: dict[str, Json] = {"peer": peer, "kind": kind, "at": time.time()}
    try:
        with socket.create_connection((host.strip("[]"), int(port)), limits.probe_ms_max / 1000) as s:
            left = limits.probe_ms_max / 1000 - (time.perf_counter() - started)
            s.settimeout(max(0.01, left))
            state, code = _ask[kind](s, host)
        found.update({"state": state, "code": code})
    except TimeoutError:
        found["state"] = "timeout"
    except ConnectionRefusedError:
        found.update({"state": "refused", "code": "ECONNREFUSED"})
    except OSError as e:
        found.update({"state": "error", "code": errno.errorcode.get(e.errno or 0, "")})
        found["error"] = cut(clean(e.strerror or type(e).__name__), 200)
    except (ValueError, IndexError, struct.error) as e:
        found.update({"state": "error", "error": f"an answer that is no {kind}: {type(e).__name__}"})
    found["ms"] = round((time.perf_counter() - started) * 1000, 1)
    return {name: value for name, value in found.items() if value != ""}


def kind_of(peer: str, driver: str) -> str:
    """By the driver that spoke to it, else by the port; a plain connection when neither tells."""
    port = peer.rpartition(":")[2]
    if port in ("443", "8443"):
        return "tcp"  # a question in clear text would be an error for TLS
    return _by_driver.get(driver) or _by_port.get(port, "tcp")


_by_driver: Final = {
    **dict.fromkeys(("psycopg", "psycopg2", "asyncpg", "pg8000"), "postgresql"),
    **dict.fromkeys(("pymysql", "mysql", "MySQLdb", "aiomysql"), "mysql"),
    "redis": "redis",
    **dict.fromkeys(("kombu", "pika", "amqp", "aio_pika"), "amqp"),
    **dict.fromkeys(("requests", "urllib3", "httpx", "httpcore", "httpx2", "httpcore2", "aiohttp", "botocore"), "http"),
}
_by_port: Final = {"5432": "postgresql", "3306": "mysql", "6379": "redis", "5672": "amqp", "80": "http"}

Said = tuple[str, str]  # (state, code)


def _postgresql(s: socket.socket, host: str) -> Said:
    """A start-up message: the server answers with the authentication it wants, or with an error and its SQLSTATE."""
    body = struct.pack("!I", 196_608) + b"user\0fivehundred_probe\0database\0postgres\0\0"
    s.sendall(struct.pack("!I", len(body) + 4) + body)
    kind, length = struct.unpack("!cI", _exactly(s, 5))
    if kind == b"R":
        return "ready", ""
    if kind != b"E":
        raise ValueError("neither R nor E")
    fields = _exactly(s, min(length - 4, 8 * limits.KIB)).split(b"\0")
    code = next((f[1:].decode("ascii", "replace") for f in fields if f[:1] == b"C"), "")
    return _postgresql_states.get(code, "denied" if code.startswith("28") else "error"), code


# 28xxx: it refuses the probe's made-up user, which only a server that serves can do
_postgresql_states: Final = {"53300": "full", "28000": "ready", "28P01": "ready", "3D000": "ready"}


def _mysql(s: socket.socket, host: str) -> Said:
    head = _exactly(s, 5)
    if head[4] != 0xFF:
        return "ready", ""
    code = struct.unpack("<H", _exactly(s, 2))[0]
    return {1040: "full", 1203: "full", 1129: "denied", 1130: "denied"}.get(code, "error"), str(code)


def _redis(s: socket.socket, host: str) -> Said:
    s.sendall(b"PING\r\n")
    answer = s.recv(200).split(b"\r\n")[0].decode("ascii", "replace")
    if answer.startswith(("+PONG", "-NOAUTH")):
        return "ready", ""
    if not answer.startswith("-"):
        raise ValueError("no RESP")
    word = answer[1:].split(" ")[0]
    if "max number of clients" in answer:
        return "full", "MAXCLIENTS"
    return ("denied" if word in ("DENIED", "NOPERM") else "error"), word[:40]


def _amqp(s: socket.socket, host: str) -> Said:
    s.sendall(b"AMQP\0\0\x09\x01")
    if _exactly(s, 1) not in (b"\x01", b"A"):
        raise ValueError("no AMQP")
    return "ready", ""


def _http(s: socket.socket, host: str) -> Said:
    s.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: fivehundred-probe\r\n\r\n".encode())
    line = s.recv(200).split(b"\r\n")[0].split(b" ")
    if not line[0].startswith(b"HTTP/"):
        raise ValueError("no HTTP")
    code = line[1].decode("ascii", "replace")[:3]
    return ("full" if code in ("429", "503") else "error" if code.startswith("5") else "ready"), code


def _tcp(s: socket.socket, host: str) -> Said:
    return "ready", ""


_ask: Final[dict[str, Callable[[socket.socket, str], Said]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "redis": _redis,
    "amqp": _amqp,
    "http": _http,
    "tcp": _tcp,
}


def _exactly(s: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            raise ConnectionResetError(errno.ECONNRESET, "closed without an answer")
        data += more
    return data
