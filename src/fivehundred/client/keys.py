"""Idempotency keys: the caller's leave to send a POST or PATCH again (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import uuid
from typing import Final

key_header: Final = "Idempotency-Key"


def idempotency_key(value: str = "") -> dict[str, str]:
    """A header to send: ``post(url, headers=idempotency_key())``. The draft wants a string of RFC 9651: in quotes."""
    value = value or str(uuid.uuid4())
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"idempotency_key({value!r}): only printable ASCII can be sent; hash the value")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return {key_header: f'"{quoted}"'}


def key_for(idempotent: bool | str) -> dict[str, str]:
    """For ``idempotent=True`` (a new key) or ``idempotent="order-42"`` (the caller's own); nothing for False."""
    if not idempotent:
        return {}
    return idempotency_key("" if idempotent is True else idempotent)
