"""A Flask application as they grow: blueprints, sessions, class-based views, handlers of its own, work at the end."""

# mypy: disable-error-code="type-var"

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Flask, Response, abort, g, session, stream_with_context
from flask.views import MethodView
from tests.contract.apps import failures

guard = failures.guard()
application = Flask("stack")
application.secret_key = "planted-key"
shop = Blueprint("shop", __name__, url_prefix="/shop")
api = Blueprint("api", __name__, url_prefix="/api")


class Own(Exception):
    pass


@application.get("/ok")
def ok() -> str:
    return "ok"


@shop.get("/boom/<int:number>")
def boom(number: int) -> str:
    session["user"] = "planted-session"
    failures.boom()
    return str(number)


@api.errorhandler(Exception)
def all_of_it(exc: Exception) -> tuple[dict[str, str], int]:
    return {"sorry": "own"}, 500


@api.get("/boom")
def api_boom() -> str:
    failures.boom()
    return ""


@api.get("/abort")
def api_abort() -> None:
    abort(404)


@application.errorhandler(Own)
def gone(exc: Own) -> tuple[str, int]:
    return "gone", 410


@application.get("/gone")
def fails_gone() -> None:
    raise Own


@application.teardown_request
def at_the_end(exc: BaseException | None) -> None:
    if g.get("fails_at_end"):
        failures.boom()


@application.get("/teardown")
def teardown() -> str:
    g.fails_at_end = True
    return "ok"


@application.get("/stream")
def stream() -> Response:
    def chunks() -> Iterator[str]:
        yield "x" * 5000
        failures.boom()

    return Response(stream_with_context(chunks()), mimetype="text/csv")


class View(MethodView):
    def get(self) -> str:
        failures.boom()
        return ""


application.add_url_rule("/class", view_func=View.as_view("class"))
application.register_blueprint(shop)
application.register_blueprint(api)
guard.flask(application)
