"""The routes of the contract as a bare WSGI application. What only frameworks have (hooks, CORS) is written out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from tests.contract.apps import failures

Environ = dict[str, Any]
Start = Callable[..., Any]

guard = failures.guard()


def routes(environ: Environ, start: Start) -> Iterable[bytes] | None:
    path = environ["PATH_INFO"]
    if path in failures.by_path:
        message = parse_qs(environ["QUERY_STRING"]).get("m", [""])[0]
        return failures.boom(message) if path == "/boom" else failures.by_path[path]()  # type: ignore[func-returns-value]
    if path == "/handler":
        raise Own
    plain = [("Content-Type", "text/plain"), *_cors(environ)]
    if path in ("/none", "/badtype"):
        start("200 OK", plain)
        return None if path == "/none" else ["text"]  # type: ignore[list-item]
    if path == "/badjson":
        start("200 OK", plain)
        return [json.dumps(object()).encode()]
    if path in ("/badheader", "/nul"):
        start("200 OK", [*plain, ("X-Name", "a\0b" if path == "/nul" else "a\r\nSet-Cookie: forged=1")])
        return [b"never"]
    if path == "/sets":
        start("200 OK", [*plain, *failures.sets_headers.items(), ("Set-Cookie", "a=b")])
        return failures.broken_after(0)
    if path in ("/stream0", "/stream1"):
        start("200 OK", plain)
        return failures.broken_after(int(path[-1]) * 3)
    if path == "/sse":
        start("200 OK", [("Content-Type", "text/event-stream")])
        return failures.broken_after(1, b"data: 1\n\n")
    if path == "/events":
        start("200 OK", [("Content-Type", "text/event-stream")])
        return failures.events_later()
    if path == "/background":
        start("200 OK", [*plain, ("Content-Length", "2")])
        return failures.Closing()
    if path == "/own":
        start("503 Service Unavailable", [("Content-Type", "text/plain"), ("Content-Length", "9")])
        return [b"own words"]
    if path == "/slow":
        start("200 OK", plain)
        return _slow()
    if path == "/teapot":
        more = [("X-Own", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "15")]
        start("418 I am a teapot", [*plain, *more])
        return [b"short and stout"]
    if path == "/reads":
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if path == "/waits":
        time.sleep(0.4)
    start("200 OK", [*plain, ("Content-Length", "2")])
    return [b"ok"]


def _slow() -> Iterator[bytes]:
    for _ in range(20):
        yield b"x" * 65536
        time.sleep(0.01)


def _cors(environ: Environ) -> list[tuple[str, str]]:
    if environ.get("HTTP_ORIGIN") == failures.allowed_origin:
        return [("Access-Control-Allow-Origin", failures.allowed_origin), ("Vary", "Origin")]
    return [("Vary", "Origin")]


class Own(Exception):
    pass


def hooks(environ: Environ, start: Start) -> Iterable[bytes] | None:
    """Middleware, as a bare application has it."""
    if environ["PATH_INFO"] == "/mw":
        failures.boom()
    try:
        body = routes(environ, start)
    except Own:
        raise RuntimeError("the error handler fails too") from None
    if environ["PATH_INFO"] == "/mwafter":
        failures.boom()
    return body


application = guard.wsgi(hooks)
