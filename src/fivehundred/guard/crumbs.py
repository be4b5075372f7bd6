"""What the application logged before it failed: a bounded ring per request, filled by the logging module's own hook.

The hook is ``logging.setLogRecordFactory``: it is public, sees every record that passes its logger's level, and, unlike
a handler on the root logger, does not change what ``logging.basicConfig`` and ``lastResort`` do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any, Final

from fivehundred import limits, scrub
from fivehundred.event import Breadcrumb, clean, cut
from fivehundred.guard import duplicates
from fivehundred.guard.flight import Crumb, begin, current
from fivehundred.guard.render import Renderer

_elsewhere: deque[Crumb] = deque(maxlen=limits.crumbs_max * 4)  # records outside of any flight


def collected(r: Renderer) -> list[Breadcrumb]:
    """The records of this request, oldest first; of this thread's last minute where no request was begun."""
    flight = current()
    if flight is None:
        me, since = threading.get_ident(), time.time() - _seconds_without_request
        crumbs = [c for c in _elsewhere.copy() if c.thread == me and c.at >= since]
    else:
        crumbs = list(flight.crumbs or ())
    return [_breadcrumb(c, r) for c in crumbs[-limits.crumbs_max :]]


_seconds_without_request: Final = 60


def last_of(logger: str, word: str, name: str) -> tuple[float, str]:
    """When a library's own thread last logged ``word`` about ``name``, and what; (0, "") when it did not."""
    for crumb in reversed(_elsewhere.copy()):
        told = isinstance(crumb.message, str) and word in crumb.message
        if crumb.logger == logger and told and isinstance(crumb.args, tuple) and name in crumb.args:
            return crumb.at, scrub.scrub_text(_formatted(crumb, Renderer()))
    return 0.0, ""


def _breadcrumb(c: Crumb, r: Renderer) -> Breadcrumb:
    message = scrub.scrub_text(_formatted(c, r))
    return Breadcrumb(timestamp=c.at, type="log", category=clean(c.logger), message=message, level=_level(c.level))


def _formatted(c: Crumb, r: Renderer) -> str:
    template = r.value(c.message) if type(c.message) is not str else c.message[: limits.crumb_chars_max]
    if not isinstance(template, str):
        template = str(template)
    if not c.args:
        return cut(clean(template), limits.crumb_chars_max)
    try:
        # every argument is a plain number or a text by now, so this runs nothing of the application
        text = template % c.args
    except (TypeError, ValueError, KeyError, OverflowError):
        text = f"{template} {c.args}"
    return cut(clean(text), limits.crumb_chars_max)


def _level(number: int) -> str:
    names = ((50, "fatal"), (40, "error"), (30, "warning"), (20, "info"))
    return next((name for least, name in names if number >= least), "debug")


# ---- the hook ------------------------------------------------------------------------------------


def install() -> None:
    """Once per process; a factory that was set before keeps working, and so does one that is set later and chains."""
    if not isinstance(logging.getLogRecordFactory(), _Factory):
        logging.setLogRecordFactory(_Factory(logging.getLogRecordFactory()))


__all__ = ["begin", "collected", "install", "last_of"]


class _Factory:
    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self, name: str, level: int, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self.make(name, level, *args, **kwargs)
        # a framework that says the failure in its own words says nothing that the event does not
        if name != "fivehundred" and not (record.exc_info and duplicates.is_reported(record)):
            flight = current()
            crumb = Crumb(record.created, record.thread or 0, name, level, record.msg, _plain_args(record.args))
            if flight is None:
                _elsewhere.append(crumb)
            else:
                flight.logged(crumb)
        return record


def _plain_args(args: object) -> object:
    """The arguments as numbers and texts, at once: a ring must keep no object of the application alive."""
    if not args:
        return None
    if type(args) is dict:
        return {k: _plain(v) for k, v in list(args.items())[: limits.value_items_max]}
    if type(args) is tuple:
        return tuple(_plain(v) for v in args)
    return _plain(args)


def _said(exc: object) -> str | None:
    """The message of an exception that was logged, where it is a text of its own; its ``__str__`` is not run."""
    args = _args_of(exc)
    return args[0] if len(args) == 1 and type(args[0]) is str else None


_args_of: Final = BaseException.args.__get__  # type: ignore[attr-defined]


def _plain(value: object) -> object:
    kind = type(value)
    if kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is str:
        return value[: limits.crumb_chars_max]  # type: ignore[index]
    said = _said(value) if issubclass(kind, BaseException) else None
    if said is not None:
        return said[: limits.crumb_chars_max]
    r = Renderer()
    r.nodes_left = 30
    rendered = r.value(value, 1)
    return rendered if isinstance(rendered, str) else str(rendered)
