"""What is wrong at start is said in one line with the fix, and what is right is not mentioned."""

from __future__ import annotations

import sys

import pytest
from flask import Flask

from fivehundred.guard.doctor import found


@pytest.mark.parametrize(
    ("argv", "environment", "says"),
    [
        (["/bin/uvicorn", "app:app", "--no-server-header"], {}, "--lifespan on"),
        (["/bin/uvicorn", "app:app", "--lifespan", "on"], {}, "--no-server-header"),
        (["/lib/uvicorn/__main__.py", "app:app"], {}, "--lifespan on"),
        (["hypercorn", "app:app"], {}, "Restart=always"),
        (["gunicorn", "-k", "gthread", "--timeout", "30"], {}, "a time-out of its own"),
        (["python"], {"PYTHONASYNCIODEBUG": "1"}, "unset PYTHONASYNCIODEBUG"),
        (["flask", "run", "--host", "0.0.0.0"], {"FLASK_DEBUG": "1"}, "debug=False"),
    ],
)
def test_it_names_the_fix(argv: list[str], environment: dict[str, str], says: str) -> None:
    assert says in " ".join(one.fix for one in found(argv, environment))


def test_an_application_in_debug_mode_on_a_public_address_is_named() -> None:
    app = Flask("x")
    app.debug = True
    assert any("Debug mode" in one.what for one in found(["flask", "--host=0.0.0.0"], {}, app))
    assert not any("Debug mode" in one.what for one in found(["flask", "--host=127.0.0.1"], {}, app))


def test_nothing_is_said_of_a_server_that_is_set_up_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sentry_sdk", raising=False)  # another test of this process may have begun it
    argv = ["uvicorn", "app:app", "--lifespan", "on", "--no-server-header", "--host", "0.0.0.0"]
    assert list(found(argv, {"FLASK_DEBUG": "0"})) == []


def test_a_second_sdk_is_named() -> None:
    import sentry_sdk

    sentry_sdk.init()
    try:
        assert any("sentry_sdk" in one.what for one in found([], {}))
    finally:
        sentry_sdk.get_global_scope().set_client(None)


def test_each_framework_is_looked_at_when_it_is_guarded() -> None:
    from aiohttp import web
    from litestar import Litestar
    from litestar.logging import LoggingConfig
    from tornado.web import Application

    from fivehundred import Guard
    from fivehundred.guard import doctor

    doctor._said.clear()
    guard = Guard("")
    guard.aiohttp(web.Application())
    guard.tornado(Application())
    guard.litestar(Litestar([], logging_config=LoggingConfig(log_exceptions="debug", configure_root_logger=False)))
    said = " ".join(doctor._said)
    for what in ("aiohttp tells its version", "Tornado tells its version", "Litestar logs no exception"):
        assert what in said
