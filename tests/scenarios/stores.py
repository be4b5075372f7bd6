"""Redis and MariaDB, really running, where they are installed."""

from __future__ import annotations

import importlib
import subprocess
import threading
import time
from typing import Any

from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.servers import mariadb, redis
from tests.scenarios.stage import Stage

from fivehundred.demo.ports import free_port


def imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise Skip(f"{name} is not installed") from e


def client(stage: Stage, *options: str, **more: Any) -> Any:
    port = stage.exits.enter_context(redis(*options))
    return imported("redis").Redis(port=port, socket_timeout=2, retry=None, **more)


@scenario("db-036 Redis out of memory", "overload", "clears", "OOM|OutOfMemoryError", "bug", "database", needs="redis")
def _(stage: Stage) -> None:
    cache = client(stage, "--maxmemory", "1mb", "--maxmemory-policy", "noeviction")

    def remember(request: Any) -> Any:
        for number in range(100):
            cache.set(f"k{number}", "x" * 50_000)
        return {}

    stage.get(remember)


@scenario(
    "db-037 Redis cannot persist",
    "database",
    "clears",
    "MISCONF|Misconf",
    "misconfiguration",
    "bug",
    needs="redis root",
)
def _(stage: Stage) -> None:
    disk = stage.folder / "redis"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False).returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
    cache = client(stage, "--dir", str(disk), "--save", "1 1", "--rdbcompression", "no")
    cache.set("big", "x" * 200_000)
    try:
        cache.bgsave()
    except Exception:
        time.sleep(0)
    time.sleep(1.5)

    def remember(request: Any) -> Any:
        cache.set("k", "v")
        return {}

    stage.get(remember)


@scenario("db-038 Redis is down", "database", "clears", "ECONNREFUSED", "bug", "overload", needs="redis")
def _(stage: Stage) -> None:
    cache = imported("redis").Redis(port=free_port(), retry=None)

    def remember(request: Any) -> Any:
        return {"v": cache.get("k")}

    stage.get(remember)


@scenario(
    "db-039 Redis demands a password",
    "misconfiguration",
    "no",
    "NOAUTH|Authentication",
    "bug",
    "database",
    needs="redis",
)
def _(stage: Stage) -> None:
    cache = client(stage, "--requirepass", "secret")

    def remember(request: Any) -> Any:
        return {"v": cache.get("k")}

    stage.get(remember)


@scenario("x-redis-type wrong type of a key", "bug", "no", "WRONGTYPE", "database", "misconfiguration", needs="redis")
def _(stage: Stage) -> None:
    cache = client(stage)
    cache.set("k", "v")

    def push(request: Any) -> Any:
        return {"n": cache.lpush("k", "w")}

    stage.get(push)


@scenario(
    "x-redis-clients Redis has no free client",
    "overload",
    "clears",
    "max number of clients|full",
    "database",
    "bug",
    needs="redis",
)
def _(stage: Stage) -> None:
    cache = client(stage, "--maxclients", "2")
    port = cache.connection_pool.connection_kwargs["port"]
    others = [imported("redis").Redis(port=port, single_connection_client=True)
              for _ in range(2)]  # fmt: skip

    def remember(request: Any) -> Any:
        return {"v": cache.get("k")}

    stage.get(remember)
    for other in others:
        other.close()


# ---- MariaDB -------------------------------------------------------------------------------------


def connect(**more: Any) -> Any:
    options = {"host": "127.0.0.1", "user": "shop", "password": "right", "database": "shop", **more}
    return imported("pymysql").connect(port=options.pop("port", 0) or mariadb(), **options)


