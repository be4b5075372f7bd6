"""A Litestar application as they grow: controllers, routers, dependencies that clean up, compression, own handlers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar import Controller, Litestar, Request, Response, Router, get
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.response import Stream
from tests.contract.apps import failures

guard = failures.guard()


async def cleaned() -> AsyncGenerator[str, None]:
    yield "value"
    failures.boom()


def own_words(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
    return Response({"sorry": "own"}, status_code=500)


def gone(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
    return Response({"gone": True}, status_code=410)


@get("/ok", media_type="text/plain")
async def ok() -> str:
    return "ok" * 1000


@get("/gone", exception_handlers={LookupError: gone})
async def fails_gone() -> str:
    raise LookupError("gone")


@get("/own", exception_handlers={Exception: own_words})
async def own() -> str:
    failures.boom()
    return ""


@get("/dependency", dependencies={"value": Provide(cleaned)})
async def dependency(value: str) -> str:
    return value


@get("/stream")
async def stream() -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 5000
        failures.boom()

    return Stream(chunks())


class Items(Controller):
    path = "/items"

    @get("/{number:int}")
    async def item(self, number: int) -> float:
        return 1 / (number - number)


application = guard.litestar(
    Litestar(
        [ok, fails_gone, own, dependency, stream, Router("/shop", route_handlers=[Items])],
        compression_config=CompressionConfig(backend="gzip", minimum_size=100),
        cors_config=CORSConfig(allow_origins=[failures.allowed_origin], allow_credentials=True),
        openapi_config=None,
        logging_config=None,
    )
)
