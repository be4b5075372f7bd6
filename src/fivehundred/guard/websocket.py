"""The Guard's answer on a WebSocket: HTTP 500 before it is accepted, close code 1011 with the reference after.

RFC 6455 section 7.4.1 has 1011 for a server that met an unexpected condition; a reason may have 123 bytes.
"""

from __future__ import annotations

from fivehundred.guard.exchange import AsgiApp, Exchange, Message, cancelled, raw
from fivehundred.guard.outgoing import client_gone, ends_process


class Socket:
    """One WebSocket connection."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.server_send = exchange.server_send
        self.accepted = self.closed = False

    async def run(self, app: AsgiApp) -> None:
        try:
            await app(self.exchange.scope, self.receive, self.send)
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                raise
            if not (client_gone(exc) or self.closed):
                await self._failed(exc)

    async def receive(self) -> Message:
        message = await self.exchange.server_receive()
        if message["type"] == "websocket.disconnect":
            self.closed = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] in ("websocket.close", "websocket.http.response.start"):
            self.closed = True
        await self.server_send(message)

    async def _failed(self, exc: BaseException) -> None:
        exchange = self.exchange
        if self.accepted:
            reference = exchange.guard.report(exc, exchange.parts(), status=None)
            await self.server_send({"type": "websocket.close", "code": 1011, "reason": reference[:123]})
            return
        answer = exchange.guard.handle(exc, exchange.parts())
        if "websocket.http.response" in (exchange.scope.get("extensions") or {}):
            headers = raw(answer.headers)
            start = {"type": "websocket.http.response.start", "status": answer.status, "headers": headers}
            await self.server_send(start)
            await self.server_send({"type": "websocket.http.response.body", "body": answer.body})
        else:
            await self.server_send({"type": "websocket.close", "code": 1011})
