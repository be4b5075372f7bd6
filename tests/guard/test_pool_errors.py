"""Why psycopg's pool cannot connect is known from what its own threads log."""

from __future__ import annotations

import psycopg_pool

from fivehundred.guard import crumbs
from fivehundred.guard.pools import Pools


def test_a_pool_tells_why_it_cannot_connect() -> None:
    crumbs.install()
    pools = Pools()
    dsn = "postgresql://x@127.0.0.1:1/x?connect_timeout=2"
    with psycopg_pool.ConnectionPool(dsn, min_size=1, max_size=2, timeout=0.3, open=True) as pool:
        pools.watch(pool, "shop")
        try:
            pool.getconn()
        except psycopg_pool.PoolTimeout:
            (state,) = pools.states()
    assert isinstance(state, dict)
    assert "refused" in str(state["connect_error"])
    assert "{'__class__'" not in str(state["connect_error"])
