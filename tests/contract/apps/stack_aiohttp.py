"""An aiohttp application as they grow: applications within applications, views, middlewares that answer errors."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from tests.contract.apps import failures

guard = failures.guard()


@web.middleware
async def own_words(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        found: web.StreamResponse = await handler(request)
    except LookupError:
        return web.json_response({"gone": True}, status=410)
    except KeyboardInterrupt:
        raise
    except ArithmeticError as exc:
        raise web.HTTPInternalServerError(text='{"sorry": "own"}', content_type="application/json") from exc
    return found


class View(web.View):
    async def get(self) -> web.Response:
        failures.boom()
        return web.Response()


async def ok(request: web.Request) -> web.Response:
    response = web.Response(text="ok" * 1000)
    response.enable_compression()
    return response


async def boom(request: web.Request) -> web.Response:
    failures.boom()
    return web.Response()


async def own(request: web.Request) -> web.Response:
    return web.Response(text=str(1 / 0))


async def gone(request: web.Request) -> web.Response:
    raise LookupError("gone")


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"x" * 5000)
    failures.boom()
    return response


sub = web.Application()
sub.router.add_get("/boom/{number}", boom)
application = web.Application(middlewares=[own_words])
application.router.add_view("/class", View)
for path, handler in {"/ok": ok, "/own": own, "/gone": gone, "/stream": stream}.items():
    application.router.add_get(path, handler)
application.add_subapp("/sub", sub)
guard.aiohttp(application)
