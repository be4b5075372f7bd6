"""Stores: which words in the name of a class, module or library folder mean a data store, a cache or a broker.

For clients that the index does not list by their module: names of products are the same in every language.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from fivehundred import limits
from fivehundred.diagnosis.frames import in_app, is_own

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case, Raised

# word -> product as in the index; "sql" is any relational database, "store" any other
_words: Final[dict[str, str]] = {
    **dict.fromkeys(("pg", "pgx", "postgres", "postgresql", "npgsql", "libpq", "pgconn", "pgsql"), "postgresql"),
    **dict.fromkeys(("mysql", "mysql2", "mysqli", "mariadb", "mysqlnd"), "mysql"),
    **dict.fromkeys(("sqlite", "sqlite3"), "sqlite"),
    **dict.fromkeys(("redis", "ioredis", "valkey", "hiredis", "jedis", "lettuce", "redisson", "predis"), "redis"),
    **dict.fromkeys(("mongo", "mongodb", "mongoose", "mongoengine", "mongoid", "beanie"), "mongodb"),
    **dict.fromkeys(("amqp", "amqplib", "rabbit", "rabbitmq", "bunny", "pika", "aiopika", "aiormq"), "amqp"),
    **dict.fromkeys(("kafka", "kafkajs", "rdkafka", "sarama", "redpanda"), "kafka"),
    **dict.fromkeys(("memcache", "memcached", "memjs", "dalli"), "memcached"),
    **dict.fromkeys(("elasticsearch", "elastic", "opensearch", "opensearchpy"), "elasticsearch"),
    **dict.fromkeys(("cassandra", "scylla", "gocql"), "cassandra"),
    **dict.fromkeys(("clickhouse",), "clickhouse"),
    **dict.fromkeys(("neo4j",), "neo4j"),
    **dict.fromkeys(("oracledb", "cx_oracle", "ojdbc"), "oracle"),
    **dict.fromkeys(("mssql", "tedious", "sqlserver", "sqlclient", "tiberius"), "sqlserver"),
    **dict.fromkeys(("odbc", "pyodbc"), "odbc"),
    **dict.fromkeys(
        (
            *("sql", "jdbc", "pdo", "hibernate", "hikari", "hikaricp", "gorm", "sqlx", "diesel", "ecto", "prisma"),
            *("sequelize", "typeorm", "knex", "drizzle", "mikroorm", "doctrine", "eloquent", "activerecord", "dapper"),
            *("entityframeworkcore", "peewee", "playhouse", "tortoise", "ponyorm", "sqlalchemy", "duckdb", "database"),
            *("db", "dbconnection", "cockroachdb", "snowflake", "bigquery", "redshift", "vertica", "firebird", "db2"),
        ),
        "sql",
    ),
    **dict.fromkeys(
        (
            *(
                "nats",
                "pulsar",
                "mqtt",
                "stomp",
                "activemq",
                "jms",
                "zeromq",
                "celery",
                "kombu",
                "etcd",
                "zookeeper",
                "kazoo",
            ),
            *("solr", "meilisearch", "influx", "influxdb", "timescale", "prometheus", "qdrant", "milvus", "weaviate"),
            *(
                "couchdb",
                "couchbase",
                "arangodb",
                "arango",
                "rethinkdb",
                "dynamodb",
                "cosmosdb",
                "firestore",
                "aerospike",
            ),
            *("hazelcast", "ignite", "rocksdb", "leveldb", "lmdb", "surrealdb", "fauna", "orientdb", "janusgraph"),
        ),
        "store",
    ),
}


def product_named(case: Case) -> str:
    """The product of the exceptions' names, or of the library frames right below the application's; or nothing."""
    for one in case.raised:
        found = next((product for words, product in _said if words in one.text), "") or _of_exception(one)
        if found:
            return found
    for frame in reversed(case.frames[-limits.store_frames_max :]):
        if not in_app(frame):
            found = _of_words(frame.module) or _of_words(frame.abs_path or frame.filename)
            if found:
                return found
    # sockets fail without a frame of their client: the application's line may name it
    line = case.app_frame.context_line if case.app_frame is not None else ""
    return _of_words(line) if line and any(one.errno in _network for one in case.raised) else ""


_said: Final = (('connection to server at "', "postgresql"), ("cURL error ", "http"))  # of libpq and libcurl
_network: Final = ("ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "EPIPE")


def _of_exception(one: Raised) -> str:
    if is_own(one.item):
        return ""
    for module, name in one.classes[:3]:
        if module != "builtins":
            found = _of_words(module) or _of_words(name)
            if found:
                return found
    return ""


@functools.lru_cache(maxsize=limits.concept_names_max)
def _of_words(name: str) -> str:
    name = name[-200:]
    pieces = (piece.lower() for piece in _pieces.findall(name))
    return next((_words[word] for word in (*pieces, *words_of(name)) if word in _words), "")


_pieces: Final = re.compile(r"[A-Za-z0-9]+")
_camel: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> list[str]:
    """ "kafka.errors.NoBrokersAvailable" in its words, in small letters."""
    return [word.lower() for word in _camel.findall(name)]
