"""PostgreSQL: transactions, locks and sessions that end otherwise than they should; and what only looks like it."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import psycopg
import sqlalchemy
from tests.scenarios.postgres import engine_of, text
from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.servers import postgres
from tests.scenarios.stage import Stage


@scenario("db-021 deadlock", "database", "yes", "40P01", "bug", "overload", needs="pg")
def _(stage: Stage) -> None:
    server = postgres("deadlock_timeout=50ms")
    server.sql("INSERT INTO items VALUES (2, 'pen', 3) ON CONFLICT DO NOTHING")
    other = psycopg.connect(server.dsn("demo"))  # the one whose time is up first is ended: that shall be ours
    other.execute("SET deadlock_timeout = '10s'")
    other.execute("UPDATE items SET price = 5 WHERE id = 2")

    def transfer(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("UPDATE items SET price = 6 WHERE id = 1")
            threading.Thread(target=_update_first, args=(other,)).start()
            time.sleep(0.1)
            connection.execute("UPDATE items SET price = 6 WHERE id = 2")
        return {}

    stage.get(transfer)
    time.sleep(0.1)
    other.close()


def _update_first(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.execute("UPDATE items SET price = 5 WHERE id = 1")
        connection.rollback()
    except psycopg.Error:
        connection.rollback()


@scenario("db-022 statement timeout", "overload", "clears", "57014", "bug", "database", needs="pg")
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres("statement_timeout=200ms"))

    def report(request: Any) -> Any:
        with engine.connect() as connection:
            query = text("SELECT count(*) FROM generate_series(1, 100000000) x")
            return {"n": connection.execute(query).scalar()}

    stage.get(report)


@scenario("db-023 lock timeout", "database", "yes", "55P03", "bug", "misconfiguration", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()
    holder = psycopg.connect(server.dsn())
    holder.execute("UPDATE items SET price = 1 WHERE id = 1")

    def update(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("SET lock_timeout = '100ms'")
            connection.execute("UPDATE items SET price = 2 WHERE id = 1")
        return {}

    stage.post(update, {})
    holder.close()


@scenario("db-024 read-only", "misconfiguration", "no", "25006", "database", "bug", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()
    server.sql("ALTER ROLE shop SET default_transaction_read_only = on")
    stage.exits.callback(server.sql, "ALTER ROLE shop RESET default_transaction_read_only")

    def add(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("INSERT INTO items VALUES (3, 'cup', 4)")
        return {}

    stage.post(add, {})


@scenario("db-025 database disk full", "database", "clears", "53100", "overload", "bug", needs="pg root")
def _(stage: Stage) -> None:
    import subprocess

    server = postgres()
    disk = stage.folder / "pgdisk"
    disk.mkdir()
    stage.folder.chmod(0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], check=False).returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
    subprocess.run(["chown", f"{server.data.stat().st_uid}", str(disk)], check=True)
    server.sql(f"CREATE TABLESPACE small LOCATION '{disk}'", "CREATE TABLE big (x text) TABLESPACE small",
               "GRANT ALL ON big TO shop")  # fmt: skip
    stage.exits.callback(server.sql, "DROP TABLE big", "DROP TABLESPACE small")

    def add(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("INSERT INTO big SELECT repeat(md5(x::text), 20) FROM generate_series(1, 100000) x")
        return {}

    stage.post(add, {})


@scenario(
    "db-026 session killed by an administrator",
    "database",
    "yes",
    "57P01|administrator",
    "bug",
    "misconfiguration",
    needs="pg",
)
def _(stage: Stage) -> None:
    server = postgres()

    def report(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            pid = connection.info.backend_pid
            threading.Timer(0.2, server.sql, [f"SELECT pg_terminate_backend({pid})"]).start()
            return connection.execute("SELECT pg_sleep(3)").fetchall()

    stage.get(report)


@scenario(
    "db-027 stale pooled connection after a restart",
    "database",
    "yes",
    "closed|answers our probe|57P01|terminat",
    "bug",
    "database.refused",
    needs="pg",
)
def _(stage: Stage) -> None:
    server = postgres("# stopped at times")
    engine = engine_of(stage, server)

    def users(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(text("SELECT 1")).scalar()}

    stage.get(users)
    server.restart()
    stage.get(users)


@scenario("db-028 transaction is aborted", "bug", "no", "25P02", "database", "misconfiguration", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def checkout(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            with contextlib.suppress(psycopg.Error):
                connection.execute("SELECT 1 / 0")
            return connection.execute("SELECT 1").fetchall()

    stage.get(checkout)


@scenario("db-030 serialization failure", "database", "yes", "40001", "bug", "overload", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def update(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("SELECT price FROM items")
            server.sql("UPDATE items SET price = price + 1 WHERE id = 1")
            connection.execute("UPDATE items SET price = 9 WHERE id = 1")
        return {}

    stage.post(update, {})


@scenario(
    "se-001d SQL injection probe, psycopg", "security", "no", "stands in the .*statement", "bug", "database", needs="pg"
)
def _(stage: Stage) -> None:
    server = postgres()

    def search(request: Any) -> Any:
        name = request.args["name"]
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute(f"SELECT id FROM items WHERE name = '{name}'".encode()).fetchall()

    stage.get(search, "name=x%27%20UNION%20SELECT%20%28")


@scenario(
    "mx-004 wrong port looks like database down",
    "misconfiguration",
    "no",
    "never",
    "database",
    needs="pg",
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    server = postgres()
    from fivehundred.demo.ports import free_port

    wrong = sqlalchemy.create_engine(f"postgresql+psycopg://shop@127.0.0.1:{free_port()}/postgres")
    stage.watch(wrong)
    assert server.database.running()

    def users(request: Any) -> Any:
        with wrong.connect() as connection:
            return {"n": connection.execute(text("SELECT 1")).scalar()}

    stage.get(users)


@scenario("x-bug-beside a bug while the database works", "bug", "no", "None|AttributeError", "database", needs="pg")
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres())

    def show(request: Any) -> Any:
        with engine.connect() as connection:
            row: Any = connection.execute(text("SELECT name FROM items WHERE id = 404")).first()
        return {"name": row.name}

    stage.get(show)
