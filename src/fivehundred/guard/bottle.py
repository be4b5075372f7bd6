"""The Guard in a Bottle application: ``guard.bottle(app)``.

Bottle prints an exception to ``wsgi.errors`` and sends its page with the reason. With ``catchall`` off, its own switch
for middleware that handles exceptions, they leave it; where the application has an error handler for 500 that answers.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bottle import Bottle, HTTPError, response

from fivehundred.guard.wsgi import Environ, Exchange, WsgiGuard, key, route_of

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Bottle) -> Bottle:
    """Guards ``app`` in place and gives it back."""
    app.catchall = False
    app.wsgi = WsgiGuard(guard, _granting(app.wsgi))
    handle = app._handle

    def handled(environ: Environ) -> Any:
        try:
            return handle(environ)
        except Exception as exc:
            exchange = environ.get(key)
            if isinstance(exchange, Exchange):
                exchange.route = route_of(environ)
                if 500 in app.error_handler:
                    exchange.saw(exc, own=True)
                    return HTTPError(500, "Internal Server Error", exc)
            raise

    app._handle = handled
    return app


def _granting(wsgi: Any) -> Any:
    """What hooks have granted by the time it fails is told to the Guard: CORS is kept, nothing else."""

    def granting(environ: Environ, start_response: Any) -> Any:
        try:
            return wsgi(environ, start_response)
        except BaseException:
            exchange = environ.get(key)
            if isinstance(exchange, Exchange) and not exchange.headers:
                exchange.headers = list(response.headerlist)
            raise

    return granting
