"""Keeps CORS on the 500: in Starlette and FastAPI the CORS middleware sits inside what answers exceptions, and
``sys.exit()`` passes it by in Litestar.

The answer is sent through the application's own CORS middleware, made once more with the same arguments, so it grants
exactly what every other answer is granted. Nothing is imported: the classes are the application's.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple


def known(scope: MutableMapping[str, Any]) -> bool:
    """Whether the application that the request had reached has CORS middleware that can be asked."""
    return bool(_middleware(scope))


def around(answer: Callable[..., Any], scope: MutableMapping[str, Any]) -> Callable[..., Any]:
    """``answer`` (an ASGI application) within the CORS middleware of the application that the request had reached."""
    if scope.get("method") == "OPTIONS" and b"access-control-request-method" in dict(scope.get("headers", ())):
        return answer  # the middleware would answer the preflight in our place
    for entry in reversed(_middleware(scope)):
        answer = entry.cls(answer, *entry.args, **entry.kwargs)
    return answer


def _middleware(scope: MutableMapping[str, Any]) -> list[Any]:
    entries = getattr(scope.get("app"), "user_middleware", None)
    if not isinstance(entries, list):
        return _litestars(scope)
    return [entry for entry in entries if any(c.__name__ == "CORSMiddleware" for c in _bases(entry))]


class _Entry(NamedTuple):
    cls: type
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _litestars(scope: MutableMapping[str, Any]) -> list[Any]:
    """Litestar makes its own from a configuration, around all of the application."""
    layer = getattr(scope.get("litestar_app"), "asgi_handler", None)
    while layer is not None:
        if type(layer).__name__ == "CORSMiddleware":
            return [_Entry(type(layer), (), {"config": layer.config})]
        layer = getattr(layer, "app", None)
    return []


def _bases(entry: Any) -> tuple[type, ...]:
    cls = getattr(entry, "cls", None)
    return cls.__mro__ if isinstance(cls, type) else ()
