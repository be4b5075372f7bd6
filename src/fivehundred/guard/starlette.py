"""The Guard in a Starlette application: ``guard.starlette(app)``. FastAPI is one too."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fivehundred.guard.asgi import AsgiGuard, Exchange, key

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

App = TypeVar("App", bound=Starlette)


def install(guard: Guard, app: App) -> App:
    """Guards ``app`` in place and gives it back: outside of everything, ServerErrorMiddleware included.

    ``add_middleware`` cannot reach there, so what builds the stack is wrapped, on this one object.
    """
    if app.middleware_stack is not None:
        app.middleware_stack = AsgiGuard(guard, app.middleware_stack)
        return app
    see_inside(app)
    build = app.build_middleware_stack
    app.__dict__["build_middleware_stack"] = lambda: AsgiGuard(guard, build())
    return app


def see_inside(app: object) -> None:
    """Has the exception seen behind BaseHTTPMiddleware, which ends a stream that broke as if it were whole.

    Nothing is added to an application that has no such middleware, or is built already.
    """
    if not isinstance(app, Starlette) or "see_inside" in app.__dict__:
        return
    build = app.build_middleware_stack

    def build_seen() -> ASGIApp:
        if any(isinstance(m.cls, type) and issubclass(m.cls, BaseHTTPMiddleware) for m in app.user_middleware):
            app.user_middleware = [*app.user_middleware, Middleware(_Inside)]
        return build()

    app.__dict__["see_inside"] = True
    app.__dict__["build_middleware_stack"] = build_seen


class _Inside:
    """The innermost middleware: tells the Guard's exchange what failed here, and whether a response had begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = scope.get(key)
        if not isinstance(exchange, Exchange):
            return await self.app(scope, receive, send)
        begun = complete = False

        async def note(message: Message) -> None:
            nonlocal begun, complete
            begun = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive, note)
        except Exception as exc:
            if not complete:
                exchange.inner, exchange.torn = exc, begun
            raise
