"""Sees an exception behind Starlette's BaseHTTPMiddleware, which ends a stream that broke as if it were whole.

Works on what an application object shows (``user_middleware``, ``build_middleware_stack``), so nothing is imported;
an application without such middleware is left as it is.
"""

from __future__ import annotations

from typing import Any

from fivehundred.guard.exchange import AsgiApp, Exchange, Message, Receive, Scope, Send, cancelled, key
from fivehundred.guard.outgoing import Stopped, ends_process, handled_now


def see_inside(app: Any) -> None:
    """Adds the innermost middleware when the stack is built; to be called before that."""
    build = getattr(app, "build_middleware_stack", None)
    if build is None or "see_inside" in app.__dict__:
        return

    def build_seen() -> AsgiApp:
        hiding = next((entry for entry in app.user_middleware if _hides(entry)), None)
        if hiding is not None:
            app.user_middleware = [*app.user_middleware, type(hiding)(Inside)]
        stack: AsgiApp = build()
        return stack

    app.__dict__["see_inside"] = True
    app.__dict__["build_middleware_stack"] = build_seen


def _hides(entry: Any) -> bool:
    cls = getattr(entry, "cls", None)
    return isinstance(cls, type) and any(base.__name__ == "BaseHTTPMiddleware" for base in cls.__mro__)


class Inside:
    """The innermost middleware: tells the Guard's exchange what failed here, and whether a response had begun."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = scope.get(key)
        if not isinstance(exchange, Exchange):
            return await self.app(scope, receive, send)
        begun = complete = False

        async def note(message: Message) -> None:
            nonlocal begun, complete
            if not begun and message.get("status", 0) >= 500:
                exchange.inner = handled_now()  # a handler of exceptions answers: further out nobody would see of what
            begun = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive, note)
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                raise
            if not complete:
                exchange.inner, exchange.torn = exc, begun
                exchange.plain = exchange.plain and not begun
            if issubclass(type(exc), Exception):
                raise
            raise Stopped from None  # a task that ends with SystemExit takes its event loop along
