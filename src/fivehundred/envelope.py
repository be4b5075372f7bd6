"""The wire: encode and parse Envelopes, and the DSN that says where to send them.

The format is Sentry's public envelope protocol: one JSON header line, then items, each a JSON header line and a
payload. Parsing here knows the framing only; what an item holds is the business of ``fivehundred.event``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from fivehundred.event import Json
from fivehundred.record import field, record

header_bytes_max = 64 * 1024  # one header line: SDKs send a few hundred bytes, so this is generous
items_max = 1_000  # per envelope: far above what any SDK batches


class EnvelopeError(ValueError):
    """The bytes are not an envelope; the text says which part is wrong, and fits into an HTTP answer."""


class DsnError(ValueError):
    """The DSN cannot be used; the text says what is wrong and what one looks like."""


@record(frozen=True, slots=True)
class Item:
    """One item of an envelope. ``payload`` is exactly the bytes between its header and the next item."""

    type: str
    payload: bytes
    headers: dict[str, Json] = field(default_factory=dict)


@record(frozen=True, slots=True)
class Envelope:
    headers: dict[str, Json]
    items: tuple[Item, ...]


@record(frozen=True, slots=True)
class Dsn:
    """Where events go: ``{scheme}://{key}@{host}[:{port}]{prefix}/{project}``; an old secret is ignored."""

    scheme: str
    key: str
    host: str
    port: int
    prefix: str
    project: str

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """Raises DsnError with the reason; the key itself is never repeated in the message."""
        example = "http://KEY@127.0.0.1:5500/1"
        try:
            parts = urlsplit(text.strip())
        except ValueError as e:
            raise DsnError(f"the host of the DSN is not usable; one looks like {example}") from e
        if parts.scheme not in ("http", "https"):
            raise DsnError(f"a DSN starts with http:// or https://, as in {example}")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as e:
            raise DsnError(f"the port of the DSN is not a number from 1 to 65535; one looks like {example}") from e
        if not parts.hostname or not parts.username:
            raise DsnError(f"the DSN needs a key and a host; one looks like {example}")
        prefix, _, project = parts.path.rstrip("/").rpartition("/")
        if not project.isdecimal() or len(project) > 20:
            raise DsnError(f"the DSN ends with a project number; one looks like {example}")
        return cls(parts.scheme, unquote(parts.username), parts.hostname, port, prefix, project)

    @property
    def envelope_path(self) -> str:
        return f"{self.prefix}/api/{self.project}/envelope/"

    @property
    def netloc(self) -> str:
        """``host:port``, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def encode(headers: dict[str, Json], items: Iterable[Item]) -> bytes:
    """An envelope as bytes. Every item carries its ``length``, so payloads may hold newlines."""
    parts = [_dump(headers)]
    for item in items:
        parts.append(_dump({**item.headers, "type": item.type, "length": len(item.payload)}))
        parts.append(item.payload)
    return b"\n".join(parts) + b"\n"


def parse(data: bytes) -> Envelope:
    """All of an envelope, inflated. Raises EnvelopeError.

    Blank lines between items are tolerated. An item without ``length`` ends at the next newline.
    """
    headers, at = _header(data, 0, "envelope header")
    items: list[Item] = []
    end = len(data)
    while at < end:
        if data[at] in b"\r\n":
            at += 1
            continue
        if len(items) == items_max:
            raise EnvelopeError(f"more than {items_max} items in one envelope; split it")
        item_headers, at = _header(data, at, f"header of item {len(items) + 1}")
        payload, at = _payload(data, at, item_headers, len(items) + 1)
        kind = item_headers.get("type")
        if not isinstance(kind, str) or not kind:
            raise EnvelopeError(f"item {len(items) + 1} has no type")
        items.append(Item(kind, payload, item_headers))
    return Envelope(headers, tuple(items))


def parse_header(data: bytes) -> dict[str, Json]:
    """The envelope header alone, from the first bytes of an envelope. Raises EnvelopeError."""
    return _header(data, 0, "envelope header")[0]


def _header(data: bytes, at: int, what: str) -> tuple[dict[str, Json], int]:
    end = data.find(b"\n", at, at + header_bytes_max + 1)
    if end == -1:
        if len(data) - at > header_bytes_max:
            raise EnvelopeError(f"{what} is longer than {header_bytes_max} bytes")
        end = len(data)
    try:
        value = json.loads(data[at:end])
    except (ValueError, RecursionError) as e:
        raise EnvelopeError(f"{what} is not JSON") from e
    if not isinstance(value, dict):
        raise EnvelopeError(f"{what} is not a JSON object")
    return value, end + 1


def _payload(data: bytes, at: int, headers: dict[str, Json], number: int) -> tuple[bytes, int]:
    length = headers.get("length")
    if length is None:
        end = data.find(b"\n", at)
        end = len(data) if end == -1 else end
        return data[at:end], end + 1
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise EnvelopeError(f"length of item {number} is not a number of bytes")
    end = at + length
    if end > len(data):
        raise EnvelopeError(f"item {number} says {length} bytes, but only {max(0, len(data) - at)} follow")
    if end < len(data) and data[end : end + 1] != b"\n":
        raise EnvelopeError(f"item {number} says {length} bytes, but no newline follows them")
    return data[at:end], end + 1


def _dump(value: dict[str, Json]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")
