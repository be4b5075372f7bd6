"""What fails wherever it is used: a peer or a resource that is down, full or denied, or a missing environment variable.

Such a fault has no site: a database that is down is one fault at every call site. Codes decide before words, because
servers and drivers speak other languages. What is about a statement or a value (class 22, 23, 42 ...) is no outage.
"""

# ruff: noqa: SIM905, E501 - tables of words and texts read better as they are

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fivehundred.event import Event, ExceptionItem
from fivehundred.fingerprint.libraries import known, top_level


@dataclass(frozen=True, slots=True)
class Outage:
    kind: str  # "refused", "timeout", "dns", "full" ...
    family: str  # "postgresql", "redis", "http" ...; empty for what belongs to the machine itself
    peer: str  # host:port, host, or empty when nothing tells
    exception: int  # index of the exception that decided

    @property
    def certain(self) -> bool:
        """Does it stand for itself? A call of an unknown peer may be any peer, so it needs its site."""
        return not self.family or bool(self.peer) or self.family not in ("http", "socket", "grpc")


def outage(event: Event) -> Outage | None:
    """The newest exception with a code of the machine or of a peer decides; its peer may stand in any of the chain."""
    family = ""
    for i in range(len(event.exceptions) - 1, -1, -1):
        x = event.exceptions[i]
        kind = _machine(x)
        if kind:
            return Outage(kind, "", "", i)
    for i in range(len(event.exceptions) - 1, -1, -1):
        x = event.exceptions[i]
        family = family if family not in ("", "pool") else family_of(x) or family
        kind = _peer_kind(x, family)
        if kind:
            # the older ones of the chain are this one's reasons; they know the family and the errno better
            for older in reversed(event.exceptions[:i]):
                family = family if family not in ("", "pool") else family_of(older) or family
                kind = _peer_kind(older, family) or kind if kind in _VAGUE else kind
            return Outage(kind, family or "socket", _peer(event), i)
    return None


_VAGUE: Final = frozenset(("unreachable", "lost"))


def environment_variable(event: Event) -> tuple[str, int] | None:
    """(NAME, index of the exception) when the application read a variable that is not set."""
    for i, x in enumerate(event.exceptions):
        name = x.value.strip("'\" ")
        if x.type == "KeyError" and x.frames and _NAME.fullmatch(name):
            last = x.frames[-1]
            if (last.module == "os" and last.function.endswith(("__getitem__", "__getattr__"))) or _ENVIRON.search(
                last.context_line
            ):
                return name, i
        told = _variable_told(x.value[:500])
        if told:
            return told, i
    return None


@lru_cache(maxsize=500)
def _variable_told(text: str) -> str:
    lower = text.lower()
    found = _VARIABLE.search(text) if "env" in lower and "var" in lower else None
    return next(g for g in found.groups() if g) if found else ""


_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{1,80}")
_ENVIRON: Final = re.compile(r"\benviron\b|\bgetenv\b|process\.env\b|\bENV\[|\bENV\.fetch")
_VARIABLE: Final = re.compile(
    r"(?i:environment variable|env var|envvar)[^A-Z\n]{0,20}\b([A-Z][A-Z0-9_]{2,80})\b"
    r"|\b([A-Z][A-Z0-9_]{2,80})\b[^\n]{0,40}(?i:environment variable|env var|envvar)"
)


# ---- the machine -----------------------------------------------------------------------------------------

_MACHINE_ERRNO: Final = {28: "disk-full", 122: "disk-full", 24: "descriptors", 23: "descriptors", 5: "disk-error"}
# Texts are plain substrings, tried in order: safe and fast on hostile messages, readable in one column.
_MACHINE_TEXT: Final = {
    "[Errno 28]": "disk-full",
    "ENOSPC": "disk-full",
    "No space left on device": "disk-full",
    "Disk quota exceeded": "disk-full",
    "database or disk is full": "disk-full",
    "[Errno 24]": "descriptors",
    "[Errno 23]": "descriptors",
    "EMFILE": "descriptors",
    "ENFILE": "descriptors",
    "oo many open files": "descriptors",
    "can't start new thread": "threads",
    "can't allocate new thread": "threads",
    "native thread": "threads",
    "[Errno 12]": "memory",
    "ENOMEM": "memory",
    "Cannot allocate memory": "memory",
    "Java heap space": "memory",
    "GC overhead limit": "memory",
    "[Errno 5]": "disk-error",
    "Input/output error": "disk-error",
    "disk I/O error": "disk-error",
}


