"""The lines that a newcomer is given run as they stand."""

from __future__ import annotations

import subprocess
import sys

from fivehundred.console.web import onboarding

_dsn = "http://762a328db224a1076b2b8f05a50028ff@127.0.0.1:9/1"
# what stands before the snippet in the newcomer's own program
_applications = {
    "flask": "from flask import Flask; app = Flask('x')",
    "fastapi": "from fastapi import FastAPI; app = FastAPI()",
    "django": "MIDDLEWARE = []",
    "starlette": "from starlette.applications import Starlette; app = Starlette()",
    "litestar": "from litestar import Litestar; app = Litestar([])",
    "quart": "from quart import Quart; app = Quart('x')",
    "sanic": "from sanic import Sanic; app = Sanic('x')",
    "aiohttp": "from aiohttp import web; app = web.Application()",
    "tornado": "from tornado.web import Application; app = Application([])",
    "falcon": "import falcon; app = falcon.App()",
    "pyramid": "from pyramid.config import Configurator; config = Configurator()",
    "bottle": "from bottle import Bottle; app = Bottle()",
    "asgi": "async def app(scope, receive, send): ...",
    "wsgi": "def app(environ, start_response): ...",
    "celery": "from celery import Celery; app = Celery('x')",
    "sentry": "",
}


def test_the_lines_for_every_python_framework_run_as_they_stand() -> None:
    assert set(_applications) == set(onboarding.frameworks) - {"node"}
    for name, before in _applications.items():
        code = f"{before}\n{onboarding.snippet(name, _dsn)[1]}\n"
        if name == "django":
            code += "from importlib import import_module as load\nload(MIDDLEWARE[0].rpartition('.')[0]).Guard\n"
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        assert "Traceback" not in ran.stderr, f"{name}: {ran.stderr}"
