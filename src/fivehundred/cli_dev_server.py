"""The server of ``fivehundred dev``: imports the application, puts the Guard around it, serves it until it is ended.

``python -m fivehundred.cli_dev_server MODULE:NAME HOST PORT``
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import socket
import socketserver
import sys
import threading
import time
from typing import Any, Final
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

import fivehundred

_parent_poll_s: Final = 1.0


class NoApplication(Exception):
    """The name leads to nothing that can be served; the text says what was found."""


def main(named: str, host: str, port: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(name)s: %(message)s")
    sys.path.insert(0, os.getcwd())
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        app = find(named)
    except NoApplication as e:
        print(f"fivehundred dev: {e}", file=sys.stderr)
        return 1
    guarded, asgi = protected(app)
    listener = socket.create_server((host, int(port)))
    print(f"app      http://{host}:{listener.getsockname()[1]}", flush=True)
    (_serve_asgi if asgi else _serve_wsgi)(guarded, listener)
    return 0


def find(named: str) -> Any:
    """The application of "module:name". A function without needed arguments that is none itself is called."""
    module_name, _, name = named.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as e:
        if e.name and module_name.startswith(e.name):
            raise NoApplication(f"there is no module {module_name!r} in {os.getcwd()}") from e
        raise
    for part in name.split("."):
        if not hasattr(found, part):
            known = ", ".join(n for n, v in vars(found).items() if callable(v) and not n.startswith("_"))[:200]
            raise NoApplication(f"{module_name} has no {part!r}; it has {known or 'nothing that could be served'}")
        found = getattr(found, part)
    if inspect.isfunction(found) and not _parameters(found):
        found = found()
    if not callable(found):
        raise NoApplication(f"{named} is a {type(found).__name__}, which cannot be called as WSGI and ASGI call it")
    return found


def protected(app: Any) -> tuple[Any, bool]:
    """(the application behind the Guard, whether it speaks ASGI)."""
    guard = fivehundred.Guard(mode="development")
    kinds = {f"{k.__module__.partition('.')[0]}.{k.__name__}" for k in type(app).__mro__}
    if "fastapi.FastAPI" in kinds:
        return guard.fastapi(app), True
    if "starlette.Starlette" in kinds:
        return guard.starlette(app), True
    if "flask.Flask" in kinds:
        return guard.flask(app), False
    return (guard.asgi(app), True) if _is_asgi(app) else (guard.wsgi(app), False)


def _is_asgi(app: Any) -> bool:
    call = app if inspect.isfunction(app) or inspect.ismethod(app) else getattr(app, "__call__", app)  # noqa: B004
    return inspect.iscoroutinefunction(call) or len(_parameters(call)) == 3


def _parameters(call: Any) -> list[str]:
    try:
        found = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in found if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _serve_asgi(app: Any, listener: socket.socket) -> None:
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="info", timeout_graceful_shutdown=2)).run(sockets=[listener])


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = host, port
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        logging.getLogger("fivehundred.dev").info("%s", ascii(format % args)[1:-1])

    def handle(self) -> None:
        ServerHandler.server_software = ""
        super().handle()


def _serve_wsgi(app: Any, listener: socket.socket) -> None:
    server = _Server(listener)
    server.set_app(app)
    server.serve_forever()


def _end_with_parent(parent: int) -> None:
    """A parent that was killed cannot end its children."""
    while os.getppid() == parent:
        time.sleep(_parent_poll_s)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
