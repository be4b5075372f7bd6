"""Other services: down, slow, refusing, changed; names, certificates, clocks."""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import requests
from tests.scenarios.scenario import scenario
from tests.scenarios.servers import certificate, upstream
from tests.scenarios.stage import Stage

from fivehundred.demo.ports import free_port


@scenario("ov-015 upstream refuses, requests", "overload", "clears", "ECONNREFUSED", "bug", "database")
def _(stage: Stage) -> None:
    port = free_port()

    def rates(request: Any) -> Any:
        return requests.get(f"http://127.0.0.1:{port}/rates", timeout=2).json()

    stage.get(rates)


@scenario("ov-015b upstream refuses, httpx", "overload", "clears", "ECONNREFUSED|ConnectError", "bug", "database")
def _(stage: Stage) -> None:
    port = free_port()

    def rates(request: Any) -> Any:
        return httpx.get(f"http://127.0.0.1:{port}/rates").json()

    stage.get(rates)


@scenario("ov-015c upstream refuses, urllib", "overload", "clears", "ECONNREFUSED", "bug", "database")
def _(stage: Stage) -> None:
    port = free_port()

    def rates(request: Any) -> Any:
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/rates", timeout=2))

    stage.get(rates)


def silent(stage: Stage) -> int:
    server = socket.create_server(("127.0.0.1", 0))
    stage.exits.callback(server.close)
    return int(server.getsockname()[1])


