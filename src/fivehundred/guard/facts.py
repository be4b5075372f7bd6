"""What an exception says besides its message: errno, SQLSTATE, the driver's own code, the peer, safe attributes.

Read from stored attributes alone; no driver is imported, no property is called.
"""

from __future__ import annotations

import errno
import functools
import re
from types import FrameType, TracebackType
from typing import Final, NamedTuple

from fivehundred import limits, scrub
from fivehundred.event import Json, clean, cut
from fivehundred.guard.render import Renderer, attribute, is_one_of, module_name, mro, stored, type_name


def errno_of(exc: BaseException) -> dict[str, Json]:
    """``{"errno": {"number": 111, "name": "ECONNREFUSED"}}`` for operating system errors, else nothing."""
    if not issubclass(type(exc), OSError):
        return {}
    number = attribute(exc, "errno")
    if type(number) is not int:
        return {}
    name = _resolver_errors.get(number) if "gaierror" in type_name(type(exc)) else errno.errorcode.get(number)
    return {"errno": {"number": number, "name": name or ""}}


_resolver_errors: Final = {-2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA", -9: "EAI_ADDRFAMILY"}


def data_of(exc: BaseException, r: Renderer) -> dict[str, Json]:
    """The ``data`` of an exception's mechanism; empty values are left out."""
    kind = kind_of(type(exc))
    own = stored(exc)
    if kind.plain and not own:
        return {"mro": [*kind.names]}
    found: dict[str, Json] = {"mro": [*kind.names], "driver": kind.driver}
    notes = own.get("__notes__")
    if notes is not None:
        found["notes"] = _notes(notes, r)
    if not kind.plain or any(name[:2] != "__" for name in own):
        found["sqlstate"] = _sqlstate(exc, own)
        found["code"] = _code(exc, own, kind)
        found["peer"] = peer_of(exc)
        found["verify_code"] = _number(own.get("verify_code"))
        found["attrs"] = _attrs(exc, own, r)
    return {k: v for k, v in found.items() if v is not None and v not in ("", [], {})}


class Kind(NamedTuple):
    """What is the same for all exceptions of a class."""

    kind: type  # kept, so that its id stays its own
    names: tuple[str, ...]
    driver: str
    plain: bool  # a built-in class without fields of its own
    connections: bool  # its texts are the system's or a driver's about a connection


_kinds: dict[int, Kind] = {}


def kind_of(kind: type) -> Kind:
    known = _kinds.get(id(kind))
    if known is None:
        if len(_kinds) >= limits.faults_remembered_max:
            _kinds.clear()
        known = _kinds[id(kind)] = _make_kind(kind)
    return known


def _make_kind(kind: type) -> Kind:
    bases = [base for base in mro(kind) if base is not object and base is not BaseException][: limits.chain_max]
    driver = ""
    for base in bases:
        driver = driver or _drivers.get(module_name(base).partition(".")[0], "")
    with_fields = issubclass(kind, OSError | ImportError | NameError | AttributeError | SyntaxError | StopIteration)
    plain = module_name(kind) == "builtins" and not with_fields
    names = tuple(type_name(base) for base in bases)
    about = any(word in " ".join(names[:4]) for word in _connection_words)
    return Kind(kind, names, driver, plain, issubclass(kind, OSError) or (bool(driver) and about))


_connection_words: Final = ("Operational", "Interface", "Connect", "Timeout", "Network", "Server")


def _number(value: object) -> int | None:
    return value if type(value) is int else None


_drivers: Final = {
    name: name
    for name in (
        "psycopg", "psycopg2", "asyncpg", "pg8000", "pymysql", "mysql", "MySQLdb", "aiomysql", "sqlite3", "apsw",
        "oracledb", "redis", "pymongo", "sqlalchemy", "kombu", "celery", "pika", "amqp", "aio_pika", "kafka",
        "requests", "urllib3", "httpx", "httpcore", "httpx2", "httpcore2", "aiohttp", "botocore", "grpc",
        "elasticsearch", "ssl",
    )
} | {"psycopg_pool": "psycopg", "_ssl": "ssl"}  # fmt: skip


def _sqlstate(exc: BaseException, own: dict[str, object]) -> str:
    for name in ("sqlstate", "pgcode"):
        value = attribute(exc, name, own)
        if type(value) is str and len(value) == 5:
            return value
    return ""


def _code(exc: BaseException, own: dict[str, object], kind: Kind) -> Json:
    """The code in the driver's own numbering or naming; an errno has its own place."""
    system = issubclass(type(exc), OSError)
    for name in ("sqlite_errorname", "reason") if system else ("sqlite_errorname", "errno", "code", "reason"):
        value = attribute(exc, name, own)
        if type(value) is int or (type(value) is str and 0 < len(value) <= 64 and value.isascii()):
            return value if type(value) is str else _number(value)
    args = BaseException.__dict__["args"].__get__(exc)
    if args and type(args[0]) is int and kind.driver in ("pymysql", "MySQLdb", "aiomysql", "mysql"):
        return _number(args[0])
    return _service_code(own.get("response"))


def _service_code(response: object) -> Json:
    """botocore keeps the service's answer as a plain dict."""
    error = response.get("Error") if type(response) is dict else None
    code = error.get("Code") if type(error) is dict else None
    return code[:64] if type(code) is str else None


def _notes(notes: object, r: Renderer) -> list[Json]:
    if type(notes) is not list:
        return []
    return [r.text(note, limits.crumb_chars_max) for note in notes[: limits.notes_max] if type(note) is str]


def _attrs(exc: BaseException, own: dict[str, object], r: Renderer) -> dict[str, Json]:
    found: dict[str, Json] = {}
    kind = type(exc)
    names = [*_system_fields] if issubclass(kind, OSError) else []
    names += [*_import_fields] if issubclass(kind, ImportError | NameError | AttributeError) else []
    for name, value in ({name: attribute(exc, name, own) for name in names} | own).items():
        if name.startswith("_") or len(found) >= limits.value_items_max:
            continue
        if is_one_of(value, str, int, float, bool):
            found[clean(name[:100])] = r.local(name, value)
    return found


_system_fields: Final = ("filename", "filename2", "strerror")
_import_fields: Final = ("name", "path")


# ---- the peer ------------------------------------------------------------------------------------


def peer_of(exc: BaseException) -> str:
    """``host:port`` that the failing operation spoke to; empty when the exception does not say.

    It may be probed, so it is read only from classes whose words are the system's or a driver's about a connection:
    a text that a client could have written must never choose whom this process calls.
    """
    kind = kind_of(type(exc))
    if not (kind.connections or kind.driver):
        return ""
    found = _from_attributes(exc)
    if not found and kind.connections:
        found = _from_text(exc) or _from_frames(exc)
    return found


def _from_attributes(exc: BaseException) -> str:
    own = stored(exc)
    for name in ("_conn_key", "conn", "pool", "request", "_request", "connection"):
        holder = own.get(name)
        if holder is None:
            continue
        found = _pair(holder) or _of_url(stored(holder).get("url")) or _pair(stored(holder))
        if found:
            return found
    return _pair(own)


def _pair(holder: object) -> str:
    """host:port out of ``(host, port, ...)`` or of an object or dict with ``host`` and ``port``."""
    if issubclass(type(holder), tuple):
        items = _items(holder)
        host, port = (items[0], items[1]) if len(items) >= 2 else (None, None)
    else:
        values = holder if type(holder) is dict else stored(holder)
        host, port = values.get("host", values.get("_host")), values.get("port", values.get("_port"))
    return _peer(host, port)


def _items(value: object) -> list[object]:
    """Of a tuple, whatever its class overrides."""
    return list(tuple.__iter__(value))  # type: ignore[arg-type]


def _peer(host: object, port: object) -> str:
    if type(host) is bytes:
        host = host.decode("ascii", "replace")
    if type(port) is str and port.isdecimal():
        port = int(port)
    if type(host) is not str or type(port) is not int or not 0 < port < 65_536 or not _host.fullmatch(host):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_host = re.compile(r"[A-Za-z0-9_.:-]{1,253}")


def _of_url(url: object) -> str:
    if type(url) is str:
        found = _url.match(url)
        if found is None:
            return ""
        port = found[3] or {"https": "443", "http": "80"}.get(found[1].lower(), "")
        return _peer(found[2], port)
    # httpx keeps a parsed one
    parsed = stored(url).get("_uri_reference")
    if not issubclass(type(parsed), tuple):
        return ""
    scheme, _, host, port = [*_items(parsed), None, None, None, None][:4]
    return _peer(host, port or (443 if scheme == "https" else 80))


_url = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/@]*@)?([A-Za-z0-9_.-]+)(?::(\d+))?")


