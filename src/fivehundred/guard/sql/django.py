"""Django's own hook for statements, ``connection.execute_wrapper``: kept with the request they ran in.

``guard/django.py`` installs it on each connection as it is opened; parameters are never looked at.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from fivehundred.guard.statements import ran


def install() -> None:
    """For connections that are open and those to come. Twice is once."""
    connection_created.connect(_opened, dispatch_uid="fivehundred")
    for connection in connections.all(initialized_only=True):
        _opened(None, connection)


def _opened(sender: Any, connection: Any, **_: object) -> None:
    if _timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(_timed)


def _timed(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    began = time.perf_counter()
    try:
        result = execute(sql, params, many, context)
    except Exception:
        ran(sql, time.perf_counter() - began, ok=False)
        raise
    ran(sql, time.perf_counter() - began)
    return result