@scenario("ov-016 upstream read timeout, requests", "overload", "yes", "Timeout", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    port = silent(stage)

    def rates(request: Any) -> Any:
        return requests.get(f"http://127.0.0.1:{port}/rates", timeout=0.3).json()

    stage.get(rates)


@scenario("ov-016b upstream read timeout, httpx", "overload", "yes", "Timeout", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    port = silent(stage)

    def rates(request: Any) -> Any:
        return httpx.get(f"http://127.0.0.1:{port}/rates", timeout=0.3).json()

    stage.get(rates)


@scenario(
    "ov-016c upstream read timeout, urllib",
    "overload",
    "yes",
    "imeout|time-out|timed out|wait for an answer",
    "misconfiguration",
    "bug",
)
def _(stage: Stage) -> None:
    port = silent(stage)

    def rates(request: Any) -> Any:
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/rates", timeout=0.3))

    stage.get(rates)


def answering(stage: Stage, status: int, kind: str, body: bytes) -> int:
    return stage.exits.enter_context(upstream(lambda path: (status, kind, body)))


@scenario("ov-017 upstream answers 503", "overload", "yes", "503", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    port = answering(stage, 503, "text/plain", b"busy")

    def rates(request: Any) -> Any:
        answer = requests.get(f"http://127.0.0.1:{port}/rates", timeout=2)
        answer.raise_for_status()
        return answer.json()

    stage.get(rates)


@scenario("ov-018 upstream answers 429, httpx", "overload", "yes", "429", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    port = answering(stage, 429, "text/plain", b"slow down")

    def rates(request: Any) -> Any:
        return httpx.get(f"http://127.0.0.1:{port}/rates").raise_for_status().json()

    stage.get(rates)


@scenario("mc-018 API key revoked", "misconfiguration", "no", "401", "security", "bug")
def _(stage: Stage) -> None:
    port = answering(stage, 401, "application/json", b'{"error": "invalid key"}')

    def pay(request: Any) -> Any:
        answer = requests.post(f"http://127.0.0.1:{port}/pay", headers={"Authorization": "Bearer k"}, timeout=2)
        answer.raise_for_status()
        return answer.json()

    stage.post(pay, {})


@scenario("mc-018b API key revoked, urllib", "misconfiguration", "no", "403", "security", "bug")
def _(stage: Stage) -> None:
    port = answering(stage, 403, "application/json", b"{}")

    def pay(request: Any) -> Any:
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/pay", timeout=2))

    stage.get(pay)


@scenario("bg-018 upstream answers HTML with 200", "bug", "no", "JSON|answer", "misconfiguration", "security")
def _(stage: Stage) -> None:
    port = answering(stage, 200, "text/html", b"<html>maintenance</html>")

    def rates(request: Any) -> Any:
        return requests.get(f"http://127.0.0.1:{port}/rates", timeout=2).json()

    stage.get(rates)


@scenario("bg-018b upstream renamed a field", "bug", "no", "KeyError|answer", "misconfiguration", "security")
def _(stage: Stage) -> None:
    port = answering(stage, 200, "application/json", b'{"exchange_rates": {"USD": 1}}')

    def rates(request: Any) -> Any:
        answer = requests.get(f"http://127.0.0.1:{port}/rates", timeout=2).json()
        return {"USD": answer["rates"]["USD"]}

    stage.get(rates)


@scenario("bg-019 upstream answers 404 to a path of ours", "bug", "no", "404", "security")
def _(stage: Stage) -> None:
    port = answering(stage, 404, "text/plain", b"no")

    def rates(request: Any) -> Any:
        answer = requests.get(f"http://127.0.0.1:{port}/v1/rates", timeout=2)
        answer.raise_for_status()
        return answer.json()

    stage.get(rates)


@scenario(
    "mc-010 host name does not exist",
    "misconfiguration",
    "no",
    "EAI_NONAME|EAI_NODATA|EAI_AGAIN|resol",
    "overload",
    "bug",
)
def _(stage: Stage) -> None:
    _resolver(stage, socket.EAI_NONAME, "Name or service not known")

    def rates(request: Any) -> Any:
        return requests.get("http://rates.invalid/rates", timeout=2).json()

    stage.get(rates)


@scenario("mc-012 DNS server unreachable", "misconfiguration", "clears", "EAI_AGAIN|resolver", "overload", "bug")
def _(stage: Stage) -> None:
    _resolver(stage, socket.EAI_AGAIN, "Temporary failure in name resolution")

    def rates(request: Any) -> Any:
        return requests.get("http://rates.example.com/rates", timeout=2).json()

    stage.get(rates)


def _resolver(stage: Stage, code: int, words: str) -> None:
    """The outside world: what a resolver answers is not ours to choose here, and this machine may have none."""
    before = socket.getaddrinfo

    def answered(host: Any, *more: Any, **most: Any) -> Any:
        if isinstance(host, str) and host.startswith("rates."):
            raise socket.gaierror(code, words)
        return before(host, *more, **most)

    socket.getaddrinfo = answered
    stage.exits.callback(setattr, socket, "getaddrinfo", before)


def secure(stage: Stage, name: str, **dates: str) -> tuple[int, str]:
    context = certificate(stage.folder, name, **dates)
    port = stage.exits.enter_context(upstream(lambda path: (200, "application/json", b"{}"), context))
    return port, str(stage.folder / "cert.pem")


def _day(days: int) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


@scenario("mc-013 TLS certificate expired", "misconfiguration", "no", "X509_10|expired", "overload", "bug", "security")
def _(stage: Stage) -> None:
    port, trusted = secure(stage, "127.0.0.1", end=_day(-1))

    def rates(request: Any) -> Any:
        return requests.get(f"https://127.0.0.1:{port}/", timeout=2, verify=trusted).json()

    stage.get(rates)


@scenario(
    "mc-014 certificate not yet valid", "misconfiguration", "no", "X509_9|not yet valid", "overload", "bug", "security"
)
def _(stage: Stage) -> None:
    port, trusted = secure(stage, "127.0.0.1", start=_day(300))

    def rates(request: Any) -> Any:
        context = ssl.create_default_context(cafile=trusted)
        return json.load(urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=2, context=context))

    stage.get(rates)


@scenario(
    "mc-015 unknown certificate authority",
    "misconfiguration",
    "no",
    "X509_1[89]|X509_20|self-signed",
    "overload",
    "bug",
    "security",
)
def _(stage: Stage) -> None:
    port, _ = secure(stage, "127.0.0.1")

    def rates(request: Any) -> Any:
        return httpx.get(f"https://127.0.0.1:{port}/").json()

    stage.get(rates)


@scenario(
    "mc-016 certificate for another host",
    "misconfiguration",
    "no",
    "X509_6[24]|mismatch|match",
    "overload",
    "bug",
    "security",
)
def _(stage: Stage) -> None:
    port, trusted = secure(stage, "shop.example")

    def rates(request: Any) -> Any:
        return requests.get(f"https://127.0.0.1:{port}/", timeout=2, verify=trusted).json()

    stage.get(rates)


@scenario(
    "mc-017 TLS to a port that speaks plain HTTP",
    "misconfiguration",
    "no",
    "WRONG_VERSION|wrong version|RECORD",
    "overload",
    "bug",
)
def _(stage: Stage) -> None:
    port = answering(stage, 200, "application/json", b"{}")

    def rates(request: Any) -> Any:
        return requests.get(f"https://127.0.0.1:{port}/", timeout=2).json()

    stage.get(rates)


@scenario("x-none-url address read from settings is None", "misconfiguration", "no", "None|URL", "overload", "security")
def _(stage: Stage) -> None:
    base = os.environ.get("RATES_URL_NOT_SET")

    def rates(request: Any) -> Any:
        return requests.get(f"{base}/rates", timeout=2).json()

    stage.get(rates)


@scenario(
    "ov-019 connection reset by the upstream",
    "overload",
    "clears",
    "ECONNRESET|RemoteDisconnected|Remote end|reset|closed",
    "bug",
    "database",
)
def _(stage: Stage) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    stage.exits.callback(server.close)

    def close_at_once() -> None:
        try:
            while True:
                connection, _ = server.accept()
                connection.recv(10)
                connection.close()
        except OSError:
            return

    threading.Thread(target=close_at_once, daemon=True).start()

    def rates(request: Any) -> Any:
        return requests.get(f"http://127.0.0.1:{server.getsockname()[1]}/rates", timeout=2).json()

    stage.get(rates)


@scenario(
    "ov-004 too many open files by traffic",
    "overload",
    "clears",
    "EMFILE|descriptors",
    "misconfiguration",
    "database",
    needs="root",
    alone=True,
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    _without_descriptors(stage, lambda: Path("/etc/hostname").read_text())


@scenario(
    "mx-002 DNS fails because no descriptors are left",
    "overload",
    "clears",
    "EMFILE|descriptors",
    "misconfiguration",
    "database",
    needs="root",
    alone=True,
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    _without_descriptors(stage, lambda: requests.get("http://rates.example.com/", timeout=1).text)


def _without_descriptors(stage: Stage, act: Any) -> None:
    import resource

    def ping(request: Any) -> Any:
        return {}

    stage.get(ping)
    server = socket.create_server(("127.0.0.1", 0), backlog=200)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[socket.socket] = []

    def serve(request: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
        try:
            for _ in range(200):
                held.append(socket.create_connection(("127.0.0.1", server.getsockname()[1])))
        except OSError:
            pass
        return {"read": act()}

    stage.get(serve)
    for one in held:
        one.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    time.sleep(0.2)


@scenario(
    "ov-006 descriptors leaked by the code",
    "bug",
    "clears",
    "EMFILE|descriptors",
    "overload",
    needs="root",
    alone=True,
    ways=("guard-wsgi",),
)
def _(stage: Stage) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept: list[Any] = []

    def thumbnail(request: Any) -> Any:
        file = open("/etc/hostname")  # noqa: SIM115  # the fault itself
        kept.append(file)
        return {"chars": len(file.read())}

    stage.get(thumbnail)
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
    while stage.get(thumbnail) == 200:
        continue
    for one in kept:
        one.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@scenario(
    "ov-007 one big request runs out of memory",
    "overload",
    "clears",
    "MemoryError|memory",
    "bug",
    needs="root",
    alone=True,
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    import resource

    def export(request: Any) -> Any:
        rows = ["x" * 1_000_000 for _ in range(5_000)]
        rows = [str(number) * 1_000_000 for number, _ in enumerate(rows)]
        return {"rows": len(rows)}

    def ping(request: Any) -> Any:
        return {}

    stage.get(ping)
    resource.setrlimit(resource.RLIMIT_AS, (900 << 20, resource.RLIM_INFINITY))
    stage.get(export)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@scenario("ov-008 memory leak", "bug", "clears", "MiB", "overload", needs="root", alone=True, ways=("guard-wsgi",))
def _(stage: Stage) -> None:
    import resource

    seen_cache: list[bytes] = []

    def track(request: Any) -> Any:
        seen_cache.append(os.urandom(20_000_000))
        return {}

    stage.get(track)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    # what is left when the next 20 MB do not fit is enough to read a source line and start a thread
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (609 << 20), resource.RLIM_INFINITY))
    while stage.get(track) == 200:
        continue
    seen_cache.clear()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    deliver(stage, track)


@scenario(
    "ov-005 no more threads", "overload", "clears", "thread", "bug", needs="root", alone=True, ways=("guard-wsgi",)
)
def _(stage: Stage) -> None:
    import resource

    stop = threading.Event()

    def fan_out(request: Any) -> Any:
        # a limit on memory stops threads as a limit on tasks does: each wants its stack
        resource.setrlimit(resource.RLIMIT_AS, (1_600 << 20, resource.RLIM_INFINITY))
        threading.stack_size(64 << 20)  # what is left for everything else is less than one of them
        for _ in range(500):
            threading.Thread(target=stop.wait, daemon=True).start()
        return {}

    def ping(request: Any) -> Any:
        return {}

    stage.get(ping)
    stage.get(fan_out)
    stop.set()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    threading.stack_size(0)
    deliver(stage, fan_out)


def deliver(stage: Stage, meant: Any) -> None:
    """The Guard could start no thread meanwhile: what it has kept goes out with the next failure."""

    def later(request: Any) -> Any:
        raise ValueError("after it")

    stage.wanted = meant.__name__.replace("_", "-")
    stage.get(later)
