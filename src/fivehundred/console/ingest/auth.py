"""Who sends: the public key of a request, in every form that SDKs and exporters use. Knows no store.

A key is opaque and public; what is secret about it is only that strangers should not guess one. Errors travel as
``Refused`` with the status and the sentence of the answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, unquote

from fivehundred import limits

_KEY: Final = re.compile(rf"[0-9A-Za-z_-]{{1,{limits.key_chars_max}}}")
_SENTRY_KEY: Final = re.compile(rb"^\s*sentry[\s,](?:.*[\s,])?sentry_key=([0-9A-Za-z_-]+)\s*(?:,|$)", re.IGNORECASE)
_CLIENT: Final = re.compile(rb"sentry_client\s*=\s*([^,]{1,200})", re.IGNORECASE)


class Refused(Exception):
    """The request is refused: ``status`` and ``detail`` are the answer, ``reason`` is what is counted."""

    def __init__(
        self,
        status: int,
        detail: str,
        reason: str,
        *,
        causes: tuple[str, ...] = (),
        headers: tuple[tuple[bytes, bytes], ...] = (),
        closes: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.causes = causes
        self.headers = headers
        self.closes = closes  # the rest of the request is not read


def find_key(headers: dict[bytes, bytes], query: bytes) -> str:
    """The key that all the forms present agree on; "" when there is none. Raises Refused when they differ."""
    found = headers.get(b"x-sentry-auth")
    if found is not None and not query and b"authorization" not in headers and len(found) <= _USUAL_BYTES_MAX:
        key = _usual(found)[0]
        if key:
            return key
    keys = [_valid(key) for key in _all_keys(headers, query)]
    if not keys:
        return ""
    if any(key != keys[0] for key in keys):
        raise Refused(400, "the request names two different keys; send one, or the same in both places", "auth_differs")
    return keys[0]


def find_client(headers: dict[bytes, bytes], query: bytes) -> str:
    """The SDK's name and version as it says itself; else its User-Agent; at most 200 characters."""
    header = headers.get(b"x-sentry-auth", b"")
    client = (_usual if len(header) <= _USUAL_BYTES_MAX else _read)(header)[1]
    if client:
        return client
    if b"sentry_client" in query:
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name == "sentry_client":
                return value[:200]
    return headers.get(b"user-agent", b"")[:200].decode("latin-1")


def _read(header: bytes) -> tuple[str, str]:
    """Key and client of the header that SDKs send, without the detour of the tolerant parser; "" where it is needed."""
    key, client = _SENTRY_KEY.match(header), _CLIENT.search(header)
    return (
        key[1].decode() if key and len(key[1]) <= limits.key_chars_max else "",
        unquote(client[1].decode("latin-1").strip()) if client else "",
    )


_usual: Final = lru_cache(maxsize=1024)(_read)  # an SDK sends the same one with every event
_USUAL_BYTES_MAX: Final = 512


def _all_keys(headers: dict[bytes, bytes], query: bytes) -> Iterable[str]:
    for name in (b"x-sentry-auth", b"authorization"):
        value = headers.get(name)
        if value is not None:
            key = _from_header(value.decode("latin-1"))
            if key:
                yield key
    if b"sentry_key" in query:
        for name_text, text in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name_text == "sentry_key" and text:
                yield text


def _from_header(value: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() == "basic":
        return _from_basic(rest)
    if scheme.lower() != "sentry":
        return ""  # a Bearer token is not for the ingest
    for pair in rest.split(","):
        name, _, text = pair.partition("=")
        if name.strip().lower() == "sentry_key":
            return unquote(text.strip().strip('"'))
    return ""


def _from_basic(rest: str) -> str:
    try:
        decoded = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as e:
        raise Refused(400, "the Authorization header is not Basic base64(KEY:)", "auth_malformed") from e
    return decoded.partition(":")[0]


def _valid(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise Refused(400, f"a key is 1 to {limits.key_chars_max} letters, digits, - and _", "auth_malformed")
    return key
