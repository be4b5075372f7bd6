"""The Guard in a Pyramid application: ``app = guard.pyramid(config)``, in the place of ``config.make_wsgi_app()``.

A tween right around Pyramid's exception views sees what they leave over, and what they answer with a 5xx. It goes on
as a response, so that what the application's tweens and subscribers grant (CORS) is granted to the answer as well; so
does what one of these tweens fails with, to those around it.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.interfaces import ITweens
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW

from fivehundred.guard.outgoing import client_gone, ends_process
from fivehundred.guard.wsgi import Exchange, WsgiGuard, key

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

Handler = Callable[[Request], Any]


def install(guard: Guard, config: Configurator) -> WsgiGuard:
    """Makes the application of ``config``, guarded."""
    config.commit()
    tweens = config.registry.queryUtility(ITweens)
    config.registry.registerUtility(partial(_contained, tweens), ITweens)
    return WsgiGuard(guard, config.make_wsgi_app())


def _contained(tweens: Any, handler: Handler, registry: Any) -> Handler:
    """Pyramid's own order of tweens, with ours around the exception views and around each tween outside of them.

    What is inside goes on as it was raised: the exception views are what makes answers of it.
    """
    outside = False
    for name, factory in reversed(tweens.explicit or tweens.implicit()):
        handler = factory(handler, registry)
        outside = outside or name == EXCVIEW
        if outside:
            handler = tween(handler, registry)
    return handler


def tween(handler: Handler, registry: Any) -> Handler:
    def around(request: Request) -> Any:
        exchange = request.environ.get(key)
        if not isinstance(exchange, Exchange):
            return handler(request)
        try:
            response = handler(request)
        except BaseException as exc:
            if ends_process(exc) or client_gone(exc):
                raise
            exchange.route = _route(request)
            exchange.saw(exc, own=False)
            return Response(status=500)
        if response.status_code >= 500:
            exchange.route = _route(request)
            cause = getattr(request, "exception", None)
            if isinstance(cause, BaseException) and cause is not response:  # else it is raised for its answer
                exchange.saw(cause, own=True)
        return response

    return around


def _route(request: Request) -> str:
    return getattr(getattr(request, "matched_route", None), "pattern", "") or ""
