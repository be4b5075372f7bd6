"""What will hurt at the next failure, said when the process starts: one log line each, with what to type instead.

Looks at what is loaded and set already; imports nothing, opens nothing but (for ``fivehundred doctor``) one connection.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

_log = logging.getLogger("fivehundred.guard")


class Advice(NamedTuple):
    """One thing that is wrong, and the fix."""

    what: str
    fix: str


def say(app: object = None) -> None:
    """The lines, once per process and finding, at WARNING."""
    for one in found(sys.argv, os.environ, app):
        if one.what not in _said:
            _said.add(one.what)
            _log.warning("%s. %s", one.what, one.fix)


_said: Final[set[str]] = set()


def found(argv: Sequence[str], environment: Mapping[str, str], app: object = None) -> Iterator[Advice]:
    yield from _debug(argv, environment, app)
    yield from _asyncio(environment)
    yield from _servers(argv)
    yield from _litestar(app)
    yield from _versions(app)
    yield from _twice()


def _debug(argv: Sequence[str], environment: Mapping[str, str], app: object) -> Iterator[Advice]:
    on = bool(_stored(app, "debug")) or environment.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false", "no")
    django = sys.modules.get("django.conf")
    on = on or (django is not None and bool(_django_debug(django)))
    if on and public(argv):
        yield Advice(
            "Debug mode is on and the server listens beyond this machine: every visitor of a 500 can read source and"
            " settings",
            "Set debug=False (FLASK_DEBUG=0, DEBUG = False), or bind to 127.0.0.1",
        )


def _django_debug(conf: Any) -> object:
    settings = conf.settings
    return settings.DEBUG if settings.configured else False


def _stored(app: object, name: str) -> object:
    """Flask keeps ``debug`` in its config, Starlette and its children as an attribute."""
    if type(app).__module__.startswith("aiohttp."):
        return False  # it has none any more, and warns whoever asks
    config = getattr(app, "config", None)
    return config.get(name.upper()) if isinstance(config, dict) else getattr(app, name, False)


def public(argv: Sequence[str]) -> bool:
    """Whether the command line binds to more than loopback."""
    text = " ".join(argv)
    return any(sign in text for sign in _every_address)


_every_address: Final = ("0.0.0.0", "[::]", "--host ::", "--host=::", "--bind :", "-b :")  # noqa: S104 - looked for


def _asyncio(environment: Mapping[str, str]) -> Iterator[Advice]:
    if environment.get("PYTHONASYNCIODEBUG", "") not in ("", "0"):
        yield Advice(
            "PYTHONASYNCIODEBUG is set: every task keeps a traceback, requests take several times as long",
            "unset PYTHONASYNCIODEBUG",
        )


def _servers(argv: Sequence[str]) -> Iterator[Advice]:
    program = os.path.basename(argv[0]) if argv else ""
    if program == "__main__.py":
        program = os.path.basename(os.path.dirname(argv[0]))
    text = " ".join(argv[1:])
    if program == "uvicorn" and "--lifespan" not in text:
        yield Advice(
            "uvicorn runs with --lifespan auto: an application whose start-up fails before it answers is served anyway",
            "Start it with --lifespan on",
        )
    if program in ("uvicorn", "daphne") and "--no-server-header" not in text:
        yield Advice(f"{program} names itself in a Server header of every answer", "Start it with --no-server-header")
    if program == "hypercorn":
        yield Advice(
            "hypercorn ends with code 0 when the application's start-up fails: a supervisor takes that for success",
            "Let the supervisor restart on every exit (systemd: Restart=always)",
        )
    if program == "gunicorn" and "gthread" in text and "--timeout" in text:
        yield Advice(
            "gunicorn's --timeout ends no request under gthread: it only sees that the worker's main thread is alive",
            "Give each call inside a time-out of its own, or use the sync worker",
        )


def _litestar(app: object) -> Iterator[Advice]:
    kind = type(app)
    if kind.__module__.partition(".")[0] == "litestar":
        config = getattr(app, "logging_config", None)
        if getattr(config, "log_exceptions", "debug") == "debug" and not getattr(app, "debug", False):
            yield Advice(
                "Litestar logs no exception outside of debug mode",
                'Litestar(logging_config=LoggingConfig(log_exceptions="always")); the Guard logs it in any case',
            )


def _versions(app: object) -> Iterator[Advice]:
    """Servers that are part of their framework; of a failed answer the Guard takes the version off."""
    kind = type(app)
    if kind.__module__.startswith("aiohttp."):
        yield Advice(
            "aiohttp tells its version and Python's in a Server header of every answer",
            'Set it in a signal: app.on_response_prepare, response.headers["Server"] = "shop"',
        )
    if kind.__module__.startswith("tornado."):
        yield Advice(
            "Tornado tells its version in a Server header of every answer",
            'Set it in set_default_headers of your handlers: self.set_header("Server", "shop")',
        )


def _twice() -> Iterator[Advice]:
    loaded = sys.modules.get("sentry_sdk")
    if loaded is not None and loaded.is_initialized():
        yield Advice(
            "sentry_sdk is initialised beside the Guard: each failure is captured twice, and pays for both",
            "Remove sentry_sdk.init, or give the Guard no DSN (Guard(dsn='')) and let it answer alone",
        )


def installed_twice() -> Iterator[Advice]:
    """For the command alone: to look through everything that is installed takes longer than a start should."""
    from importlib.metadata import distributions

    versions = {d.version for d in distributions(name="fivehundred")}
    if len(versions) > 1:
        yield Advice(f"fivehundred is installed in {len(versions)} versions: {', '.join(sorted(versions))}", _reinstall)


_reinstall: Final = "python -m pip uninstall fivehundred until nothing is found, then install it once"