def run(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.commit()


@scenario(
    "db-033 MySQL gone away", "database", "clears", "2006|2013|4031|gone|Lost", "bug", "misconfiguration", needs="mysql"
)
def _(stage: Stage) -> None:
    connection = connect()
    run(connection, "SET SESSION wait_timeout = 1")
    time.sleep(2.2)

    def users(request: Any) -> Any:
        run(connection, "SELECT 1")
        return {}

    stage.get(users)


@scenario("db-034 MySQL lock wait timeout", "database", "yes", "1205", "bug", "overload", needs="mysql")
def _(stage: Stage) -> None:
    holder = connect()
    run(
        holder, "CREATE TABLE IF NOT EXISTS t (id int primary key, v int) ENGINE=InnoDB", "REPLACE INTO t VALUES (1, 1)"
    )
    with holder.cursor() as cursor:
        cursor.execute("UPDATE t SET v = 2 WHERE id = 1")

    def update(request: Any) -> Any:
        run(connect(), "UPDATE t SET v = 3 WHERE id = 1")
        return {}

    stage.get(update)
    holder.rollback()


@scenario(
    "db-035 four-byte text into utf8mb3",
    "misconfiguration",
    "no",
    "1366|character|Incorrect string",
    "security",
    "bug",
    needs="mysql",
)
def _(stage: Stage) -> None:
    run(connect(), "CREATE TABLE IF NOT EXISTS notes (body varchar(50) CHARACTER SET utf8mb3)")

    def note(request: Any) -> Any:
        connection = connect(charset="utf8mb4")
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO notes VALUES (%s)", (request.get_json()["body"],))
        return {}

    stage.post(note, {"body": "party \U0001f389"})


@scenario(
    "x-mysql-password MySQL refuses the password",
    "misconfiguration",
    "no",
    "1045",
    "database.refused",
    "bug",
    needs="mysql",
)
def _(stage: Stage) -> None:
    def users(request: Any) -> Any:
        run(connect(password="wrong"), "SELECT 1")
        return {}

    stage.get(users)


@scenario("x-mysql-table MySQL table missing", "database", "no", "1146|invoices", "bug", needs="mysql")
def _(stage: Stage) -> None:
    def invoices(request: Any) -> Any:
        run(connect(), "SELECT * FROM invoices")
        return {}

    stage.get(invoices)


@scenario(
    "x-mysql-down MySQL is down", "database", "clears", "2003|ECONNREFUSED", "bug", "misconfiguration", needs="mysql"
)
def _(stage: Stage) -> None:
    port = free_port()

    def users(request: Any) -> Any:
        run(connect(port=port), "SELECT 1")
        return {}

    stage.get(users)


@scenario(
    "x-mysql-full MySQL has too many connections",
    "overload",
    "clears",
    "1040|full|Too many",
    "database",
    "bug",
    needs="mysql",
)
def _(stage: Stage) -> None:
    held: list[Any] = []
    try:
        while len(held) < 20:
            held.append(connect())
    except Exception:
        time.sleep(0)

    def users(request: Any) -> Any:
        run(connect(), "SELECT 1")
        return {}

    stage.get(users)
    for connection in held:
        connection.close()


@scenario("x-mysql-syntax MySQL syntax error in the code", "bug", "no", "1064", "security", "database", needs="mysql")
def _(stage: Stage) -> None:
    def users(request: Any) -> Any:
        run(connect(), "SELEC 1")
        return {}

    stage.get(users)


@scenario("x-mysql-deadlock MySQL deadlock", "database", "yes", "1213", "bug", "overload", needs="mysql")
def _(stage: Stage) -> None:
    other = connect()
    run(other, "CREATE TABLE IF NOT EXISTS d (id int primary key, v int) ENGINE=InnoDB",
        "REPLACE INTO d VALUES (1, 1), (2, 2)")  # fmt: skip
    heavy = other.cursor()
    heavy.execute("UPDATE d SET v = 5 WHERE id = 2")
    heavy.execute("INSERT INTO d SELECT seq + 10, 1 FROM seq_1_to_500")  # the one that changed less is ended

    def transfer(request: Any) -> Any:
        mine = connect()
        with mine.cursor() as cursor:
            cursor.execute("UPDATE d SET v = 6 WHERE id = 1")
            threading.Thread(target=heavy.execute, args=("UPDATE d SET v = 6 WHERE id = 1",), daemon=True).start()
            time.sleep(0.2)
            cursor.execute("UPDATE d SET v = 6 WHERE id = 2")
        return {}

    stage.get(transfer)
    time.sleep(0.3)
    other.rollback()