def _from_text(exc: BaseException) -> str:
    for arg in BaseException.__dict__["args"].__get__(exc)[:4]:
        if type(arg) is not str:
            continue
        head = arg[: limits.crumb_chars_max]
        for pattern in _peer_texts():
            found = pattern.search(head)
            if found:
                peer = _peer(found[1].strip("[]"), found[2])
                if peer:
                    return peer
    return ""


@functools.cache
def _peer_texts() -> tuple[re.Pattern[str], ...]:
    """Compiled when the Guard is made, which not every importer of this module does."""
    return (
        re.compile(r'server at "([^"]+)"(?: \([^)]*\))?, port (\d+)'),  # libpq
        re.compile(r"host(?:name)?[=:] ?'?([\w.\-:]+?)'?[,;]? port[=:] ?(\d+)"),  # urllib3, psycopg
        re.compile(r"\('([\w.:\-]+)', (\d+)(?:, \d+, \d+)?\)"),  # asyncio: Connect call failed ('127.0.0.1', 5432)
        re.compile(
            r"(?:connecting to|connect to(?: host)?|connection to|reading from) \[?([\w.\-]+|[0-9a-f:]+)\]?:(\d+)"
        ),
        re.compile(r"^([\w.\-]+):(\d+): "),  # pymongo
    )


def _from_frames(exc: BaseException) -> str:
    """Of plain socket errors: what the innermost library calls were told to connect to. Only the address is read."""
    if not issubclass(type(exc), OSError):
        return ""
    frames: list[FrameType] = []
    traceback: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(exc)
    while traceback is not None and len(frames) < _frames_walked_max:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    for frame in reversed(frames[-_frames_searched_max:]):
        values = frame.f_locals
        if type(values) is dict:
            peer = next((p for name in _address_names if (p := _pair(values.get(name)))), "") or _pair(values)
            if peer:
                return peer
    return ""


_frames_walked_max: Final = 1_000
_frames_searched_max: Final = 8
_address_names: Final = ("address", "addr", "sockaddr", "server_address", "sa")


def statement_of(exc: BaseException) -> Json:
    """The failing SQL statement, for drivers' and SQLAlchemy's errors that carry it; without its parameters."""
    if kind_of(type(exc)).plain:
        return None
    statement = attribute(exc, "statement")
    if type(statement) is not str or not statement.strip():
        return None
    return scrub.scrub_text(cut(clean(statement[: limits.message_chars_max]), limits.message_chars_max))
