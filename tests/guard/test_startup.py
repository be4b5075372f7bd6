"""A start-up that fails: the process says so with its exit code, the log has one traceback, the report has it too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.guard.conftest import Served, Starter

from fivehundred.guard.testing import Sink

logged = """
import logging, sys
from fivehundred import Guard
from fivehundred.guard.log import JsonFormatter
handler = logging.StreamHandler()
handler.setFormatter(JsonFormatter())
logging.basicConfig(handlers=[handler])
guard = Guard()
def prepare():
    raise LookupError("no settings in the vault")
"""
starlette = (
    logged
    + """
import contextlib
from starlette.applications import Starlette
@contextlib.asynccontextmanager
async def lifespan(app):
    prepare()
    yield
app = guard.starlette(Starlette(lifespan=lifespan))
"""
)
quart = (
    logged
    + """
from quart import Quart
app = Quart("shop")
@app.before_serving
async def begin():
    prepare()
guard.quart(app)
"""
)
litestar = (
    logged
    + "from litestar import Litestar\napp = guard.litestar(Litestar([], on_startup=[prepare], logging_config=None))\n"
)
wsgi = logged + "prepare()\napp = guard.wsgi(lambda environ, start: [])\n"
aiohttp = (
    logged
    + """
from aiohttp import web
app = web.Application()
async def begin(app):
    prepare()
app.on_startup.append(begin)
web.run_app(guard.aiohttp(app), port=0)
"""
)
uvicorn = ("-m", "uvicorn", "app:app", "--port", "{port}", "--lifespan", "on")
gunicorn = ("-m", "gunicorn", "app:app", "--bind", "127.0.0.1:{port}")
workers = (*gunicorn, "-k", "uvicorn_worker.UvicornWorker")
hypercorn = ("-m", "hypercorn", "app:app", "--bind", "127.0.0.1:{port}")


def ended(served: Served, timeout_s: float = 40) -> tuple[int, str]:
    try:
        code = served.process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise AssertionError(served.log.read_text()) from None
    return code, served.log.read_text()


@pytest.mark.parametrize(
    ("source", "command"),
    [
        pytest.param(starlette, uvicorn, id="starlette+uvicorn"),
        pytest.param(quart, uvicorn, id="quart+uvicorn"),
        pytest.param(litestar, uvicorn, id="litestar+uvicorn"),
        pytest.param(wsgi, gunicorn, id="wsgi+gunicorn"),
        pytest.param(starlette, workers, id="starlette+gunicorn-uvicorn"),
        pytest.param(aiohttp, ("app.py",), id="aiohttp"),
    ],
)
def test_a_start_up_that_fails_ends_the_process_is_reported_and_logged_once(
    start: Starter, collector: Sink, source: str, command: tuple[str, ...]
) -> None:
    code, log = ended(start(source, *command))
    assert code != 0, log
    assert collector.wait(1, 10), log
    assert [event.exceptions[-1].value for event in collector.events] == ["no settings in the vault"]
    records = [line for line in log.splitlines() if line.startswith("{") and "LookupError" in line]
    assert len(records) == 1, log
    assert collector.events[0].event_id in records[0]
    others = [line for line in log.splitlines() if line.startswith("Traceback")]
    # what Python and gunicorn print is theirs, and so is what Litestar lets the server print
    assert len(others) <= (1 if command in (gunicorn, ("app.py",)) else 0), log


def test_hypercorn_which_ends_with_0_has_the_report_all_the_same(start: Starter, collector: Sink) -> None:
    ended(start(starlette, *hypercorn))
    assert collector.wait(1, 10)


def test_an_application_without_a_lifespan_is_no_failure(start: Starter, collector: Sink, tmp_path: Path) -> None:
    source = (
        logged
        + """
async def plain(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
app = guard.asgi(plain)
"""
    )
    served = start(source, "-m", "uvicorn", "app:app", "--port", "{port}")
    served.wait_until_up()
    assert served.get("/") == 200
    served.stop()
    assert collector.events == []