def _machine(x: ExceptionItem) -> str:
    return _MACHINE_ERRNO.get(_errno(x), "") or _machine_text(x.value[:2_000])


@lru_cache(maxsize=500)
def _machine_text(text: str) -> str:
    return _by_text(_MACHINE_TEXT, text)


def _errno(x: ExceptionItem) -> int:
    if x.mechanism:
        code = x.mechanism.meta.get("errno")
        number = code.get("number") if isinstance(code, dict) else None
        if isinstance(number, int):
            return number
    return _errno_told(x.value[:500])


@lru_cache(maxsize=500)
def _errno_told(text: str) -> int:
    found = _ERRNO.search(text) if "Err" in text else None  # the pattern has no beginning that could be skipped to
    return int(found[1] or found[2]) if found else 0


_ERRNO: Final = re.compile(r"\[(?:Errno|WinError) (-?\d{1,5})\]|^Error (\d{1,5}) connecting")


# ---- peers -----------------------------------------------------------------------------------------------

_PEER_ERRNO: Final = {
    **dict.fromkeys((111, 61, 10061), "refused"),
    **dict.fromkeys((110, 60, 10060), "timeout"),
    **dict.fromkeys((104, 54, 10054, 32), "lost"),
    **dict.fromkeys((113, 112, 101, 65, 51, 10065, 10051), "unreachable"),
    **dict.fromkeys((-2, -3, -5, 11001), "dns"),
}
_TYPES: Final = {
    "ConnectionRefusedError": "refused",
    "gaierror": "dns",
    "NameResolutionError": "dns",
    "UnknownHostException": "dns",
    "SSLCertVerificationError": "tls",
    "CertificateError": "tls",
    "ConnectTimeoutError": "timeout",
    "ConnectTimeout": "timeout",
    "ReadTimeout": "timeout",
    "ReadTimeoutError": "timeout",
    "SocketTimeoutException": "timeout",
    "ServerTimeoutError": "timeout",
    "PoolTimeout": "pool",
    "TooManyConnectionsError": "full",
    "CannotConnectNowError": "starting",
    "ServerSelectionTimeoutError": "unreachable",
    "NoBrokersAvailable": "unreachable",
    "NoHostAvailable": "unreachable",
    "EndpointConnectionError": "unreachable",
    "BusyLoadingError": "starting",
    "ClusterDownError": "unreachable",
    "MasterDownError": "unreachable",
    "AuthenticationError": "denied",
    "InvalidPasswordError": "denied",
    "InvalidCatalogNameError": "no-database",
    "NewConnectionError": "unreachable",
    "ConnectionFailedError": "unreachable",
    "SMTPServerDisconnected": "lost",
    "SMTPConnectError": "unreachable",
    "SMTPAuthenticationError": "denied",
    "NotPrimaryError": "read-only",
    "ReadOnlyError": "read-only",
}
_SQLSTATE: Final = {
    "08": "unreachable",
    "28": "denied",
    "3D": "no-database",
    "53": "full",
    "57P01": "lost",
    "57P02": "lost",
    "57P03": "starting",
    "58": "disk-error",
}
# the SQLSTATE classes above by the names that psycopg gives them
_PSYCOPG: Final = {
    "TooManyConnections": "full",
    "OutOfMemory": "full",
    "DiskFull": "full",
    "AdminShutdown": "lost",
    "CrashShutdown": "lost",
    "CannotConnectNow": "starting",
    "InvalidPassword": "denied",
    "InvalidAuthorizationSpecification": "denied",
    "InvalidCatalogName": "no-database",
    "ConnectionFailure": "lost",
    "ConnectionTimeout": "timeout",
}
_MYSQL: Final = {
    **dict.fromkeys((2002, 2003, 1130), "unreachable"),
    2005: "dns",
    **dict.fromkeys((2006, 2013, 2055, 1053), "lost"),
    **dict.fromkeys((1040, 1203, 1226), "full"),
    **dict.fromkeys((1044, 1045, 1698), "denied"),
    1049: "no-database",
    **dict.fromkeys((1836, 1290), "read-only"),
}
_TEXT: Final = {
    "onnection refused": "refused",
    "ECONNREFUSED": "refused",
    "actively refused": "refused",
    "Errno 111": "refused",
    "Errno 61]": "refused",
    "could not translate host name": "dns",
    "ame or service not known": "dns",
    "Temporary failure in name resolution": "dns",
    "getaddrinfo": "dns",
    "nodename nor servname": "dns",
    "no such host": "dns",
    "ENOTFOUND": "dns",
    "EAI_AGAIN": "dns",
    "Failed to resolve": "dns",
    "Name does not resolve": "dns",
    "CERTIFICATE_VERIFY_FAILED": "tls",
    "certificate verify failed": "tls",
    "certificate has expired": "tls",
    "x509: certificate": "tls",
    "SSLHandshake": "tls",
    "unable to get local issuer": "tls",
    "self-signed certificate": "tls",
    "self signed certificate": "tls",
    "too many clients already": "full",
    "remaining connection slots": "full",
    "oo many connections": "full",
    "max number of clients reached": "full",
    "OOM command not allowed": "full",
    "QueuePool limit": "pool",
    "pool exhausted": "pool",
    "onnection pool exhausted": "pool",
    "onnection pool is exhausted": "pool",
    "onnection pool is full": "pool",
    "onnection pool timeout": "pool",
    "Connection is not available, request timed out": "pool",
    "couldn't get a connection after": "pool",
    "password authentication failed": "denied",
    "no password supplied": "denied",
    "no pg_hba.conf entry": "denied",
    "Access denied for user": "denied",
    "NOAUTH": "denied",
    "WRONGPASS": "denied",
    "ACCESS_REFUSED": "denied",
    "the database system is ": "starting",
    "is loading the dataset in memory": "starting",
    "Unknown database": "no-database",
    "FATAL:  role ": "denied",
    "FATAL:  database ": "no-database",
    "No route to host": "unreachable",
    "Network is unreachable": "unreachable",
    "EHOSTUNREACH": "unreachable",
    "ENETUNREACH": "unreachable",
    "Communications link failure": "unreachable",
    "could not connect to server": "unreachable",
    "Could not connect to the endpoint": "unreachable",
    "All connection attempts failed": "unreachable",
    "Read timed out": "timeout",
    "onnect timed out": "timeout",
    "onnection timed out": "timeout",
    "connection timeout expired": "timeout",
    "ETIMEDOUT": "timeout",
    "ESOCKETTIMEDOUT": "timeout",
    "i/o timeout": "timeout",
    "connect timeout=": "timeout",
    "Timeout reading from ": "timeout",
    "Timeout connecting to ": "timeout",
    "server closed the connection unexpectedly": "lost",
    "connection has been closed unexpectedly": "lost",
    "terminating connection due to": "lost",
    "Lost connection to": "lost",
    "server has gone away": "lost",
    "Connection reset by peer": "lost",
    "ECONNRESET": "lost",
    "socket hang up": "lost",
    "roken pipe": "lost",
    "Server disconnected": "lost",
    "Connection closed by server": "lost",
    "RemoteDisconnected": "lost",
}
_SQLITE: Final = {
    "database is locked": "locked",
    "table is locked": "locked",
    "attempt to write a readonly database": "read-only",
    "disk image is malformed": "damaged",
    "file is not a database": "damaged",
    "unable to open database file": "unreachable",
}


