"""uvicorn's HTTP protocol with two bounds that it lacks, and a short way for what SDKs send all day.

The bounds: how long a request may take to arrive, how large its head is. A sender that connects and says nothing, or
says it a byte at a time, costs a socket for some seconds and no more. The short way: an envelope that arrives in one
piece, with a head that leaves nothing to interpret, goes to the ingest without a task, a scope or an ASGI message.
Everything else, and everything that is refused, takes the long way.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from fivehundred import limits
from fivehundred.console.ingest.route import Ingest, Simple, body_is_here
from fivehundred.console.spool.base import Received

_SLACK_S = 5  # after the application's own 408, which says more, had its time


class BoundedProtocol(HttpToolsProtocol):
    """The bounds cost nothing where a request arrives in one piece, which is nearly always."""

    _deadline: asyncio.TimerHandle | None = None
    _begun = False
    _in_body = False
    _head_bytes = 0
    _writing = False
    _closes = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._held = bytearray()
        self._deadline = self.loop.call_later(limits.header_seconds_max, self._expired)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._writing:
            self._held += data  # pipelined: in its turn
            return
        if not self._begun and data.startswith(b"POST /api/") and self._is_quiet() and self._take(data):
            return
        self._receive(data)

    # ---- the short way

    def _take(self, data: bytes) -> bool:
        ingest = getattr(self.app, "ingest", None)
        if not isinstance(ingest, Ingest):
            return False
        request = simple(data, self.client)
        if request is None:
            return False
        taken = ingest.take_at_once(request)
        if taken is None:
            return False
        record, written = taken
        self._cancel()
        self._unset_keepalive_if_required()
        self._writing = True
        written.add_done_callback(partial(self._kept, ingest, record))
        return True

    def _kept(self, ingest: Ingest, record: Received, written: asyncio.Future[None]) -> None:
        self._writing = False
        error = None if written.cancelled() else written.exception()
        status, headers, body = ingest.answer_at_once(record, error)
        if self.transport.is_closing():
            return
        lines = b"".join(b"%s: %s\r\n" % pair for pair in (*self.server_state.default_headers, *headers))
        self.transport.write(b"".join((STATUS_LINE[status], lines, b"\r\n", body)))
        if self._closes:
            self.transport.close()
            return
        self._deadline = self.loop.call_later(self.timeout_keep_alive, self._expired)
        if self._held:
            held, self._held = bytes(self._held), bytearray()
            self.data_received(held)

    def _is_quiet(self) -> bool:
        """Nothing of an earlier request is under way."""
        return (self.cycle is None or self.cycle.response_complete) and not self.pipeline and not self._closes

    def shutdown(self) -> None:
        if self._writing:
            self._closes = True  # after the answer
        else:
            super().shutdown()

    # ---- the long way

    def _receive(self, data: bytes) -> None:
        was_in_body = self._in_body
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_body:
            if not was_in_body:
                self._cancel()
                self._deadline = self.loop.call_later(limits.body_seconds_max + _SLACK_S, self._expired)
        elif self._begun:
            self._head_bytes += len(data)
            if self._head_bytes > limits.request_header_bytes_max:
                self._refuse_head()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(limits.header_seconds_max, self._expired)
        else:
            self._cancel()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._begun = self._in_body = False
        # Set before the application's task runs when all of the request came in one piece.
        self.scope[body_is_here] = True  # type: ignore[typeddict-unknown-key]
        super().on_message_complete()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expired(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _refuse_head(self) -> None:
        detail = b"the request line and headers are over the limit of %d bytes" % limits.request_header_bytes_max
        head = b"connection: close\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(detail)
        self.transport.write(STATUS_LINE[431] + head + detail)
        self.transport.close()


_PLAIN: Final = frozenset(
    (
        b"host",
        b"user-agent",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"x-sentry-auth",
        b"accept",
        b"accept-encoding",
        b"origin",
        b"referer",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"sentry-trace",
        b"baggage",
        b"traceparent",
    )
)


def simple(data: bytes, client: tuple[str, int] | None) -> Simple | None:
    """The one request that ``data`` is, when nothing about it can be read in two ways; else None.

    Only headers that are known to change nothing about the framing, each once, in the strict form; so this reader and
    the one behind it can never see two different requests in the same bytes.
    """
    head_end = data.find(b"\r\n\r\n", 0, limits.request_header_bytes_max)
    if head_end < 0:
        return None
    first, *lines = data[:head_end].split(b"\r\n")
    method, _, rest = first.partition(b" ")
    target, _, version = rest.partition(b" ")
    if method != b"POST" or version != b"HTTP/1.1" or b"%" in target or b"#" in target:
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if (name not in _PLAIN and not (name == b"connection" and value.strip().lower() == b"keep-alive")) or not colon:
            return None
        if name in headers or b"\n" in value or b"\r" in value or b"\0" in value:
            return None
        headers[name] = value.strip(b" \t")
    length = headers.get(b"content-length", b"")
    if b"host" not in headers or not length.isdigit() or len(length) > 9 or int(length) != len(data) - head_end - 4:
        return None
    path, _, query = target.partition(b"?")
    return Simple(path.decode("latin-1"), query, headers, client, data[head_end + 4 :])
