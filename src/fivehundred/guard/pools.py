"""Connection pools that the application showed to the Guard: how full they are, and when their peer last worked.

Only public methods and events of the pools are used, and no library is imported: what is not known is not shown.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Final

from fivehundred.event import Json, clean
from fivehundred.guard import crumbs


class Pools:
    def __init__(self) -> None:
        self._watched: list[tuple[str, Any]] = []
        self.worked: dict[str, float] = {}  # peer -> seconds since 1970 of the last success in this process
        self._lock = threading.Lock()

    def watch(self, pool: Any, name: str) -> None:
        """A SQLAlchemy engine (also an AsyncEngine) or pool, a psycopg_pool, asyncpg or redis pool."""
        engine = getattr(pool, "sync_engine", pool)
        with self._lock:
            self._watched.append((name or _name_of(engine), getattr(engine, "pool", engine)))
        if hasattr(engine, "url") and "sqlalchemy" in sys.modules:
            self._listen(engine)

    def _listen(self, engine: Any) -> None:
        from fivehundred.guard.sqlalchemy import on_return, on_statement  # it is there: the engine is its own

        on_statement(engine)
        url = engine.url
        peer = f"{url.host}:{url.port or _ports.get(url.get_backend_name(), 0)}" if url.host else ""
        if not peer:
            return

        # the return of a connection, as it is then that it has served; one dict store
        def returned(*_: object) -> None:
            self.worked[peer] = time.time()

        on_return(engine, returned)

    def states(self) -> list[Json]:
        with self._lock:
            watched = list(self._watched)
        return [state for name, pool in watched if (state := _state(name, pool))]


_ports: Final = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}


def _name_of(engine: Any) -> str:
    url = getattr(engine, "url", None)
    database = getattr(url, "database", None)
    return clean(str(database)[:100]) if database else type(engine).__name__


def _state(name: str, pool: Any) -> dict[str, Json]:
    """A pool may be closed or half built: what it cannot say is left out."""
    for read in (_sqlalchemy, _psycopg, _asyncpg, _redis):
        try:
            found = read(pool)
        except Exception:  # noqa: S112  # the edge to a foreign object: what it cannot say is left out
            continue
        if found:
            return {"name": name, **{k: v for k, v in found.items() if v is not None}}
    return {}


def _sqlalchemy(pool: Any) -> dict[str, Json]:
    if not hasattr(pool, "checkedout"):
        return {}
    most = getattr(pool, "_max_overflow", None)  # no public name; how much overflow is allowed decides "full"
    return {
        "checked_out": pool.checkedout(),
        "size": pool.size(),
        "overflow": max(0, pool.overflow()),
        "overflow_max": most if isinstance(most, int) else None,
    }


def _psycopg(pool: Any) -> dict[str, Json]:
    if not hasattr(pool, "get_stats"):
        return {}
    stats = pool.get_stats()
    size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
    # it connects in threads of its own: why it cannot is only logged, and the count does not say when
    at, said = crumbs.last_of("psycopg.pool", "error connecting", getattr(pool, "name", ""))
    return {
        "checked_out": size - idle,
        "size": stats.get("pool_max", size),
        "overflow": 0,
        "waiting": stats.get("requests_waiting", 0),
        # a pool that waits for a server that is down looks full: connections that are being opened count as taken
        "connect_errors": stats.get("connections_errors", 0),
        "connect_error": said or None,
        "connect_error_at": at or None,
    }


def _asyncpg(pool: Any) -> dict[str, Json]:
    if not hasattr(pool, "get_idle_size"):
        return {}
    return {"checked_out": pool.get_size() - pool.get_idle_size(), "size": pool.get_max_size(), "overflow": 0}


def _redis(pool: Any) -> dict[str, Json]:
    in_use = getattr(pool, "_in_use_connections", None)
    if in_use is None:
        return {}
    return {"checked_out": len(in_use), "size": pool.max_connections, "overflow": 0}
