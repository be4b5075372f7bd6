"""The Guard's answer on a WebSocket: HTTP 500 before it is accepted, close code 1011 with the reference after.

RFC 6455 section 7.4.1 has 1011 for a server that met an unexpected condition; a reason may have 123 bytes.
"""

from __future__ import annotations

from typing import Final

from fivehundred.guard import duplicates
from fivehundred.guard.exchange import AsgiApp, Exchange, Message, cancelled, key, raw
from fivehundred.guard.outgoing import client_gone, ends_process

close_code: Final = 1011


class Socket:
    """One WebSocket connection. What runs inside finds it in the scope to tell what it knows."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.server_send = exchange.server_send
        self.accepted = self.closed = False
        self.failure: BaseException | None = None  # a framework will close the connection over it, in its own way

    async def run(self, app: AsgiApp) -> None:
        scope = self.exchange.scope
        self.exchange.guard.flights.enter(self.exchange, "GET", scope.get("path", ""))
        scope[key] = self
        try:
            await app(scope, self.receive, self.send)
            if self.failure is not None and not self.closed:
                await self._failed(self.failure)
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                self.exchange.guard.ended(exc, self.exchange.asked())
                raise
            if not (client_gone(exc) or self.closed):
                await self._failed(exc)
        finally:
            scope.pop(key, None)
            self.exchange.end()

    def saw(self, exc: BaseException) -> None:
        """A framework is about to close the connection over ``exc``: what it sends is replaced."""
        self.failure = exc
        duplicates.mark(exc)

    async def receive(self) -> Message:
        message = await self.exchange.server_receive()
        if message["type"] == "websocket.disconnect":
            self.closed = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self.accepted = True
        elif self.failure is not None:
            if not self.closed:
                await self._failed(self.failure)
            return  # also of the body of a framework's own answer
        elif kind in ("websocket.close", "websocket.http.response.start"):
            self.closed = True
        await self.server_send(message)

    async def _failed(self, exc: BaseException) -> None:
        self.closed = True
        exchange = self.exchange
        if self.accepted:
            reference = exchange.guard.report(exc, exchange.asked(), status=None)
            await self.server_send({"type": "websocket.close", "code": close_code, "reason": reference[:123]})
            return
        answer = exchange.guard.handle(exc, exchange.asked())
        if "websocket.http.response" in (exchange.scope.get("extensions") or {}):
            headers = raw(answer.headers)
            start = {"type": "websocket.http.response.start", "status": answer.status, "headers": headers}
            await self.server_send(start)
            await self.server_send({"type": "websocket.http.response.body", "body": answer.body})
        else:
            await self.server_send({"type": "websocket.close", "code": close_code})
