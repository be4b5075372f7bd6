"""The Guard in a Falcon application, WSGI or ASGI: ``app = guard.falcon(app)``, as the last thing done to it.

Falcon hands every exception to the error handler of its class, and one for ``Exception`` is always there: Falcon's own
makes a bare 500. That one is replaced; a handler of the application keeps its answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi

from fivehundred.guard import exchange as asgi_exchange
from fivehundred.guard import wsgi as wsgi_exchange
from fivehundred.guard.asgi import AsgiGuard
from fivehundred.guard.websocket import Socket
from fivehundred.guard.wsgi import WsgiGuard

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Any) -> WsgiGuard | AsgiGuard:
    """Gives what is to be served in the place of ``app``."""
    found = app._error_handlers.get(Exception)
    previous = None if getattr(found, "__name__", "") == "_python_error_handler" else found
    if isinstance(app, falcon.asgi.App):
        app.add_error_handler(Exception, _asgi_handler(previous))
        return AsgiGuard(guard, _granting_asgi(app))
    app.add_error_handler(Exception, _wsgi_handler(previous))
    return WsgiGuard(guard, _granting_wsgi(app))


def _wsgi_handler(previous: Any) -> Any:
    def failed(req: Any, resp: Any, ex: Exception, params: Any) -> None:
        exchange = req.env.get(wsgi_exchange.key)
        if isinstance(exchange, wsgi_exchange.Exchange):
            exchange.route = req.uri_template or ""
            exchange.exc, exchange.own = ex, True  # not marked: the handler may make a 4xx of it
            if previous is None:
                exchange.saw(ex, own=False)
        if previous is not None:
            previous(req, resp, ex, params)
        else:
            _bare(resp)

    return failed


def _asgi_handler(previous: Any) -> Any:
    takes_socket = previous is not None and "ws" in inspect.signature(previous).parameters

    async def failed(req: Any, resp: Any, ex: Exception, params: Any, ws: Any = None) -> None:
        exchange = req.scope.get(asgi_exchange.key)
        if isinstance(exchange, Socket):
            exchange.exchange.route = req.uri_template or ""
            raise ex  # a socket is answered outermost
        if isinstance(exchange, asgi_exchange.Exchange):
            exchange.route = req.uri_template or ""
            exchange.origin, exchange.default = ex, False
            if previous is None:
                exchange.saw(ex, own=False)
        if previous is not None:
            await previous(req, resp, ex, params, **({"ws": ws} if takes_socket else {}))
        else:
            _bare(resp)

    return failed


def _bare(resp: Any) -> None:
    resp.status = falcon.HTTP_500
    resp.stream = None
    resp.text = resp.data = resp.media = None


# ---- CORS, for what passes Falcon's middleware by: sys.exit() and its like, an error handler that fails ----------


def _granting_wsgi(app: Any) -> Any:
    def granting(environ: Any, start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except BaseException:
            exchange = environ.get(wsgi_exchange.key)
            if isinstance(exchange, wsgi_exchange.Exchange) and not exchange.headers:
                exchange.headers = list(_granted(app, falcon.Request(environ)))
            raise

    return granting


def _granting_asgi(app: Any) -> Any:
    async def granting(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except BaseException:
            exchange = scope.get(asgi_exchange.key)
            if isinstance(exchange, asgi_exchange.Exchange) and not exchange.start:
                headers = asgi_exchange.raw(list(_granted(app, falcon.asgi.Request(scope, receive))))
                exchange.start = {"type": "http.response.start", "status": 500, "headers": headers}
            raise

    return granting


def _granted(app: Any, req: Any) -> Iterator[tuple[str, str]]:
    """What the application's own CORS middleware grants to this request."""
    response = falcon.Response()
    for middleware in app._unprepared_middleware:
        if isinstance(middleware, falcon.CORSMiddleware):
            middleware.process_response(req, response, None, False)
    yield from response.headers.items()
