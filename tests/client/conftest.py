"""A server that does over real sockets exactly what a script says, and one way to call it with each library."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import requests

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests
from fivehundred.client import CallFailed, Policy, set_active, set_testing
from fivehundred.client.origin import forget_all, origin
from fivehundred.client.plain import Sending, fetch

Step = Callable[[socket.socket], bool]  # whether the connection goes on


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def reply(status: int = 200, body: bytes = b"ok", **headers: str) -> Step:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in names.items())]

    def step(connection: socket.socket) -> bool:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return True

    return step


def problem(status: int = 500, retryable: str = "", **headers: str) -> Step:
    word = f', "retryable": {retryable}' if retryable else ""
    text = f'{{"type": "about:blank", "title": "T", "status": {status}, "reference": "{"ab" * 16}"{word}}}'
    return reply(status, text.encode(), Content_Type="application/problem+json", **headers)


def cut(status: int, body: bytes, length: int, **headers: str) -> Step:
    """Says that more will come than does, and closes."""
    whole = reply(status, body, **headers)

    def step(connection: socket.socket) -> bool:
        whole(_Rewriting(connection, f"Content-Length: {len(body)}", f"Content-Length: {length}"))  # type: ignore[arg-type]
        return False

    return step


class _Rewriting:
    def __init__(self, connection: socket.socket, old: str, new: str) -> None:
        self.connection, self.old, self.new = connection, old.encode(), new.encode()

    def sendall(self, data: bytes) -> None:
        self.connection.sendall(data.replace(self.old, self.new, 1))


def drip(status: int, head: bytes, rest: bytes, every_s: float) -> Step:
    """Sends ``head``, then one byte of ``rest`` at a time. The caller leaves before it ends."""

    def step(connection: socket.socket) -> bool:
        connection.sendall(head)
        for byte in rest:
            time.sleep(every_s)
            connection.sendall(bytes([byte]))
        return False

    return step


def reset(connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang(seconds: float) -> Step:
    def step(connection: socket.socket) -> bool:
        time.sleep(seconds)
        return False

    return step


@dataclass
class Server:
    """Plays one step for each request, in the order of arrival; the last one again and again."""

    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    answers: Callable[[Seen], Step] | None = None  # instead of steps: what is answered depends on what is asked

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def plays(self, *steps: Step) -> None:
        self.steps = list(steps)

    def earn(self, successes: int = 60) -> None:
        """As if so many calls had succeeded a moment ago: their successes pay for retries."""
        for _ in range(successes):
            origin(self.url).succeeded(time.monotonic(), 0)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as file:
            while True:
                request = _read_request(file)
                if request is None:
                    return
                with self.lock:
                    self.seen.append(request)
                    step = self._step(request)
                if not step(connection):
                    return

    def _step(self, request: Seen) -> Step:
        if self.answers is not None:
            return self.answers(request)
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


def _read_request(file: Any) -> Seen | None:
    line = file.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (header := file.readline().decode().rstrip("\r\n")) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
    else:
        length = int(headers.get("content-length", 0))
        body = file.read(length)
        if len(body) < length:  # the caller has gone in the middle of it
            return None
    return Seen(method, path, headers, body)


class TlsServer(Server):
    context: ssl.SSLContext

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            super()._serve(self.context.wrap_socket(connection, server_side=True))


@dataclass
class Caller:
    """One library; ``call`` returns status and body, or raises what the Client raises."""

    name: str
    call: Callable[..., tuple[int, bytes]]
    library: Any


def _requests(method: str, url: str, *, policy: Policy | None = None, body: Any = None, **options: Any) -> Any:
    with ours_requests.Session(policy) as session:
        answer = session.request(method, url, data=body, **options)
        return answer.status_code, answer.content


tls = ssl.create_default_context()  # reading the certificates takes httpx 30 ms a client; no test here needs them


def _blocking(module: Any) -> Callable[..., Any]:
    def call(method: str, url: str, *, policy: Policy | None = None, body: Any = None, **options: Any) -> Any:
        timeout = options.pop("timeout", None)
        with module.Client(policy=policy, timeout=timeout, verify=tls) as client:
            answer = client.request(method, url, content=body, **options)
            return answer.status_code, answer.content

    return call


def _asynchronous(module: Any) -> Callable[..., Any]:
    async def run(method: str, url: str, policy: Policy | None, body: Any, options: dict[str, Any]) -> Any:
        timeout = options.pop("timeout", None)
        async with module.AsyncClient(policy=policy, timeout=timeout, verify=tls) as client:
            answer = await client.request(method, url, content=body, **options)
            return answer.status_code, answer.content

    def call(method: str, url: str, *, policy: Policy | None = None, body: Any = None, **options: Any) -> Any:
        return asyncio.run(run(method, url, policy, body, options))

    return call


def _plain(method: str, url: str, *, policy: Policy | None = None, body: Any = None, headers: Any = None) -> Any:
    answer = fetch(Sending(method, url, headers or {}, body), policy or Policy())
    return answer.status, answer.body


callers = [
    Caller("requests", _requests, requests),
    Caller("httpx", _blocking(ours_httpx), httpx),
    Caller("httpx2", _blocking(ours_httpx2), httpx2),
    Caller("httpx-async", _asynchronous(ours_httpx), httpx),
    Caller("httpx2-async", _asynchronous(ours_httpx2), httpx2),
]
every = [*callers, Caller("plain", _plain, None)]


def ends_in_time(call: Callable[[], object], deadline_s: float) -> None:
    """No server may keep a call past its deadline and a tenth of it. A busy machine may: what this thread has waited
    for a processor is not counted, and the call is made until it is not the machine. It is never kept for long."""
    took: list[float] = []
    while len(took) < 10 and (not took or took[-1] > 1.1 * deadline_s):
        forget_all()
        began, waited = time.monotonic(), waited_s()
        with pytest.raises(CallFailed):
            call()
        took.append(time.monotonic() - began - (waited_s() - waited))
    assert min(took) <= 1.1 * deadline_s, took
    assert max(took) < deadline_s + 1, took


def waited_s() -> float:
    """By this thread for a processor, since it began; 0 where the system does not say."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.listener.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key in one file, made now."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command.split(), *names], cwd=folder, check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return folder / "both.pem"


@pytest.fixture
def secure(certificate: Path) -> Iterator[TlsServer]:
    server = TlsServer()
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate)
    server.url = server.url.replace("http:", "https:")
    yield server
    server.listener.close()


@pytest.fixture(params=callers, ids=lambda caller: caller.name)
def library(request: pytest.FixtureRequest) -> Caller:
    """Each of the five adapters."""
    found: Caller = request.param
    return found


@pytest.fixture(params=every, ids=lambda caller: caller.name)
def caller(request: pytest.FixtureRequest) -> Caller:
    """Each of the five adapters, and the standard library's."""
    found: Caller = request.param
    return found


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fresh origins; and of the random waits the shortest, for what is tested is what comes after them."""
    monkeypatch.setattr("fivehundred.client.course.random.random", lambda: 0.0)
    forget_all()
    yield
    set_active(True)
    set_testing(0)
    forget_all()
