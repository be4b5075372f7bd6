"""The Guard in a Quart application: ``guard.quart(app)``.

As in Flask, an exception becomes a 500 page further in than any middleware sees, so three of the application's methods
are wrapped, on this one object. A handler runs in a task of its own, where ``sys.exit()`` would end the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quart import Quart, Response, has_request_context, request, websocket
from quart.signals import got_background_exception, got_serving_exception
from werkzeug.exceptions import HTTPException, InternalServerError

from fivehundred.guard import duplicates
from fivehundred.guard.asgi import AsgiGuard
from fivehundred.guard.exchange import Exchange, cancelled, key
from fivehundred.guard.outgoing import ends_process
from fivehundred.guard.websocket import Socket

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Quart) -> Quart:
    """Guards ``app`` in place and gives it back. The application's own error handlers keep their say."""
    app.__dict__["asgi_app"] = AsgiGuard(guard, app.asgi_app)  # type: ignore[arg-type]
    duplicates.watch(app.name)
    handle_exception, handle_user = app.handle_exception, app.handle_user_exception
    dispatch = app.full_dispatch_request

    async def unhandled(exc: Exception) -> Any:
        _told(exc, own=_has_handler(app, exc))
        return await handle_exception(exc)

    async def handled(exc: Exception) -> Any:
        if has_request_context() and not isinstance(exc, HTTPException):
            exchange = request.scope.get(key)
            if isinstance(exchange, Exchange):  # not marked: only a 5xx that comes of it is reported
                exchange.route = _route()
                exchange.origin, exchange.default = exc, False
        return await handle_user(exc)

    async def dispatched(context: Any = None) -> Any:
        try:
            return await dispatch(context)
        except Exception:
            raise
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                raise
            _told(exc, own=False)
            return await app.finalize_request(Response(b"", 500), from_error_handler=True)

    _sockets(app)

    async def behind(sender: Quart, exception: Exception) -> None:
        guard.report(exception, None, status=None)
        duplicates.mark(exception)

    # Quart logs both itself, after these signals
    got_background_exception.connect(behind, app, weak=False)
    got_serving_exception.connect(behind, app, weak=False)
    app.__dict__["handle_exception"] = unhandled
    app.__dict__["handle_user_exception"] = handled
    app.__dict__["full_dispatch_request"] = dispatched
    return app


def _sockets(app: Quart) -> None:
    """Of a failed WebSocket Quart makes a response, or a normal close."""
    dispatch = app.full_dispatch_websocket

    async def dispatched(context: Any = None) -> Any:
        try:
            return await dispatch(context)
        except BaseException as exc:
            found = websocket.scope.get(key)
            if ends_process(exc) or cancelled(exc) or not isinstance(found, Socket):
                raise
            found.exchange.route = getattr(websocket.url_rule, "rule", "") or ""
            found.saw(exc)
            return None

    app.__dict__["full_dispatch_websocket"] = dispatched


def _told(exc: BaseException, *, own: bool) -> None:
    exchange = request.scope.get(key)
    if isinstance(exchange, Exchange):
        exchange.route = _route()
        exchange.saw(exc, own=own)


def _route() -> str:
    return getattr(request.url_rule, "rule", "") or ""


def _has_handler(app: Quart, exc: Exception) -> bool:
    """Whether the application answers this with a handler for 500, InternalServerError or Exception."""
    error = InternalServerError(original_exception=exc)
    return app._find_error_handler(error, request.blueprints) is not None
