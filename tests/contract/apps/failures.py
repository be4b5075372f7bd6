"""What the routes of every test application fail with: the same failures, whatever the framework."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final

from fivehundred import Guard
from fivehundred.guard.log import JsonFormatter

secret = "hunter2-planted"
dsn = f"postgres://admin:{secret}@10.1.2.3:5432/accounts"
allowed_origin = "https://app.example"


# How the tests want it: {} is the Guard as a newcomer has it; "none" serves the application without one
options: dict[str, Any] = json.loads(os.environ.get("CONTRACT_OPTIONS", "{}"))
unguarded: Final = os.environ.get("CONTRACT_GUARD") == "none"


def guard() -> Any:
    """The Guard, and one line of JSON a record."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    return Unguarded() if unguarded else Guard(**options)


class Unguarded:
    """Leaves an application as it is: what the Guard may not change is compared with it."""

    def same(self, app: Any) -> Any:
        return app

    wsgi = asgi = flask = starlette = fastapi = quart = litestar = falcon = aiohttp = sanic = tornado = bottle = same

    def pyramid(self, config: Any) -> Any:
        return config.make_wsgi_app()

    def close(self) -> None: ...


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("__str__ raises")

    __repr__ = __str__


def boom(message: str = "") -> None:
    password = secret
    raise ValueError(f"boom {message} {dsn} {password[:3]}")


def key_error() -> None:
    rows: dict[str, str] = {"SELECT * FROM users": secret}
    rows["missing"]


def recursion(depth: int = 0) -> None:
    recursion(depth + 1)


def unicode() -> None:
    raise ValueError("lone \ud800 nul \0 end")


def huge() -> None:
    raise ValueError("x" * 1_000_000)


def crlf() -> None:
    raise ValueError("first\r\nSet-Cookie: forged=1\r\n\r\n<h1>forged</h1>")


def unprintable() -> None:
    raise Unprintable


def memory() -> None:
    raise MemoryError


def group() -> None:
    raise ExceptionGroup("two", [ValueError("one"), KeyError("other")])


def cancel() -> None:
    raise asyncio.CancelledError


def generator_exit() -> None:
    raise GeneratorExit


def system_exit() -> None:
    sys.exit(3)


class OperationalError(Exception):
    """As database drivers name it; its module is set to psycopg's below."""


OperationalError.__module__ = "psycopg"


def database() -> None:
    """The database is not there: a real refused connection, as a driver reports it."""
    try:
        _refused()
    except OSError as exc:
        raise OperationalError(f"connection to server at 127.0.0.1 failed: {exc}; {dsn}") from exc


def upstream() -> None:
    """A gateway whose upstream is not there."""
    urllib.request.urlopen(f"http://127.0.0.1:{_closed_port()}/", timeout=2)


def timeout() -> None:
    """A gateway whose upstream accepts and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urllib.request.urlopen(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.1)


def pool() -> None:
    """A pool whose only connection is taken: SQLAlchemy's own error."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool

    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), engine.connect():
        pass


def breaker() -> None:
    """The breaker of a call further on is open: our own Client's error."""
    from fivehundred.client.errors import Facts, NotSent

    raise NotSent(Facts(method="GET", url="http://10.1.2.3/", stopped="the breaker is open"))


def disk() -> None:
    """A disk without room: the kernel's own answer."""
    with open("/dev/full", "w") as full:
        full.write("x")


def quota() -> None:
    raise OSError(errno.EDQUOT, "Disk quota exceeded")


def os_error() -> None:
    raise OSError(errno.EIO, "a disk that cannot be read")


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _refused() -> None:
    socket.create_connection(("127.0.0.1", _closed_port()), timeout=2).close()


own_words = "own words of the application"  # what its own failed answers say
sets_headers = {"Cache-Control": "public, max-age=60", "ETag": '"1"', "Content-Encoding": "gzip", "Expires": "0"}


def broken_after(chunks: int, chunk: bytes = b"id,name\n") -> Iterator[bytes]:
    """A stream that fails when so many chunks are out."""
    for _ in range(chunks):
        yield chunk
    raise ValueError(f"the stream broke {secret}")


def events_later() -> Iterator[bytes]:
    """Events that come later than the start of their response."""
    time.sleep(0.5)
    yield b"data: 1\n\n"


class Closing:
    """A body of WSGI that fails when the server closes it, which is where work after the answer is done."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"ok"])

    def close(self) -> None:
        raise ValueError("background")


by_path: dict[str, Callable[[], None]] = {
    "/boom": boom,
    "/upload": boom,
    "/key": key_error,
    "/recursion": recursion,
    "/unicode": unicode,
    "/huge": huge,
    "/crlf": crlf,
    "/badstr": unprintable,
    "/memory": memory,
    "/group": group,
    "/cancel": cancel,
    "/genexit": generator_exit,
    "/sysexit": system_exit,
    "/db": database,
    "/upstream": upstream,
    "/timeout": timeout,
    "/oserror": os_error,
    "/pool": pool,
    "/breaker": breaker,
    "/disk": disk,
    "/quota": quota,
}
