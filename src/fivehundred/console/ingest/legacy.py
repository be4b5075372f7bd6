"""The body of ``/store/``, the endpoint before envelopes: one event, in whatever wrapping.

Old SDKs and both ravens still post here, so the whole body is read at the door: its event id is part of the answer,
and a body that is no event is refused before it is acknowledged.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from fivehundred import limits
from fivehundred.console.inflate import InflateError, TooLarge, inflate
from fivehundred.console.ingest.auth import Refused
from fivehundred.event import clean_id

_FIELD: Final = re.compile(rb'name="?sentry"?(?:[;\r]|$)')
_PARTS_MAX: Final = 100
_HEAD_BYTES_MAX: Final = 1024


def event_of(body: bytes, encoding: str, content_type: str, query: bytes) -> tuple[bytes, str]:
    """(the event as sent, its Content-Encoding), out of the form or the address that it came in. Raises Refused."""
    if query:
        found = next((v for k, v in parse_qsl(query.decode("latin-1")) if k == "sentry_data"), "")
        return found.replace(" ", "+").encode("latin-1", "replace"), "identity"  # an unquoted + of base64
    is_form = content_type.startswith("application/x-www-form-urlencoded")
    if not is_form and not content_type.startswith("multipart/form-data"):
        return body, encoding
    return _out_of_form(body, encoding, is_form)


def _out_of_form(body: bytes, encoding: str, is_form: bool) -> tuple[bytes, str]:
    try:
        plain = inflate(body, encoding, limits.store_inflated_bytes_max)
    except TooLarge as e:
        raise Refused(413, str(e), "too_large") from e
    except InflateError as e:
        raise Refused(400, str(e), "malformed") from e
    field = _form_field(plain) if is_form else _multipart_field(plain)
    return (body, encoding) if field is None else (field, "identity")  # many say "form" and send JSON


def _form_field(body: bytes) -> bytes | None:
    return next((unquote_to_bytes(f[7:].replace(b"+", b" ")) for f in body.split(b"&") if f[:7] == b"sentry="), None)


def _multipart_field(body: bytes) -> bytes | None:
    """The part called ``sentry``. The boundary is the body's own first line: what a header says may differ."""
    boundary, _, _ = body.lstrip(b"\r\n").partition(b"\r\n")
    if not boundary.startswith(b"--"):
        return None
    for part in body.split(boundary)[:_PARTS_MAX]:
        head, _, content = part.partition(b"\r\n\r\n")
        if _FIELD.search(head[:_HEAD_BYTES_MAX]):
            return content.removesuffix(b"\r\n")
    return None


def event_id(body: bytes, encoding: str) -> str:
    """The id that the event carries, or a new one. Raises Refused."""
    if not body:
        raise Refused(400, "the body is empty; /store/ takes one event as JSON", "malformed")
    bytes_max = limits.store_inflated_bytes_max
    try:
        data = inflate(body, encoding, bytes_max)
        if data.lstrip()[:1] != b"{":
            data = _unwrapped(data, bytes_max)
    except TooLarge as e:
        raise Refused(413, str(e), "too_large") from e
    except InflateError as e:
        raise Refused(400, str(e), "malformed") from e
    event = _decoded(data)
    if not isinstance(event, dict):
        raise Refused(400, "the body is not one event as a JSON object", "malformed")
    return clean_id(event.get("event_id")) or uuid.uuid4().hex


def _unwrapped(data: bytes, bytes_max: int) -> bytes:
    """raven-node sends base64 of zlib of JSON, and says nothing of it in the headers."""
    try:
        plain = base64.b64decode(data, validate=False)
    except binascii.Error:
        return data
    if plain[:1] == b"{":
        return plain
    try:
        return inflate(plain, "deflate", bytes_max)
    except TooLarge:
        raise
    except InflateError:
        return data


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        try:
            return json.loads(data.decode("utf-8-sig", "replace"), parse_int=str)  # int() refuses 4,300 digits
        except ValueError:
            return None
        except RecursionError:
            return {}  # deeper than any reader goes, but an object it may be: the digest decides
