"""Counts of requests that go well: what they cost, what is sent, to whom, and what becomes of it in a store."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fivehundred import envelope, limits
from fivehundred.envelope import Dsn
from fivehundred.guard.guard import Guard
from fivehundred.guard.rates import Rates, known_by, others


class Taking(http.server.ThreadingHTTPServer):
    """A collector that keeps the items it was sent."""

    def __init__(self, ours: bool) -> None:
        self.items: list[tuple[str, Any]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                server.items += [(i.type, json.loads(i.payload)) for i in envelope.parse(body).items]
                self.send_response(200)
                if ours:
                    self.send_header(known_by, "1")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def dsn(self) -> str:
        return f"http://{'a' * 32}@127.0.0.1:{self.server_address[1]}/1"


@pytest.fixture(params=[True, False], ids=["ours", "foreign"])
def collector(request: pytest.FixtureRequest) -> Iterator[Taking]:
    taking = Taking(request.param)
    yield taking
    taking.shutdown()
    taking.server_close()


def test_counts_go_to_a_console_of_ours_and_to_no_other_a_second_time(
    collector: Taking, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "rates_every_s", 0.02)
    rates = Rates(Dsn.parse(collector.dsn), {"release": "2.4.0"})
    rates.count("/orders/{id}", "GET", "2")
    for _ in range(200):
        if len(collector.items) >= (2 if "ours" in request.node.callspec.id else 1):
            break
        threading.Event().wait(0.02)
        rates.count("/orders/{id}", "GET", "2")
    threading.Event().wait(0.1)
    rates.close()
    kind, told = collector.items[0]
    assert (kind, told["release"], told["counts"][0][:3]) == (
        "fivehundred_rates",
        "2.4.0",
        ["/orders/{id}", "GET", "2"],
    )
    assert (len(collector.items) > 1) == ("ours" in request.node.callspec.id)


def test_what_was_counted_last_is_sent_at_the_end() -> None:
    collector = Taking(True)
    rates = Rates(Dsn.parse(collector.dsn), {})
    for _ in range(3):
        rates.count("/a", "GET", "2")
    rates.close()
    assert [told["counts"] for _, told in collector.items] == [[["/a", "GET", "2", 3]]]
    collector.shutdown()
    collector.server_close()


def test_without_a_dsn_nothing_is_counted() -> None:
    rates = Rates(None, {})
    rates.count("/a", "GET", "2")
    assert rates.taken() is None


def test_endless_routes_are_counted_as_others() -> None:
    rates = Rates(Dsn.parse(f"http://{'a' * 32}@127.0.0.1:1/1"), {})
    for n in range(limits.rates_keys_max * 2):
        rates.count(f"/x{n}", "GET", "2")
    told = json.loads(rates.taken() or b"{}")
    assert len(told["counts"]) <= limits.rates_keys_max + 1
    assert [others, "", "2", limits.rates_keys_max] in told["counts"]
    rates.close()


def test_a_wsgi_request_is_counted_by_its_status(tmp_path: Any) -> None:
    guard = Guard(dsn=f"http://{'a' * 32}@127.0.0.1:1/1", spool=tmp_path)

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/fails":
            raise LookupError("x")
        start("200 OK", [("content-length", "2")])
        return [b"ok"]

    guarded = guard.wsgi(app)
    for path in ("/a", "/b", "/fails"):
        list(guarded({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *a: None))
    told = json.loads(guard.rates.taken() or b"{}")
    assert sorted(told["counts"]) == [["", "GET", "2", 2], ["", "GET", "5", 1]]
    guard.close()
