"""A Starlette application as they grow: sessions, compression, CORS with credentials, mounts, classes, tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, Router
from tests.contract.apps import failures
from tests.contract.apps.stack_sessions import Sessions

guard = failures.guard()


class Own(Exception):
    pass


async def own_words(request: Request, exc: Exception) -> Response:
    return JSONResponse({"sorry": "own"}, status_code=500)


async def gone(request: Request, exc: Exception) -> Response:
    return JSONResponse({"gone": True}, status_code=410)


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok" * 1000)


async def boom(request: Request) -> Response:
    request.scope["session"]["user"] = "planted-session"
    failures.boom()
    return Response()


async def fails_own(request: Request) -> Response:
    raise Own


async def fails_gone(request: Request) -> Response:
    raise LookupError("gone")


class Class(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        failures.boom()
        return Response()


async def chunks(fails: bool) -> AsyncIterator[bytes]:
    yield b"x" * 5000
    await asyncio.sleep(0)
    if fails:
        failures.boom()


async def stream(request: Request) -> Response:
    return StreamingResponse(chunks(True), media_type="text/csv")


async def task(request: Request) -> Response:
    return StreamingResponse(chunks(False), background=BackgroundTask(failures.boom))


async def dispatch(request: Request, call_next: Any) -> Any:
    response = await call_next(request)
    response.headers["X-Seen"] = "1"
    return response


async def raw(scope: Any, receive: Any, send: Any) -> None:
    failures.boom()


sub = Starlette(routes=[Route("/boom", Class), Route("/own", fails_own)], exception_handlers={Own: own_words})
application = Starlette(
    routes=[
        Route("/ok", ok),
        Route("/boom", boom),
        Route("/class", Class),
        Route("/own", fails_own),
        Route("/gone", fails_gone),
        Route("/stream", stream),
        Route("/task", task),
        Mount("/sub", sub),
        Mount("/router", Router([Route("/boom", Class)])),
        Mount("/raw", raw),
    ],
    middleware=[
        Middleware(TrustedHostMiddleware, allowed_hosts=["*"]),
        Middleware(CORSMiddleware, allow_origins=[failures.allowed_origin], allow_credentials=True),
        Middleware(Sessions),
        Middleware(GZipMiddleware, minimum_size=100),
        Middleware(BaseHTTPMiddleware, dispatch=dispatch),
    ],
    exception_handlers={Own: own_words, LookupError: gone},
)
guard.starlette(application)
