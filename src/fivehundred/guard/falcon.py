"""The Guard in a Falcon application, WSGI or ASGI: ``app = guard.falcon(app)``, as the last thing done to it.

Falcon hands every exception to the error handler of its class, and one for ``Exception`` is always there: Falcon's own
makes a bare 500. That one is replaced; a handler of the application keeps its answer.
"""

from __future__ import annotations

import inspect
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
        return AsgiGuard(guard, app)  # type: ignore[arg-type]  # it wants a dict where ASGI has a mapping
    app.add_error_handler(Exception, _wsgi_handler(previous))
    return WsgiGuard(guard, app)


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
