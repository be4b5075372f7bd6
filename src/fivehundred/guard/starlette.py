"""The Guard in a Starlette application: ``guard.starlette(app)``. FastAPI is one too."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from starlette.applications import Starlette

from fivehundred.guard.asgi import AsgiGuard
from fivehundred.guard.inside import see_inside

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
