"""HTTP/1 by hand, on a socket: what a library would smooth over is what the contract is about."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """One response as it came. ``whole`` says whether its framing was complete."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False
    after: bytes = b""  # what came behind it on the connection
    closed: bool = False
    reset: bool = False
    raw: bytes = b""

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def header(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def reference(self) -> str:
        return self.header("error-reference")

    @property
    def vary(self) -> list[str]:
        return [name.strip().lower() for name in self.header("vary").split(",") if name.strip()]

    @property
    def shape(self) -> tuple[int, list[tuple[str, str]], str]:
        """What two answers have in common that differ in their reference alone; the time and the connection aside."""
        passing = ("date", "connection", "keep-alive")
        named = sorted((k.lower(), _ids.sub("ID", v)) for k, v in self.headers if k.lower() not in passing)
        return self.status, named, _ids.sub("ID", self.body.decode())

    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


_ids = re.compile("[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


def request(
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    version: str = "1.1",
) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: contract.test"]
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    told = {name.lower() for name in headers or {}} & {"content-length", "transfer-encoding"}
    if not told and (body or method in ("POST", "PUT", "PATCH")):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A connection that may carry several requests."""

    def __init__(
        self, address: tuple[str, int], timeout_s: float = 10, note: Callable[[Reply], None] = lambda reply: None
    ) -> None:
        self.socket = socket.create_connection(address, timeout=timeout_s)
        self.note = note  # is told of each reply
        self.buffer = b""
        self.closed = self.reset = False

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def more(self) -> bool:
        """Whether another piece arrived; a time-out is a failure of the test."""
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            self.closed = self.reset = True
            return False
        self.closed = not piece
        self.buffer += piece
        return bool(piece)

    def reply(self, method: str = "GET") -> Reply:
        """The next response, read by its own framing; to the end of the connection where it has none."""
        while b"\r\n\r\n" not in self.buffer and self.more():
            pass
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        reply = Reply(raw=head + b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        reply.status = int(first.split(" ")[1]) if first else 0
        pairs = (line.partition(":") for line in lines)
        reply.headers = [(k, v.strip()) for k, _, v in pairs]
        self._body(reply, method)
        reply.raw += reply.body
        reply.closed, reply.reset = self.closed, self.reset
        self.note(reply)
        return reply

    def _body(self, reply: Reply, method: str) -> None:
        if method == "HEAD" or reply.status in (204, 304) or reply.status < 200:
            reply.whole = reply.status >= 200
        elif reply.header("transfer-encoding") == "chunked":
            self._chunks(reply)
        elif reply.header("content-length"):
            length = int(reply.header("content-length"))
            while len(self.buffer) < length and self.more():
                pass
            reply.body, self.buffer = self.buffer[:length], self.buffer[length:]
            reply.whole = len(reply.body) == length
        elif reply.status:
            while self.more():
                pass
            reply.body, self.buffer = self.buffer, b""
            reply.whole = not self.reset

    def _chunks(self, reply: Reply) -> None:
        while True:
            while b"\r\n" not in self.buffer and self.more():
                pass
            if b"\r\n" not in self.buffer:
                return
            size, _, rest = self.buffer.partition(b"\r\n")
            length = int(size, 16)
            while len(rest) < length + 2 and self.more():
                rest = self.buffer.partition(b"\r\n")[2]
            if len(rest) < length + 2:
                reply.body += rest
                self.buffer = b""
                return
            reply.body += rest[:length]
            self.buffer = rest[length + 2 :]
            if not length:
                reply.whole = True
                return

    def rest(self) -> bytes:
        """What else comes until the server closes, waiting only a moment."""
        self.socket.settimeout(0.2)
        try:
            while self.more():
                pass
        except TimeoutError:
            pass
        found, self.buffer = self.buffer, b""
        return found

    def close(self) -> None:
        self.socket.close()
