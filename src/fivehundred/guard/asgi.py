"""The Guard around any ASGI application: which scope is whose. What happens to a response is in exchange.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivehundred.guard import deadline, duplicates, lifespan
from fivehundred.guard.exchange import AsgiApp, Exchange, Receive, Scope, Send, key
from fivehundred.guard.inside import see_inside
from fivehundred.guard.websocket import Socket

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


class AsgiGuard:
    """An ASGI application around an ASGI application. Put it outermost; a second one inside does nothing."""

    def __init__(self, guard: Guard, app: AsgiApp) -> None:
        self.guard = guard
        self.enter = guard.flights.enter
        self.app = deadline.asgi(app) if guard.deadline else app
        duplicates.watch(*duplicates.servers)
        see_inside(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and key not in scope:
            exchange = scope[key] = Exchange(self.guard, scope, receive, send)
            self.enter(exchange, scope["method"], scope["path"])
            try:
                await self.app(scope, exchange.receive, exchange.send)
                if not (exchange.done and exchange.plain):
                    await exchange.finish()
            except BaseException as exc:
                await exchange.failed(exc)
            finally:
                scope.pop(key, None)  # the two refer to each other: else every request is work for the collector
                exchange.over()
        elif key in scope:
            await self.app(scope, receive, send)
        elif kind == "lifespan":
            await lifespan.run(self.guard, self.app, scope, receive, send)
        else:
            await Socket(Exchange(self.guard, scope, receive, send)).run(self.app)
