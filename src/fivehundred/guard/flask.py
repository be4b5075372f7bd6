"""The Guard in a Flask application: ``guard.flask(app)``.

Flask turns an exception into its 500 page inside ``wsgi_app``, where no WSGI middleware sees it. So three of the
application's methods are wrapped, on this one object, to tell the Guard around it which exception it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, InternalServerError

from fivehundred.guard import duplicates
from fivehundred.guard.flight import current
from fivehundred.guard.outgoing import ends_process
from fivehundred.guard.user import of_object
from fivehundred.guard.wsgi import Exchange, WsgiGuard, key, route_of

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Flask) -> Flask:
    """Guards ``app`` in place and gives it back. The application's own error handlers keep their say."""
    app.__dict__["wsgi_app"] = WsgiGuard(guard, app.wsgi_app)
    duplicates.watch(app.name)  # the name of app.logger; asking for the logger itself would configure it
    handle_exception, handle_user_exception = app.handle_exception, app.handle_user_exception
    dispatch = app.full_dispatch_request

    def unhandled(exc: Exception) -> Any:
        exchange = _exchange()
        if exchange is not None:
            exchange.route = route_of(request.environ)
            exchange.saw(exc, own=_has_handler(app, exc))
            exchange.user = exchange.user or of_object(g.get("_login_user"))  # Flask-Login's, if it is used
            exchange.propagate = app.testing and app.config["PROPAGATE_EXCEPTIONS"] is not False
        return handle_exception(exc)

    def handled(exc: Exception) -> Any:
        exchange = _exchange()
        if exchange is not None and not isinstance(exc, HTTPException):
            exchange.exc, exchange.own = exc, True  # only a 5xx that comes of it is reported
        return handle_user_exception(exc)

    def dispatched(*args: Any) -> Any:
        try:
            response = dispatch(*args)
            if type(response) is Response and not response._on_close:
                _lies_ready(response.response)
            return response
        except Exception:
            raise
        except BaseException as exc:  # sys.exit() and the like pass Flask by, and with it what grants CORS
            exchange = _exchange()
            if exchange is None or ends_process(exc):
                raise
            exchange.route = route_of(request.environ)
            exchange.saw(exc, own=False)
            return app.finalize_request(app.response_class(b"", 500), from_error_handler=True)

    app.__dict__["handle_exception"] = unhandled
    app.__dict__["full_dispatch_request"] = dispatched
    app.__dict__["handle_user_exception"] = handled
    return app


def _lies_ready(body: object) -> None:
    """Of a response without callbacks: a body that is bytes already cannot fail, so nothing has to be pulled for it."""
    exchange = current()
    if type(exchange) is Exchange and type(body) is list and len(body) == 1 and type(body[0]) is bytes:
        exchange.ready = True


def _exchange() -> Exchange | None:
    found = request.environ.get(key)
    return found if isinstance(found, Exchange) else None


def _has_handler(app: Flask, exc: Exception) -> bool:
    """Whether the application answers this with a handler for 500, InternalServerError or Exception."""
    error = InternalServerError(original_exception=exc)
    return app._find_error_handler(error, request.blueprints) is not None
