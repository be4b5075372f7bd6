"""Failures outside of requests: what ends the process, a thread, or a task that nobody awaits.

Each hook is Python's own and public (``sys.excepthook``, ``threading.excepthook``, a loop's exception handler); the
one that was there before is called afterwards, so what is printed today is printed tomorrow. Installed once a process.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from fivehundred.guard import duplicates

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

_guards: Final[weakref.WeakSet[Guard]] = weakref.WeakSet()
_before: dict[str, Any] = {}


def install(guard: Guard) -> None:
    """From here on this Guard is told of them."""
    _guards.add(guard)
    if sys.excepthook is not _main:
        _before["main"] = sys.excepthook
        sys.excepthook = _main
    if threading.excepthook is not _thread:
        _before["thread"] = threading.excepthook
        threading.excepthook = _thread
    logging.getLogger("asyncio").addFilter(_tasks)  # adding it twice is one
    logging.getLogger("gunicorn.error").addFilter(_boots)


def remove(guard: Guard) -> None:
    """The last Guard that goes takes the hooks along, where nobody has put others over them."""
    _guards.discard(guard)
    if _guards:
        return
    if sys.excepthook is _main:
        sys.excepthook = _before.pop("main", sys.__excepthook__)
    if threading.excepthook is _thread:
        threading.excepthook = _before.pop("thread", threading.__excepthook__)
    logging.getLogger("asyncio").removeFilter(_tasks)
    logging.getLogger("gunicorn.error").removeFilter(_boots)


def _main(kind: type[BaseException], exc: BaseException, trace: Any) -> None:
    if issubclass(kind, Exception):  # Ctrl-C and sys.exit() are no failures
        _tell(exc)
    _before.get("main", sys.__excepthook__)(kind, exc, trace)


def _thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and issubclass(args.exc_type, Exception):
        _tell(args.exc_value)
    _before.get("thread", threading.__excepthook__)(args)


class _Tasks(logging.Filter):
    """What asyncio's default handler logs: "Task exception was never retrieved" and its like. Lets every record pass.

    A loop's own handler is the application's to set, and hears of no loop that is made later; the log hears of all.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR and record.exc_info and isinstance(record.exc_info[1], Exception):
            _tell(record.exc_info[1])
        return True


_tasks: Final = _Tasks()


class _Boots(logging.Filter):
    """What gunicorn logs when a worker cannot load the application: no hook of Python's hears of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.msg == "Exception in worker process":
            found = record.exc_info[1]
            if isinstance(found, Exception):
                _tell(found)
        return True


_boots: Final = _Boots()


def _tell(exc: BaseException) -> None:
    for guard in list(_guards):
        if not duplicates.is_marked(exc):
            guard.report(exc, None, status=None)


# ---- a loop with a handler of its own --------------------------------------------------------------


def watch_loop(guard: Guard, loop: Any) -> None:
    """For a loop whose exception handler is not the default one: it keeps its say, after the Guard."""
    before = loop.get_exception_handler()

    def handler(loop: Any, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        if isinstance(exc, Exception):
            guard.report(exc, None, status=None)
        if before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handler)
