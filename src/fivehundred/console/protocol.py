"""uvicorn's HTTP protocol with two bounds that it lacks, and a short way for what SDKs send all day.

The bounds: how long a request may take to arrive, how large its head is. A sender that connects and says nothing, or
says it a byte at a time, costs a socket for some seconds and no more. The short way: a small POST with a known key goes
from the parser to the ingest and its answer back, without a task, a scope or an ASGI message. One parser frames all
requests, and which way one goes is decided when its head is complete; pages, and whatever the ingest has to wait for,
go to uvicorn.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from fivehundred import limits
from fivehundred.console.ingest.answers import Answer
from fivehundred.console.ingest.auth import Refused
from fivehundred.console.ingest.doors import endpoint_of
from fivehundred.console.ingest.judge import Head, Opened
from fivehundred.console.ingest.route import Ingest, too_slow
from fivehundred.console.spool.base import Received

log = logging.getLogger("fivehundred.console.protocol")

_SLACK_S: Final = 5  # after the application's own 408, which says more, had its time
_nobody_waits: Final = asyncio.Event()
_broken: Final = Refused(500, "the request could not be taken; the log of the Console says why", "broken", closes=True)


class BoundedProtocol(HttpToolsProtocol):
    """The bounds cost nothing where a request arrives in one piece, which is nearly always."""

    _ingest: Ingest | None = None
    _taking: Taking | None = None  # whose body is arriving
    _deadline: asyncio.TimerHandle | None = None
    _timed: int = 0  # the request that the deadline is of
    _number = 0
    _begun = False
    _in_body = False
    _head_bytes = 0
    _heard_at = 0.0
    _silence: asyncio.TimerHandle | None = None
    _defaults: list[tuple[bytes, bytes]] | None = None
    _default_lines = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        found = self.app if isinstance(self.app, Ingest) else getattr(self.app, "ingest", None)
        self._ingest = found if isinstance(found, Ingest) else None
        self._deadline = self.loop.call_later(limits.header_seconds_max, self._expired)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        if self._silence is not None:
            self._silence.cancel()
        if self._taking is not None:
            self._taking.abandon("disconnected")
            self._taking = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        super().data_received(data)
        if not self._begun:
            if self._number:
                self._cancel()
            if self._silence is None:  # also after empty lines, which begin no request and end uvicorn's own timer
                self._silence = self.loop.call_later(self.timeout_keep_alive, self._silent)
        elif not self.transport.is_closing():
            self._bound(len(data))

    # ---- what the parser tells

    def on_message_begin(self) -> None:
        """The scope is made when it is clear that the application wants one."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._begun = True
        self._number += 1
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._in_body = True
        taking = self._short_way()
        if taking is not None:
            self.cycle = self._taking = taking
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._taking is None:
            super().on_body(body)
        else:
            self._taking.parts.append(body)

    def on_message_complete(self) -> None:
        self._begun = self._in_body = False
        taking, self._taking = self._taking, None
        if taking is None:
            super().on_message_complete()
        else:
            taking.take()

    def send_400_response(self, msg: str) -> None:
        """What follows a request is not HTTP: the sender hears of the request first, and then no more."""
        if isinstance(self.cycle, Taking) and not self.cycle.response_complete and self._taking is None:
            self.cycle.keep_alive = False
        else:
            super().send_400_response(msg)

    # ---- the short way

    def _short_way(self) -> Taking | None:
        """A POST to the ingest, in its turn, with a short body and with nothing about its head that needs thought."""
        if self._ingest is None or not self.url.startswith(b"/api/") or not self._is_quiet():
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1" or parser.should_upgrade():
            return None
        path, _, query = self.url.partition(b"?")
        if not path.isascii() or b"%" in path or b"#" in self.url:
            return None
        endpoint = endpoint_of(path.decode())
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        if endpoint is None or not length.isdigit() or len(length) > 6:
            return None
        request = self._ingest.expected(Head(endpoint, "POST", query, headers, self.client), int(length))
        return None if request is None else Taking(self, self._ingest, request, parser.should_keep_alive())

    def _is_quiet(self) -> bool:
        """Nothing of an earlier request is under way, and nobody waits to be asked for the body."""
        return not (self._is_busy() or self.expect_100_continue or self.flow.write_paused)

    def _is_busy(self) -> bool:
        return (self.cycle is not None and not self.cycle.response_complete) or bool(self.pipeline)

    def write(self, answer: Answer, keep_alive: bool) -> None:
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # the date; a new list each second
            self._defaults = defaults
            self._default_lines = b"".join(b"%s: %s\r\n" % header for header in defaults)
        close = b"" if keep_alive or b"connection: close" in answer.lines else b"connection: close\r\n"
        head = (STATUS_LINE[answer.status], self._default_lines, answer.lines, close, b"\r\n", answer.body)
        self.transport.write(b"".join(head))

    def answered(self) -> None:
        """Whoever waits behind the short way has his turn. Silence is bounded already, by one timer a connection."""
        if self.pipeline:
            self.on_response_complete()

    def on_response_complete(self) -> None:
        self._heard_at = self.loop.time()
        super().on_response_complete()

    def _silent(self) -> None:
        now = self.loop.time()
        if self._begun or self._is_busy():
            self._heard_at = now
        left = self._heard_at + self.timeout_keep_alive - now
        self._silence = self.loop.call_later(left, self._silent) if left > 0 else None
        if self._silence is None and not self.transport.is_closing():
            self.transport.close()

    # ---- the bounds

    def _bound(self, arrived: int) -> None:
        """Called with a request that is not yet complete."""
        if self._in_body:
            if self._timed != self._number:
                self._cancel()
                self._timed = self._number
                slack = 0 if self._taking is not None else _SLACK_S
                self._deadline = self.loop.call_later(limits.body_seconds_max + slack, self._expired)
            return
        self._head_bytes += arrived
        if self._head_bytes > limits.request_header_bytes_max:
            self._refuse_head()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(limits.header_seconds_max, self._expired)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expired(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._taking is not None:
            self._taking.refuse(too_slow())
            self._taking = None
        else:
            self.transport.abort()

    def _refuse_head(self) -> None:
        detail = b"the request line and headers are over the limit of %d bytes" % limits.request_header_bytes_max
        head = b"connection: close\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(detail)
        self.transport.write(STATUS_LINE[431] + head + detail)
        self.transport.close()


class Taking(RequestResponseCycle):
    """One request on the short way. It stands where uvicorn looks for the one that it answers, so that requests behind
    it wait for their turn and a stop waits for its answer."""

    def __init__(self, protocol: BoundedProtocol, ingest: Ingest, request: Opened, keep_alive: bool) -> None:
        self._protocol = protocol
        self._ingest = ingest
        self._request = request
        self.parts: list[bytes] = []
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.message_event = _nobody_waits

    def take(self) -> None:
        """The body is complete."""
        try:
            body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
            record, written = self._ingest.take(self._request, body)
        except Refused as e:
            self.refuse(e)
        except Exception:  # the edge: a mistake of ours must not look like one of the sender's
            log.exception("a request for project %s could not be taken", self._request.project)
            self.refuse(_broken)
        else:
            written.add_done_callback(partial(self._written, record))

    def refuse(self, e: Refused) -> None:
        self.keep_alive = self.keep_alive and not e.closes
        self._answer(self._ingest.refuse(e, self._request.head))

    def abandon(self, reason: str) -> None:
        self._ingest.count_refused(self._request.project, reason)

    def _written(self, record: Received, written: asyncio.Future[None]) -> None:
        error = None if written.cancelled() else written.exception()
        self._answer(self._ingest.written(self._request, record, error))

    def _answer(self, answer: Answer) -> None:
        self.response_complete = True
        transport = self._protocol.transport
        if transport.is_closing():
            return
        self._protocol.write(answer, self.keep_alive)
        if not self.keep_alive:
            transport.close()
        self._protocol.answered()
