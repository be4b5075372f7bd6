"""Each pair counts its requests by route, method and first digit of the status, failures and streams included."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.conftest import running
from tests.contract.contract_points import pairs

from fivehundred import envelope
from fivehundred.guard.rates import known_by

by_name = {spec.name: spec for spec in pairs}
counting = ("aiohttp", "sanic", "tornado", "django+gunicorn", "flask+gthread", "starlette+uvicorn")
routes = {"django+gunicorn": "{}"}  # Django's templates begin with no slash


@pytest.fixture
def collector() -> Iterator[tuple[str, dict[tuple[str, str, str], int]]]:
    counts: dict[tuple[str, str, str], int] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
            for item in envelope.parse(body).items:
                if item.type == "fivehundred_rates":
                    for route, method, digit, count in json.loads(item.payload)["counts"]:
                        counts[route, method, digit] = counts.get((route, method, digit), 0) + count
            self.send_response(200)
            self.send_header(known_by, "1")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{'a' * 32}@127.0.0.1:{server.server_address[1]}/1", counts
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", counting)
def test_requests_are_counted_when_the_server_ends(name: str, collector: Any, tmp_path: Any) -> None:
    dsn, counts = collector
    with running(by_name[name], tmp_path, FIVEHUNDRED_DSN=dsn, FIVEHUNDRED_SPOOL=str(tmp_path)) as pair:
        for path, times in (("/ok", 3), ("/boom", 2), ("/db", 1), ("/stream1", 1), ("/teapot", 1), ("/sysexit", 1)):
            for _ in range(times):
                pair.get(path)
    template = routes.get(name, "/{}")
    stream = "stream<int:many>" if name.startswith("flask") else "stream1"
    expected = {
        (template.format("ok"), "GET", "2"): 4,  # the first of them asked whether it serves
        (template.format("boom"), "GET", "5"): 2,
        (template.format("db"), "GET", "5"): 1,
        (template.format(stream), "GET", "2"): 1,
        (template.format("teapot"), "GET", "4"): 1,
        (template.format("sysexit"), "GET", "5"): 1,
    }
    assert {key: count for key, count in counts.items() if key in expected} == expected, counts
