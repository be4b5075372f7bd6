"""Keeps CORS on the 500: in Starlette and FastAPI the CORS middleware sits inside what answers exceptions, and
``sys.exit()`` passes it by in Litestar.

The answer is sent through the application's own CORS middleware, made once more with the same arguments, so it grants
exactly what every other answer is granted. Nothing is imported: the classes are the application's.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple

from fivehundred.guard.outgoing import merged


def known(scope: MutableMapping[str, Any]) -> bool:
    """Whether the application that the request had reached has CORS middleware that can be asked."""
    return bool(_middleware(scope))


def around(answer: Callable[..., Any], scope: MutableMapping[str, Any]) -> Callable[..., Any]:
    """``answer`` (an ASGI application) within the CORS middleware of the application that the request had reached."""
    if scope.get("method") == "OPTIONS" and b"access-control-request-method" in dict(scope.get("headers", ())):
        return answer  # the middleware would answer the preflight in our place
    varies: list[bytes] = []
    through = _telling(answer, varies)
    for entry in reversed(_middleware(scope)):
        through = entry.cls(through, *entry.args, **entry.kwargs)

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        async def last(message: Any) -> None:
            if message["type"] == "http.response.start":  # Litestar's puts its own Vary in the place of what is there
                message = {**message, "headers": _varying(list(message["headers"]), varies)}
            await send(message)

        await through(scope, receive, last)

    return whole


def _varying(headers: list[tuple[bytes, bytes]], varies: list[bytes]) -> list[tuple[bytes, bytes]]:
    listed = [v.decode("latin-1") for k, v in headers if k == b"vary"]
    wanted = b", ".join(varies).decode("latin-1")
    together = merged(", ".join(listed), *(name.strip() for name in wanted.split(",") if name.strip()))
    return [*(h for h in headers if h[0] != b"vary"), (b"vary", together.encode("latin-1"))]


def _telling(answer: Callable[..., Any], varies: list[bytes]) -> Callable[..., Any]:
    async def telling(scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                varies.extend(v for k, v in message["headers"] if k == b"vary")
            await send(message)

        await answer(scope, receive, note)

    return telling


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
