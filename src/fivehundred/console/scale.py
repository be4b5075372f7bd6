"""The one configuration file of an installation on several machines: read, checked, and said clearly what is wrong.

Every process reads the same file and takes its own part of it. A value ``env:NAME`` stands for an environment
variable, so that the file needs to hold no secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from fivehundred import limits
from fivehundred.console.config import default_host, default_port

_PATH: Final = re.compile(r"(.*) - at `\$\.?(.*)`")
_STREAM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


class ScaleError(ValueError):
    """The file cannot be used; the text names it, the value and what to write instead."""


class StorePart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    url: str  # postgresql://..., or the folder of an SQLite store (then one digest process)


class SpoolPart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    servers: list[str]
    stream: str = "fivehundred"
    partitions: int = 8
    replicas: int = 3
    backlog_mb: int = 16_384
    user: str = ""
    password: str = ""
    token: str = ""
    credentials: str = ""
    tls_ca: str = ""


class IngestPart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    data: str
    host: str = "0.0.0.0"  # noqa: S104 - it is there for senders on other machines, and every request needs a key
    port: int = 5501


class DigestPart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    data: str
    retention_days: float = limits.retention_days
    disk_max_mb: int = limits.retention_bytes_max // limits.MIB


class ConsolePart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    data: str
    host: str = default_host
    port: int = default_port
    public_url: str = ""
    ingest_url: str = ""  # what the DSN names, when senders reach the ingest nodes elsewhere than the pages


@dataclass(frozen=True, slots=True)
class Scale:
    file: Path
    store: StorePart
    spool: SpoolPart
    ingest: IngestPart | None
    digest: DigestPart | None
    console: ConsolePart | None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    store: StorePart
    spool: SpoolPart
    ingest: IngestPart | None = None
    digest: DigestPart | None = None
    console: ConsolePart | None = None


def read(file: Path) -> Scale:
    """Raises ScaleError."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except OSError as e:
        raise ScaleError(f"{file} cannot be read: {e.strerror}; docs/howto/scale.md has one to begin with") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ScaleError(f"{file} is not TOML: {e}") from e
    try:
        parts = msgspec.convert(_resolved(raw, str(file)), _File)
    except msgspec.ValidationError as e:
        raise ScaleError(f"{file}: {_told(str(e), raw)}") from e
    scale = Scale(file, parts.store, parts.spool, parts.ingest, parts.digest, parts.console)
    for problem in _problems(scale):
        raise ScaleError(f"{file}: {problem}")
    return scale


def changed(scale: Scale, part: str, values: dict[str, Any]) -> Scale:
    """With values of the command line in one part. Raises ScaleError."""
    kinds = {"ingest": IngestPart, "digest": DigestPart, "console": ConsolePart}
    if not values:
        return scale
    present = getattr(scale, part)
    given = {**(msgspec.to_builtins(present) if present is not None else {}), **values}
    try:
        return replace(scale, **{part: msgspec.convert(given, kinds[part])})
    except msgspec.ValidationError as e:
        raise ScaleError(f"{scale.file}: [{part}]: {e}") from e


def _resolved(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(inner, where) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, where) for inner in value]
    if isinstance(value, str) and value.startswith("env:"):
        found = os.environ.get(value[4:])
        if found is None:
            raise ScaleError(f"{where}: {value!r} names an environment variable that is not set")
        return found
    return value


def _told(message: str, raw: dict[str, Any]) -> str:
    """msgspec's sentence with the place as it is written in the file, and the value that stands there."""
    found = _PATH.fullmatch(message)
    if found is None:
        return message
    what, place = found[1], re.sub(r"\[\.{3}\]|\[\d+\]", "", found[2])
    value: Any = raw
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else value
    shown = "" if isinstance(value, dict) or "password" in place or "token" in place else f", it says {value!r}"
    return f"[{place}]{shown}: {what}"


def _problems(scale: Scale) -> list[str]:
    spool, found = scale.spool, []
    found += [
        f"[spool.servers]: {_bare(server)!r} is no address; one looks like nats://10.0.0.1:4222"
        for server in spool.servers
        if urlsplit(server).scheme not in ("nats", "tls") or not urlsplit(server).hostname
    ]
    if not spool.servers:
        found.append('[spool.servers] is empty; write the addresses, as ["nats://10.0.0.1:4222", ...]')
    if not _STREAM.fullmatch(spool.stream):
        found.append(f"[spool.stream]: {spool.stream!r} is no name; use letters, digits, - and _")
    if not 1 <= spool.partitions <= 64:
        found.append(f"[spool.partitions]: {spool.partitions} is not from 1 to 64; 8 serve up to 8 digest workers")
    if spool.replicas not in (1, 3, 5):
        found.append(f"[spool.replicas]: {spool.replicas} is not 1, 3 or 5; 3 survive the loss of one server")
    if not 16 <= spool.backlog_mb <= 10_000_000:
        found.append(f"[spool.backlog_mb]: {spool.backlog_mb} is not from 16 to 10000000")
    for name, part in (("ingest", scale.ingest), ("console", scale.console)):
        if part is not None and not 0 <= part.port <= 65_535:
            found.append(f"[{name}.port]: {part.port} is not a port; use 0 to 65535")
    if scale.digest is not None and not 1 <= scale.digest.retention_days <= 3_650:
        found.append(f"[digest.retention_days]: {scale.digest.retention_days} is not from 1 to 3650")
    if "://" in scale.store.url and urlsplit(scale.store.url).scheme not in ("postgresql", "postgres"):
        found.append(f"[store.url]: {_bare(scale.store.url)!r} is neither postgresql:// nor a folder")
    return found


def _bare(url: str) -> str:
    """Without user and password: the sentence goes into logs."""
    return re.sub(r"//[^/@]*@", "//", url)


def is_postgres(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))
