"""A handler for ``logging``: an error that the application logs with its exception is an event.

    logging.getLogger().addHandler(LogHandler(guard))

An exception that the Guard reports anyhow (an unhandled one, which frameworks log as well) is one event, not two: its
reference is put on the record, as ``record.reference``. Records without an exception are crumbs of the next event.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fivehundred.guard import duplicates

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


class LogHandler(logging.Handler):
    def __init__(self, guard: Guard, level: int = logging.ERROR) -> None:
        super().__init__(level)
        self.guard = guard

    def emit(self, record: logging.LogRecord) -> None:
        exc = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if exc is None or not issubclass(type(exc), Exception) or _ours(record.name) or duplicates.is_marked(exc):
            return
        record.reference = self.guard.capture(exc)


def _ours(name: str) -> bool:
    return name == "fivehundred" or name.startswith("fivehundred.")
