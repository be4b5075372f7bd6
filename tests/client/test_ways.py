"""TLS, a proxy, redirects, streams and OpenTelemetry, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.client.conftest import Server, TlsServer, cut, drip, problem, reply

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests
from fivehundred.client import CallFailed, NoAnswer, Policy, ServerError

names = ["requests", "httpx", "httpx2", "httpx-async", "httpx2-async"]
head = b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n"


def get(name: str, url: str, *, verify: Any = True, proxy: str = "", policy: Policy | None = None) -> bytes:
    """With each library's own way to say which certificates and which proxy."""
    if name == "requests":
        with ours_requests.Session(policy) as session:
            proxies = {"http": proxy, "https": proxy} if proxy else {}
            return session.get(url, verify=verify, proxies=proxies).content
    module: Any = {"httpx": ours_httpx, "httpx2": ours_httpx2}[name.partition("-")[0]]
    context = ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify
    options = {"verify": context, "policy": policy, "proxy": proxy or None, "follow_redirects": True}
    if not name.endswith("async"):
        with module.Client(**options) as client:
            return bytes(client.get(url).content)

    async def run() -> bytes:
        async with module.AsyncClient(**options) as client:
            return bytes((await client.get(url)).content)

    return asyncio.run(run())


# ---- TLS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names)
def test_over_tls_a_500_is_tried_again(name: str, secure: TlsServer, certificate: Path) -> None:
    secure.plays(problem(500), reply(200, b"ok"))
    assert get(name, secure.url, verify=str(certificate)) == b"ok"
    assert [request.headers["fivehundred-attempt"] for request in secure.seen] == ["1", "2"]


@pytest.mark.parametrize("name", names)
def test_over_tls_a_drip_ends_in_time(name: str, secure: TlsServer, certificate: Path) -> None:
    secure.plays(drip(200, head, b"x" * 60, 0.05))
    began = time.monotonic()
    with pytest.raises(CallFailed):
        get(name, secure.url, verify=str(certificate), policy=Policy(call_s=0.2, attempt_s=0.2))
    assert time.monotonic() - began < 1.2


@pytest.mark.parametrize("name", names)
def test_a_certificate_that_is_not_trusted_is_no_matter_for_retries(name: str, secure: TlsServer) -> None:
    secure.plays(reply())
    with pytest.raises(Exception, match=r"(?i)certificate") as raised:
        get(name, secure.url)
    assert not isinstance(raised.value, CallFailed)
    assert isinstance(raised.value, (requests.exceptions.SSLError, httpx.ConnectError, httpx2.ConnectError))


# ---- a proxy --------------------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Forwards plain requests as they are, and tunnels what begins with CONNECT."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener, asked), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)


def accept(listener: socket.socket, asked: list[str]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=forward, args=(connection, asked), daemon=True).start()


def forward(client: socket.socket, asked: list[str]) -> None:
    start = client.recv(65536)
    line = start.split(b"\r\n", 1)[0].decode()
    asked.append(line)
    target = line.split()[1].removeprefix("http://").partition("/")[0]
    host, _, port = target.partition(":")
    with client, socket.create_connection((host, int(port))) as server:
        if line.startswith("CONNECT"):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            server.sendall(start)
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join(5)


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("name", names)
def test_through_a_proxy_a_500_is_tried_again(name: str, server: Server, proxy: tuple[str, list[str]]) -> None:
    server.plays(problem(500), reply(200, b"ok"))
    assert get(name, server.url + "/x", proxy=proxy[0]) == b"ok"
    assert [request.headers["fivehundred-attempt"] for request in server.seen] == ["1", "2"]
    assert proxy[1][0].startswith(f"GET {server.url}/x")


@pytest.mark.parametrize("name", names)
def test_through_a_tunnel_a_drip_ends_in_time(
    name: str, secure: TlsServer, certificate: Path, proxy: tuple[str, list[str]]
) -> None:
    secure.plays(drip(200, head, b"x" * 60, 0.05))
    began = time.monotonic()
    policy = Policy(call_s=0.5, attempt_s=0.5)
    with pytest.raises(CallFailed):
        get(name, secure.url, verify=str(certificate), proxy=proxy[0], policy=policy)
    assert time.monotonic() - began < 1.2
    assert proxy[1][0].startswith("CONNECT 127.0.0.1:")


@pytest.mark.parametrize("name", names)
def test_a_proxy_that_is_down_is_a_failed_connection(name: str, server: Server) -> None:
    server.plays(reply())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        down = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(NoAnswer) as raised:
        get(name, server.url, proxy=down)
    assert {attempt.failure for attempt in raised.value.attempts} == {"connect"}
    assert server.seen == []


# ---- redirects and streams ------------------------------------------------------------------------


@pytest.mark.parametrize("name", names)
def test_a_500_behind_a_redirect_is_tried_again(name: str, server: Server) -> None:
    server.plays(reply(302, b"", Location="/there"), problem(500), reply(200, b"ok"))
    assert get(name, server.url + "/here") == b"ok"
    assert [request.path for request in server.seen] == ["/here", "/there", "/there"]


def stream(name: str, url: str) -> Iterator[bytes]:
    if name == "requests":
        with ours_requests.Session() as session, session.get(url, stream=True) as answer:
            yield from answer.iter_content(1)
    else:
        module: Any = {"httpx": ours_httpx, "httpx2": ours_httpx2}[name]
        with module.Client() as client, client.stream("GET", url) as response:
            yield from response.iter_bytes()


@pytest.mark.parametrize("name", ["requests", "httpx", "httpx2"])
def test_a_streamed_body_comes_as_it_is_sent(name: str, server: Server) -> None:
    server.plays(problem(500), drip(200, b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n", b"x" * 10, 0.5))
    began = time.monotonic()
    assert next(stream(name, server.url)) == b"x"
    assert time.monotonic() - began < 2  # the whole takes five seconds


@pytest.mark.parametrize("name", ["requests", "httpx", "httpx2"])
def test_a_streamed_body_that_is_cut_is_the_librarys_own_error(name: str, server: Server) -> None:
    server.plays(cut(200, b"half", 8))
    own = (requests.exceptions.ChunkedEncodingError, httpx.RemoteProtocolError, httpx2.RemoteProtocolError)
    with pytest.raises(own):
        list(stream(name, server.url))
    assert len(server.seen) == 1  # part of it may have been used


# ---- OpenTelemetry --------------------------------------------------------------------------------


def test_a_failed_attempt_is_an_event_of_the_current_span(server: Server) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    server.plays(problem(503, "true"), reply())
    with provider.get_tracer("test").start_as_current_span("checkout"):
        ours_requests.Session().get(server.url)
    (span,) = exporter.get_finished_spans()
    (event,) = span.events
    assert event.name == "fivehundred.attempt_failed"
    found = dict(event.attributes or {})
    assert found.pop("fivehundred.wait_s")
    assert found == {
        "http.request.method": "GET",
        "http.request.resend_count": 0,
        "http.response.status_code": 503,
        "error.type": "503",
        "fivehundred.reference": "ab" * 16,
    }


def test_without_a_span_nothing_is_written(server: Server) -> None:
    server.plays(problem(500, "false"))
    with pytest.raises(ServerError):
        ours_requests.Session().get(server.url)