def _peer_kind(x: ExceptionItem, family: str) -> str:
    kind = _PEER_ERRNO.get(_errno(x), "") if _errno(x) > 0 or "gaierror" in x.type else ""
    kind = kind or _TYPES.get(x.type, "")
    data = x.mechanism.data if x.mechanism else {}
    state = data.get("sqlstate")
    if not kind and isinstance(state, str):
        kind = _SQLSTATE.get(state) or _SQLSTATE.get(state[:2], "")
    if kind or family == "":
        return kind or _told(x.value[:2_000] if x.type in _CARRIERS else "")
    text = x.value[:2_000]
    if family == "postgresql":
        kind = _PSYCOPG.get(x.type, "")
    elif family == "mysql" and (number := _TUPLE.match(text)):
        kind = _MYSQL.get(int(number[1]), "")
    elif family == "sqlite":
        return _by_text(_SQLITE, text)
    return kind or _told(text)


@lru_cache(maxsize=500)
def _told(text: str) -> str:
    return _by_text(_TEXT, text)


def _by_text(table: dict[str, str], text: str) -> str:
    text = text[:2_000]
    return next((kind for needle, kind in table.items() if needle in text), "") if text else ""


_TUPLE: Final = re.compile(r"\((\d{4}), ")
# classes of runtimes that carry a system's text without a driver's module
_CARRIERS: Final = frozenset(
    "Error OSError ConnectionError ConnectException SQLException PDOException SocketException OpError *net.OpError "
    "*url.Error URLError ConnectionRefusedError PG::ConnectionBad Errno::ECONNREFUSED SystemError AggregateError "
    "ConnectionResetError TimeoutError MongoNetworkError IOException FetchError *errors.errorString *fmt.wrapError "
    "HikariPool SQLTransientConnectionException PSQLException CommunicationsException ExceptionGroup".split()
)


