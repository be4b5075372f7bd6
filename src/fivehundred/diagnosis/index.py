"""Index: from a code, class name or driver text to the rule that it speaks for, turned around from the rules' own rows.

Shared by the quick form and the full one, so the two cannot disagree about what a code means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fivehundred.diagnosis.rules.base import Peer, Rule
from fivehundred.diagnosis.rules.order import rules

position: Final[dict[str, int]] = {rule.id: number for number, rule in enumerate(rules)}

# Root module of a class or frame -> what it talks to.
products: Final[dict[str, str]] = {
    "psycopg": "postgresql",
    "psycopg_pool": "postgresql",
    "psycopg2": "postgresql",
    "psycopg2cffi": "postgresql",
    "asyncpg": "postgresql",
    "pg8000": "postgresql",
    "aiopg": "postgresql",
    "PG": "postgresql",
    "pq": "postgresql",
    "pgx": "postgresql",
    "pgconn": "postgresql",
    "pymysql": "mysql",
    "MySQLdb": "mysql",
    "mysql": "mysql",
    "aiomysql": "mysql",
    "asyncmy": "mysql",
    "mariadb": "mysql",
    "sqlite3": "sqlite",
    "_sqlite3": "sqlite",
    "aiosqlite": "sqlite",
    "redis": "redis",
    "aioredis": "redis",
    "pymongo": "mongodb",
    "motor": "mongodb",
    "kombu": "amqp",
    "amqp": "amqp",
    "pika": "amqp",
    "aio_pika": "amqp",
    "aiormq": "amqp",
    "kafka": "kafka",
    "aiokafka": "kafka",
    "confluent_kafka": "kafka",
    "cimpl": "kafka",
    "sarama": "kafka",
    "pymemcache": "memcached",
    "elasticsearch": "elasticsearch",
    "opensearchpy": "elasticsearch",
    "elastic_transport": "elasticsearch",
    "cassandra": "cassandra",
    "gocql": "cassandra",
    "clickhouse_connect": "clickhouse",
    "neo4j": "neo4j",
    "oracledb": "oracle",
    "pyodbc": "odbc",
    "requests": "http",
    "urllib3": "http",
    "urllib": "http",
    "http": "http",
    "httpx": "http",
    "httpx2": "http",
    "httpcore": "http",
    "httpcore2": "http",
    "aiohttp": "http",
    "botocore": "http",
    "boto3": "http",
    "grpc": "http",
    "kubernetes": "http",
    "dns": "dns",
    "niquests": "http",
    "smtplib": "http",
    "ftplib": "http",
    "ldap": "http",
    "ldap3": "http",
    "paramiko": "http",
    "openai": "http",
    "stripe": "http",
}
# The same for languages whose modules begin with an owner's name; the longest beginning counts.
product_beginnings: Final[dict[str, str]] = {
    "org.postgresql": "postgresql",
    "io.r2dbc.postgresql": "postgresql",
    "Npgsql": "postgresql",
    "github.com/lib/pq": "postgresql",
    "github.com/jackc": "postgresql",
    "com.mysql": "mysql",
    "org.mariadb": "mysql",
    "MySqlConnector": "mysql",
    "github.com/go-sql-driver": "mysql",
    "oracle.jdbc": "oracle",
    "redis.clients": "redis",
    "io.lettuce": "redis",
    "StackExchange.Redis": "redis",
    "github.com/redis": "redis",
    "github.com/go-redis": "redis",
    "com.mongodb": "mongodb",
    "MongoDB.Driver": "mongodb",
    "go.mongodb.org": "mongodb",
    "com.rabbitmq": "amqp",
    "RabbitMQ.Client": "amqp",
    "org.apache.kafka": "kafka",
    "com.datastax": "cassandra",
    "org.elasticsearch": "elasticsearch",
    "co.elastic": "elasticsearch",
    "Microsoft.Data.SqlClient": "sqlserver",
    "System.Data.SqlClient": "sqlserver",
    "com.microsoft.sqlserver": "sqlserver",
    "System.Net.Http": "http",
    "org.springframework.web.client": "http",
    "io.grpc": "http",
    "okhttp3": "http",
    "feign": "http",
    "java.net.http": "http",
    "org.apache.http": "http",
    "net/http": "http",
    "google.api_core": "http",
}
labels: Final[dict[str, str]] = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "sqlite": "SQLite",
    "redis": "Redis",
    "mongodb": "MongoDB",
    "amqp": "the message broker",
    "kafka": "Kafka",
    "memcached": "Memcached",
    "elasticsearch": "Elasticsearch",
    "cassandra": "Cassandra",
    "clickhouse": "ClickHouse",
    "neo4j": "Neo4j",
    "oracle": "Oracle",
    "odbc": "the ODBC source",
    "sqlserver": "SQL Server",
}
# Well-known ports, for plain socket errors without a driver's class or frame.
port_products: Final[dict[int, str]] = {
    5432: "postgresql",
    6432: "postgresql",
    3306: "mysql",
    6379: "redis",
    27017: "mongodb",
    5672: "amqp",
    9092: "kafka",
    11211: "memcached",
    9200: "elasticsearch",
    9042: "cassandra",
    1521: "oracle",
    80: "http",
    443: "http",
}


def peer_of(product: str) -> Peer:
    if not product:
        return ""
    return "http" if product == "http" else "other" if product == "dns" else "database"


def product_of(module: str) -> str:
    """What a class's or frame's module talks to; empty: nothing that is known."""
    known = products.get(root_of(module), "")
    if known or not ("." in module or "/" in module or module in product_beginnings):
        return known
    return next(
        (p for name, p in product_beginnings.items() if module == name or module.startswith((f"{name}.", f"{name}/"))),
        "",
    )


def root_of(module: str) -> str:
    return module.partition(".")[0]


# ---- the turned-around tables ----------------------------------------------------------------------


def _collect(values: str) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        for value in getattr(rule, values):
            found.setdefault(str(value), []).append(rule)
    return {value: tuple(owners) for value, owners in found.items()}


_sqlstates: Final = _collect("sqlstates")
_mysql: Final = _collect("mysql")
_sqlite: Final = _collect("sqlite")
_errnos: Final = _collect("errnos")
_replies: Final = _collect("replies")


def _class_table() -> dict[str, list[tuple[str, str, Rule]]]:
    """Class name -> (root module or "" for any, a text that must stand in the message or "", rule)."""
    table: dict[str, list[tuple[str, str, Rule]]] = {}
    for rule in rules:
        for entry in rule.classes:
            name, _, needle = entry.partition(":")
            module, _, kind = name.rpartition(".")
            table.setdefault(kind, []).append((module, needle, rule))
    return table


_classes: Final = _class_table()


def _text_table() -> dict[str, list[tuple[str, Rule]]]:
    table: dict[str, list[tuple[str, Rule]]] = {}
    for rule in rules:
        for entry in rule.texts:
            product, _, needle = entry.partition("|")
            table.setdefault(product, []).append((needle, rule))
    return table


_texts: Final = _text_table()


def by_sqlstate(code: str) -> Rule | None:
    """The longest matching prefix wins: a code, then its class."""
    for length in (5, 3, 2, 1):
        found = _sqlstates.get(code[:length])
        if found:
            return found[0]
    return None


def by_mysql(code: int) -> Rule | None:
    found = _mysql.get(str(code))
    return found[0] if found else None


def by_sqlite(name: str) -> Rule | None:
    """``SQLITE_BUSY_SNAPSHOT`` is looked up as itself, then as ``SQLITE_BUSY``."""
    while name:
        found = _sqlite.get(name)
        if found:
            return found[0]
        name = name.rpartition("_")[0]
    return None


def by_errno(name: str, peer: Peer) -> Rule | None:
    """Rules that are about one kind of peer hold only for it."""
    for rule in _errnos.get(name, ()):
        if not rule.peer or rule.peer == peer:
            return rule
    return None


def by_reply(code: str) -> Rule | None:
    found = _replies.get(code)
    return found[0] if found else None


def by_class(module: str, name: str) -> Iterator[tuple[str, Rule]]:
    """Rules with the text that must stand in the message ("" for any)."""
    root = root_of(module)
    for owner, needle, rule in _classes.get(name, ()):
        if not owner or owner in (root, root.lstrip("_")):
            yield needle, rule


def by_text(text: str, spoken: Iterable[str]) -> Iterator[tuple[str, Rule]]:
    """The needles of the products that the exception has to do with, then those of any."""
    for product in (*spoken, ""):
        yield from [entry for entry in _texts.get(product, ()) if entry[0] in text]
