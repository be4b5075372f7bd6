"""For the tests of applications that use the Guard: what was reported, and a collector that really receives.

``reported(guard)`` reads the events of a Guard in ``mode="testing"``; ``set_active`` silences one. ``Sink`` is a small
HTTP server on loopback that takes envelopes as a Console does, and can be told to refuse, to hang, or to be down.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import loads
from types import TracebackType
from typing import TYPE_CHECKING

from fivehundred.envelope import Envelope, parse
from fivehundred.event import Event, new_id
from fivehundred.event import parse as parse_event

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


@contextmanager
def reported(guard: Guard) -> Iterator[list[Event]]:
    """The events that are reported inside of the block, as they would have been sent. Needs ``mode="testing"``."""
    if guard.mode != "testing":
        raise ValueError(f'reported() needs Guard(mode="testing"); this one is in mode {guard.mode!r}')
    before = {id(event) for event in guard.events}
    found: list[Event] = []
    yield found
    found.extend(event for event in guard.events if id(event) not in before)


def set_active(guard: Guard, active: bool) -> None:
    """``False``: failures are answered as always, with a reference, and no event is made, logged or sent of them.

    For tests that fail on purpose and are about something else. ``True`` ends it.
    """
    if active:
        guard.__dict__.pop("_report", None)
    else:
        guard.__dict__["_report"] = lambda *_: new_id()


class Sink:
    """A collector for tests: ``with Sink() as sink: Guard(sink.dsn)``; then ``sink.wait(1)`` and ``sink.events``."""

    def __init__(self, port: int = 0) -> None:
        self.envelopes: list[Envelope] = []
        self.events: list[Event] = []
        self.requests = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hang_s = 0.0
        self.bytes_max = 0  # of one envelope, unpacked; a larger one is answered 413. 0: any size is taken
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.dsn = f"http://testkey@127.0.0.1:{self.port}/1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def wait(self, events: int, timeout_s: float = 5) -> bool:
        """Waits until so many events have arrived; whether they have."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.events) >= events, timeout_s)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, body: bytes) -> None:
        envelope = parse(body)
        with self._arrived:
            self.envelopes.append(envelope)
            for item in envelope.items:
                if item.type == "event":
                    self.events.append(parse_event(loads(item.payload), received_at=time.time()))
            self._arrived.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # status, headers and body in one segment: else Nagle's algorithm takes 40 ms a request

            def do_POST(self) -> None:
                sink.requests += 1
                if sink.hang_s:
                    time.sleep(sink.hang_s)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = zlib.decompress(body, wbits=31)
                status = 413 if 0 < sink.bytes_max < len(body) else sink.status
                if 200 <= status < 300:
                    sink._take(body)
                self.send_response(status)
                for name, value in {**sink.headers, "Content-Length": "2"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"{}")

            log_message: Callable[..., None] = staticmethod(lambda *_: None)

        return Handler