def family_of(x: ExceptionItem) -> str:
    """By the module of the class, by the driver's class that a mapper wrapped, by the library frames at the very end."""
    if x.module.startswith("sqlalchemy") and (wrapped := WRAPPED.match(x.value)):
        return _FAMILIES.get(top_level(wrapped[1]), "")
    named = _FAMILIES.get(top_level(x.module), "") or _FAMILIES.get(x.type.partition("::")[0].lower(), "")
    if named:
        return named
    for f in reversed(x.frames[-30:]):
        if not f.module or not known(f.module):
            return ""
        named = _FAMILIES.get(top_level(f.module), "")
        if named:
            return named
    return ""


WRAPPED: Final = re.compile(r"\(([\w.]{1,100})\) ")  # what SQLAlchemy puts before a driver's own text
_FAMILIES: Final = {
    name: family
    for family, names in {
        "postgresql": "psycopg2 psycopg psycopg_pool asyncpg pg8000 aiopg pg",
        "mysql": "pymysql MySQLdb mysql aiomysql asyncmy mysql2",
        "redis": "redis aioredis valkey ioredis",
        "mongodb": "pymongo motor mongo",
        "amqp": "amqp kombu pika aio_pika aiormq bunny",
        "kafka": "kafka confluent_kafka aiokafka",
        "sqlite": "sqlite3 aiosqlite _sqlite3 pysqlite2",
        "http": "requests urllib3 httpx httpcore aiohttp urllib http botocore httplib2 pycurl faraday",
        "smtp": "smtplib aiosmtplib",
        "ldap": "ldap ldap3",
        "grpc": "grpc",
        "elasticsearch": "elasticsearch elastic_transport opensearchpy",
        "cassandra": "cassandra",
        "memcached": "pymemcache pylibmc memcache",
        "clickhouse": "clickhouse_driver clickhouse_connect",
        "pool": "sqlalchemy",
    }.items()
    for name in names.split()
}


def _peer(event: Event) -> str:
    """host:port as the exceptions tell it; loopback has one name."""
    for x in reversed(event.exceptions):
        told = x.mechanism.data.get("peer") if x.mechanism else None
        if isinstance(told, str) and told:
            return _one_name(told[:200])
    for x in reversed(event.exceptions):
        found = _PEER.search(x.value[:2_000].partition(_READ_MORE)[0])
        if found:
            host, port = (*(group for group in found.groups() if group is not None), "")[:2]
            return _one_name(f"{host}:{port}" if port else host)
    return ""


_READ_MORE: Final = "(Background on this error at"  # SQLAlchemy's address of its own documentation: nobody's peer
_HOST: Final = r"([A-Za-z0-9_][\w.-]{0,200}|\[?[0-9a-fA-F:]{2,40}\]?)"
_PEER: Final = re.compile(
    rf"host=['\"]{_HOST}['\"], port=(\d{{1,5}})"
    rf"|server at \"{_HOST}\"(?: \([^)]{{0,60}}\))?, port (\d{{1,5}})"
    rf"|\('{_HOST}', (\d{{1,5}})"
    rf"|(?:[Cc]onnecting to|[Cc]onnect to host|[Cc]onnection to|dial (?:tcp|udp)|ECONNREFUSED|ETIMEDOUT|ECONNRESET|"
    rf"EHOSTUNREACH|reading from) {_HOST}:(\d{{1,5}})"
    rf"|server on ['\"]{_HOST}(?::(\d{{1,5}}))?['\"]"
    rf"|https?://{_HOST}(?::(\d{{1,5}}))?[/\"' ]"
    rf"|^{_HOST}:(\d{{1,5}}): "
    rf"|(?:host name|[Ff]ailed to resolve|ENOTFOUND|EAI_AGAIN|lookup|for user \S{{1,80}}@) ?['\"]?{_HOST}()['\"]?"
)
_LOOPBACK: Final = re.compile(r"^(?:127\.0\.0\.1|::1|\[::1\]|localhost)(?=:|$)")


def _one_name(peer: str) -> str:
    return "localhost" + peer[len(m[0]) :] if (m := _LOOPBACK.match(peer)) else peer.lower()
