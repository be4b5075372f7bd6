"""Runs one application of the contract under one server, on a socket that is listening already (its descriptor)."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import importlib
import signal
import socket
import sys
from pathlib import Path
from typing import Any

root = Path(__file__).parents[2]


def main(module: str, attribute: str, server: str, descriptor: int) -> None:
    sys.path[0] = str(root)
    runners[server](module, attribute, descriptor)


def _load(module: str, attribute: str) -> Any:
    return getattr(importlib.import_module(module), attribute)


def _uvicorn(module: str, attribute: str, descriptor: int) -> None:
    import uvicorn

    uvicorn.run(f"{module}:{attribute}", fd=descriptor, log_level="info", lifespan="on")


def _uvicorn_h11(module: str, attribute: str, descriptor: int) -> None:
    import uvicorn

    uvicorn.run(f"{module}:{attribute}", fd=descriptor, log_level="info", lifespan="auto", http="h11")


def _gunicorn(module: str, attribute: str, descriptor: int, *options: str) -> None:
    from gunicorn.app.wsgiapp import run

    sys.argv = [
        "gunicorn",
        f"{module}:{attribute}",
        "--bind",
        f"fd://{descriptor}",
        "--pythonpath",
        str(root),
        *options,
    ]
    run()


def _gunicorn_threads(module: str, attribute: str, descriptor: int) -> None:
    _gunicorn(module, attribute, descriptor, "--worker-class", "gthread", "--threads", "8")


def _gunicorn_uvicorn(module: str, attribute: str, descriptor: int) -> None:
    _gunicorn(module, attribute, descriptor, "--worker-class", "uvicorn_worker.UvicornWorker")


def _hypercorn(module: str, attribute: str, descriptor: int) -> None:
    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.include_server_header = False
    asyncio.run(serve(_load(module, attribute), config))


def _granian(module: str, attribute: str, descriptor: int) -> None:
    """Granian opens its own socket: on the port that was chosen, which the one who chose it shares."""
    import granian

    listening = socket.socket(fileno=descriptor)
    port = listening.getsockname()[1]
    listening.close()
    interface = "wsgi" if attribute == "application" and module.endswith(("wsgi_app", "flask_app")) else "asgi"
    options: Any = {"interface": interface, "address": "127.0.0.1", "port": port, "log_enabled": False}
    granian.Granian(f"{module}:{attribute}", **options).serve()


def _aiohttp(module: str, attribute: str, descriptor: int) -> None:
    from aiohttp import web

    web.run_app(_load(module, attribute), sock=socket.socket(fileno=descriptor), print=None, access_log=None)


def _tornado(module: str, attribute: str, descriptor: int) -> None:
    import asyncio

    from tornado.httpserver import HTTPServer

    async def main() -> None:
        listening = socket.socket(fileno=descriptor)
        listening.setblocking(False)
        HTTPServer(_load(module, attribute)).add_socket(listening)
        ends = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ends.set)
        await ends.wait()

    asyncio.run(main())


def _sanic(module: str, attribute: str, descriptor: int) -> None:
    app = _load(module, attribute)
    app.run(sock=socket.socket(fileno=descriptor), single_process=True, motd=False, access_log=False)


def _waitress(module: str, attribute: str, descriptor: int) -> None:
    import waitress

    waitress.serve(_load(module, attribute), sockets=[socket.socket(fileno=descriptor)], threads=8)


def _wsgiref(module: str, attribute: str, descriptor: int) -> None:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=descriptor)
    server.server_address = server.socket.getsockname()
    server.server_name, server.server_port = "127.0.0.1", server.server_address[1]
    server.setup_environ()
    server.set_app(_load(module, attribute))
    server.serve_forever()


runners = {
    "uvicorn": _uvicorn,
    "uvicorn-h11": _uvicorn_h11,
    "gunicorn": _gunicorn,
    "gunicorn-gthread": _gunicorn_threads,
    "gunicorn-uvicorn": _gunicorn_uvicorn,
    "hypercorn": _hypercorn,
    "granian": _granian,
    "aiohttp": _aiohttp,
    "tornado": _tornado,
    "sanic": _sanic,
    "waitress": _waitress,
    "wsgiref": _wsgiref,
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
