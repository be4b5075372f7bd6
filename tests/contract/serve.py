"""Runs one application of the contract under one server, on a socket that is listening already (its descriptor)."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import importlib
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


def _gunicorn(module: str, attribute: str, descriptor: int) -> None:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", f"{module}:{attribute}", "--bind", f"fd://{descriptor}", "--pythonpath", str(root)]
    run()


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
    "waitress": _waitress,
    "wsgiref": _wsgiref,
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
