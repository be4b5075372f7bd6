"""PostgreSQL: down, full, denied, slow, restarted, migrated; with psycopg, SQLAlchemy, and others where installed."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import psycopg_pool
import sqlalchemy
from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.servers import Postgres, postgres
from tests.scenarios.stage import Stage

text = sqlalchemy.text


def engine_of(stage: Stage, server: Postgres, **options: Any) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(server.url(), **{"pool_size": 2, "max_overflow": 0, **options})
    stage.watch(engine)
    stage.exits.callback(engine.dispose)
    return engine


def stopped(stage: Stage, server: Postgres) -> None:
    server.database.stop()
    stage.exits.callback(server.database.start)


@scenario(
    "db-001 down after it worked, SQLAlchemy",
    "database",
    "clears",
    "ECONNREFUSED",
    "bug",
    "misconfiguration",
    needs="pg",
)
def _(stage: Stage) -> None:
    server = postgres("# stopped at times")
    engine = engine_of(stage, server, pool_pre_ping=True)

    def users(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(text("SELECT count(*) FROM items")).scalar()}

    stage.get(users)
    stopped(stage, server)
    stage.get(users)


@scenario("db-001b down, psycopg", "database", "clears", "ECONNREFUSED", "bug", "misconfiguration", needs="pg")
def _(stage: Stage) -> None:
    server = postgres("# stopped at times")
    stopped(stage, server)

    def users(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT 1").fetchall()

    stage.get(users)


@scenario("db-001c down, psycopg2", "database", "clears", "ECONNREFUSED", "bug", "misconfiguration", needs="pg")
def _(stage: Stage) -> None:
    psycopg2 = imported("psycopg2")
    server = postgres("# stopped at times")
    stopped(stage, server)

    def users(request: Any) -> Any:
        return psycopg2.connect(server.dsn()).cursor()

    stage.get(users)


@scenario("db-001d down, asyncpg", "database", "clears", "ECONNREFUSED", "bug", "misconfiguration", needs="pg")
def _(stage: Stage) -> None:
    asyncpg = imported("asyncpg")
    server = postgres("# stopped at times")
    stopped(stage, server)

    async def users(request: Any) -> Any:
        connection = await asyncpg.connect(host="127.0.0.1", port=server.port, user="shop", database="postgres")
        return await connection.fetchval("SELECT 1")

    stage.get(users)


@scenario(
    "db-001e down under a psycopg pool",
    "database",
    "clears",
    "refused|does not answer|ECONNREFUSED",
    "bug",
    "overload",
    needs="pg",
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    server = postgres("# stopped at times")
    stopped(stage, server)
    pool = psycopg_pool.ConnectionPool(server.dsn(), min_size=1, max_size=2, timeout=0.5, open=True)
    stage.watch(pool)
    stage.exits.callback(pool.close)

    def users(request: Any) -> Any:
        with pool.connection() as connection:
            return connection.execute("SELECT 1").fetchall()

    stage.get(users)


def started_again(server: Postgres) -> None:
    if not server.database.running():
        server.database.start()


def imported(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise Skip(f"{name} is not installed") from e


@scenario(
    "db-002 shutting down while a statement runs",
    "database",
    "yes",
    "57P01|administrator|closed",
    "misconfiguration",
    "bug",
    needs="pg",
)
def _(stage: Stage) -> None:
    server = postgres("# stopped at times")
    stage.exits.callback(started_again, server)

    def slow(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            threading.Timer(0.3, server.database.stop).start()
            return connection.execute("SELECT pg_sleep(5)").fetchall()

    stage.get(slow)
    time.sleep(0.5)


@scenario(
    "db-003 too many clients, psycopg",
    "overload",
    "clears",
    "53300|too many|full|reserved",
    "database",
    "bug",
    needs="pg",
)
def _(stage: Stage) -> None:
    server = postgres("max_connections=12")
    held = hold(server, 20)
    for connection in held:
        stage.exits.callback(connection.close)

    def users(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT 1").fetchall()

    stage.get(users)


@scenario("db-003b too many clients, asyncpg", "overload", "clears", "53300", "database", "bug", needs="pg")
def _(stage: Stage) -> None:
    asyncpg = imported("asyncpg")
    server = postgres("max_connections=12")
    held = hold(server, 20)
    for connection in held:
        stage.exits.callback(connection.close)

    async def users(request: Any) -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=server.port, user="shop", database="postgres")

    stage.get(users)


def hold(server: Postgres, most: int) -> list[psycopg.Connection[Any]]:
    held: list[psycopg.Connection[Any]] = []
    for _ in range(most):
        try:
            held.append(psycopg.connect(server.dsn()))
        except psycopg.OperationalError:
            break
    return held


@scenario("db-004b pool exhausted, server healthy", "overload", "clears", "pool", "database", "bug", needs="pg")
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres(), pool_timeout=0.2)

    def report(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(text("SELECT 1")).scalar()}

    with stage.held(engine.connect, 2):
        stage.get(report)


@scenario(
    "db-005 connections that no request holds",
    "bug",
    "clears",
    "out while . other requests",
    "overload",
    "database",
    needs="pg",
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres(), pool_timeout=0.2)
    kept = []

    def report(request: Any) -> Any:
        connection = engine.connect()
        kept.append(connection)
        stage.exits.callback(connection.close)
        return {"n": connection.execute(text("SELECT 1 / :by"), {"by": len(kept) - 1}).scalar()}

    stage.wanted = "report"
    for _ in range(3):
        stage.get(report)


@scenario(
    "db-006 wrong password", "misconfiguration", "no", "28P01|password", "database", "bug", "security", needs="pg"
)
def _(stage: Stage) -> None:
    server = postgres("password_encryption = 'md5'")
    server.sql("ALTER ROLE shop PASSWORD 'right'")
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("host all demo 127.0.0.1/32 trust\nhost all shop 127.0.0.1/32 scram-sha-256\n")
    server.reload()
    stage.exits.callback(server.reload)
    stage.exits.callback(rules.write_text, before)

    def users(request: Any) -> Any:
        with psycopg.connect(server.dsn() + " password=wrong") as connection:
            return connection.execute("SELECT 1").fetchall()

    stage.get(users)


@scenario(
    "db-007 no such database", "misconfiguration", "no", "3D000|does not exist", "database.refused", "bug", needs="pg"
)
def _(stage: Stage) -> None:
    server = postgres()

    def users(request: Any) -> Any:
        with psycopg.connect(server.dsn(database="shop_prod")) as connection:
            return connection.execute("SELECT 1").fetchall()

    stage.get(users)


@scenario("db-008 no pg_hba entry", "misconfiguration", "no", "28000|pg_hba", "database", "bug", needs="pg")
def _(stage: Stage) -> None:
    server = postgres("password_encryption = 'md5'")
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("host all demo 127.0.0.1/32 trust\n")
    server.reload()
    stage.exits.callback(server.reload)
    stage.exits.callback(rules.write_text, before)

    def users(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT 1").fetchall()

    stage.get(users)


@scenario("db-009 role may not use the table", "misconfiguration", "no", "42501", "security", "bug", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()
    server.sql("CREATE TABLE IF NOT EXISTS salaries (id int)")

    def salaries(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT * FROM salaries").fetchall()

    stage.get(salaries)


@scenario("db-011 migration not applied, table", "database", "no", "42P01.*|invoices", "bug", "security", needs="pg")
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres())

    def invoices(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(text("SELECT count(*) FROM invoices")).scalar()}

    stage.get(invoices)


@scenario("db-012 migration not applied, column", "database", "no", "42703", "bug", "security", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def items(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT discount FROM items").fetchall()

    stage.get(items)


@scenario("db-014b SQL syntax error in the code", "bug", "no", "42601", "security", "database", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def items(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT name FORM items WHERE id = %s", (request.args["id"],)).fetchall()

    stage.get(items, "id=1%27")


@scenario("db-015 unique violation", "bug", "no", "23505", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def add(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("INSERT INTO items VALUES (1, 'pen', 3)")
        return {}

    stage.post(add, {})


@scenario("db-016 not null", "bug", "no", "23502", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres())

    def add(request: Any) -> Any:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO items VALUES (7, :name, 3)"), {"name": request.get_json().get("name")})
        return {}

    stage.post(add, {})


@scenario("db-017 foreign key violation", "bug", "no", "23503", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()
    server.sql("CREATE TABLE IF NOT EXISTS lines (item int REFERENCES items)", "GRANT ALL ON lines TO shop",
               "INSERT INTO lines VALUES (1)")  # fmt: skip

    def delete(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("DELETE FROM items WHERE id = 1")
        return {}

    stage.send(delete, "DELETE")


@scenario("db-018 value out of range", "bug", "no", "22003", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    engine = engine_of(stage, postgres())

    def item(request: Any) -> Any:
        with engine.begin() as connection:
            connection.execute(text("UPDATE items SET price = cast(:p as bigint)"), {"p": request.get_json()["price"]})
        return {}

    stage.post(item, {"price": 99999999999})


@scenario("db-019 NUL byte in text", "bug", "no", "NUL|22021", "misconfiguration", "security", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def find(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT 1 FROM items WHERE name = %s", (request.args["name"],)).fetchall()

    stage.get(find, "name=book%00")


@scenario("db-020 text where a number is compared", "bug", "no", "22P02|42883", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    server = postgres()

    def find(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute(
                "SELECT 1 FROM items WHERE id = cast(%s as int)", (request.args["id"],)
            ).fetchall()

    stage.get(find, "id=undefined")
