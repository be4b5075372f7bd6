"""One failure, one log record: drops what frameworks and servers log about an exception that the Guard reports itself.

Not a way to silence a logger: a record is dropped only when it carries the very exception object that was marked.
"""

from __future__ import annotations

import logging
from typing import Final

servers: Final = (
    "uvicorn.error",
    "gunicorn.error",
    "waitress",
    "hypercorn.error",
    "daphne.server",
    "granian",
    "_granian",
    "aiohttp.server",
    "aiohttp.web",
    "sanic.error",
    "tornado.application",
    "asyncio",
    "django.request",
)

_MARK: Final = "__fivehundred_reported__"
request_mark: Final = "fivehundred_reference"  # on a Django request that the Guard has reported


class _Reported(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if is_reported(record):
            return False
        return not hasattr(getattr(record, "request", None), request_mark)  # Django puts the request on its records


def is_reported(record: logging.LogRecord) -> bool:
    """Whether it carries an exception that was marked before the record was made."""
    found = record.exc_info
    return isinstance(found, tuple) and len(found) > 1 and is_marked(found[1])


_filter: Final = _Reported()


def watch(*loggers: str) -> None:
    """Watches these loggers too. A filter on a logger sees what is logged through it, so each has to be named."""
    for name in loggers:
        logging.getLogger(name).addFilter(_filter)  # adding it twice is one


def mark(exc: BaseException) -> None:
    """From here on nobody but the Guard logs this exception object."""
    # past any __setattr__ or __getattribute__ of the application: capture runs none of its code
    BaseException.__getattribute__(exc, "__dict__")[_MARK] = True


def is_marked(exc: object) -> bool:
    return issubclass(type(exc), BaseException) and _MARK in BaseException.__getattribute__(exc, "__dict__")
