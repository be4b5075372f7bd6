"""The Guard in a Litestar application: ``guard.litestar(app)``, before the first request.

Litestar looks a handler up by class, then by status. Ours is the one for status 500 of the whole application, which
every handler of the application's own comes before; around all of it, and around its CORS, stands the Guard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response

from fivehundred.guard.asgi import AsgiGuard
from fivehundred.guard.exchange import Exchange, key

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Litestar) -> Litestar:
    """Guards ``app`` in place and gives it back."""
    app.exception_handlers.setdefault(500, _unhandled)
    app.after_exception.append(_seen)
    app.asgi_handler = AsgiGuard(guard, app.asgi_handler)  # type: ignore[arg-type, assignment]
    return app


async def _seen(exc: Exception, scope: Any) -> None:
    """Called before the handler of an exception: whatever answers with a 5xx, this is what it is about."""
    exchange = scope.get(key)
    if isinstance(exchange, Exchange) and getattr(exc, "status_code", 500) >= 500:
        exchange.route = str(scope.get("path_template", ""))
        exchange.origin, exchange.default = exc, False  # not marked: its handler may make a 4xx of it


def _unhandled(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    exchange = request.scope.get(key)
    if isinstance(exchange, Exchange) and not hasattr(exc, "status_code"):
        exchange.saw(exc, own=False)
    return Response(b"", status_code=500, media_type="text/plain")
