"""uvicorn's HTTP protocol with two bounds that it lacks: how long a request may take to arrive, how large its head is.

A sender that connects and says nothing, or says it a byte at a time, costs a socket for some seconds and no more.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from fivehundred import limits
from fivehundred.console.ingest.route import body_is_here

_SLACK_S = 5  # after the application's own 408, which says more, had its time


class BoundedProtocol(HttpToolsProtocol):
    """The bounds cost nothing where a request arrives in one piece, which is nearly always."""

    _deadline: asyncio.TimerHandle | None = None
    _begun = False
    _in_body = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(limits.header_seconds_max, self._expired)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
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
