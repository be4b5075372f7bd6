"""The Guard in a Litestar application: ``guard.litestar(app)``, before the first request.

Litestar looks a handler up by class, then by status. Ours is the one for status 500 of the whole application, which
every handler of the application's own comes before; around all of it, and around its CORS, stands the Guard.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, WebSocketException
from litestar.exceptions.responses import create_exception_response

from fivehundred.guard.asgi import AsgiGuard
from fivehundred.guard.exchange import Exchange, key
from fivehundred.guard.websocket import Socket

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Litestar) -> Litestar:
    """Guards ``app`` in place and gives it back."""
    app.exception_handlers.setdefault(500, _unhandled)
    app.after_exception.append(_seen)
    app.asgi_handler = AsgiGuard(guard, app.asgi_handler)  # type: ignore[arg-type, assignment]

    @asynccontextmanager
    async def lived(app: Litestar) -> AsyncIterator[None]:
        try:
            yield
        except Exception as exc:
            guard.report(exc, None, status=None)
            raise

    app._lifespan_managers.insert(0, lived)  # Litestar's lifespan does not go through asgi_handler
    return app


async def _seen(exc: Exception, scope: Any) -> None:
    """Called before the handler of an exception: whatever answers with a 5xx, this is what it is about."""
    exchange = scope.get(key)
    if isinstance(exchange, Socket) and not isinstance(exc, WebSocketException):
        exchange.exchange.route = str(scope.get("path_template", ""))
        if getattr(exc, "status_code", 500) >= 500:
            exchange.saw(exc)
    elif isinstance(exchange, Exchange) and getattr(exc, "status_code", 500) >= 500:
        exchange.route = str(scope.get("path_template", ""))
        exchange.origin, exchange.default = exc, False  # not marked: its handler may make a 4xx of it


def _unhandled(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
    if isinstance(exc, HTTPException) and not _from_litestar(exc):  # the application's own words
        return create_exception_response(request, exc)
    exchange = request.scope.get(key)
    if isinstance(exchange, Exchange):
        exchange.saw(exc, own=False)
    return Response(b"", status_code=500, media_type="text/plain")


def _from_litestar(exc: Exception) -> bool:
    """Whether Litestar raised it about a failure: its text would go to the client."""
    found = exc.__traceback__
    while found is not None and found.tb_next is not None:
        found = found.tb_next
    module = found.tb_frame.f_globals.get("__name__", "") if found is not None else ""
    return exc.__cause__ is not None or str(module).startswith("litestar.")
