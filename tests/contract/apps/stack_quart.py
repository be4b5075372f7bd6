"""A Quart application as they grow: blueprints, sessions, handlers of its own, work at the end."""

# mypy: disable-error-code="type-var"

from __future__ import annotations

from collections.abc import AsyncIterator

from quart import Blueprint, Quart, Response, session
from tests.contract.apps import failures

guard = failures.guard()
application = Quart("stack")
application.secret_key = "planted-key"
shop = Blueprint("shop", __name__, url_prefix="/shop")
api = Blueprint("api", __name__, url_prefix="/api")


@application.get("/ok")
async def ok() -> str:
    return "ok"


@shop.get("/boom/<int:number>")
async def boom(number: int) -> str:
    session["user"] = "planted-session"
    failures.boom()
    return str(number)


@api.errorhandler(Exception)
async def all_of_it(exc: Exception) -> tuple[dict[str, str], int]:
    return {"sorry": "own"}, 500


@api.get("/boom")
async def api_boom() -> str:
    failures.boom()
    return ""


@application.errorhandler(LookupError)
async def gone(exc: Exception) -> tuple[str, int]:
    return "gone", 410


@application.get("/gone")
async def fails_gone() -> None:
    raise LookupError("gone")


@application.get("/stream")
async def stream() -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 5000
        failures.boom()

    return Response(chunks(), mimetype="text/csv")


application.register_blueprint(shop)
application.register_blueprint(api)
guard.quart(application)
