"""Webhook: the message as JSON by POST, signed so that the receiver can tell it from anybody else's.

``Fivehundred-Signature: t=<seconds>,v1=<hex>`` is HMAC-SHA256 with the channel's key over ``<seconds>.<body>``; a
receiver refuses what is older than some minutes. ``Fivehundred-Delivery`` is the same for every attempt of one alert.
Redirects are not followed: the address that was set is the one that gets the data. Standard library only.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fivehundred.console.channels.base import BadSettings, Message, NotAccepted, Rejected, send_s_max

_ANSWER_BYTES_SHOWN: Final = 200
_later: Final = frozenset((408, 425, 429, 500, 502, 503, 504))  # of others, trying again changes nothing


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str  # http or https
    key: str  # what the signature is made with; empty: unsigned

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError as e:
            raise BadSettings(f"the address of a webhook cannot be read ({e})") from e
        if parts.scheme not in ("http", "https") or not host or not self.url.isascii() or not self.url.isprintable():
            raise BadSettings("the address of a webhook begins with https:// or http:// and names a host")
        if parts.username or parts.password:
            raise BadSettings("the address of a webhook holds no user and password; receivers check the signature")

    def send(self, message: Message) -> None:
        body = json.dumps(payload(message), separators=(",", ":")).encode()
        parts = urlsplit(self.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request("POST", path, body, _headers(message, body, self.key))
            answer = connection.getresponse()
            said = answer.read(_ANSWER_BYTES_SHOWN).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as e:
            raise NotAccepted(f"{parts.hostname}: {e or type(e).__name__}") from e
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return
        what = f"{parts.hostname} answered {answer.status} {answer.reason}: {said!r}"
        raise NotAccepted(what) if answer.status in _later else Rejected(what)


def payload(message: Message) -> dict[str, object]:
    """The body: documented in docs/reference/webhook.md, and only ever added to."""
    return {
        "version": 1,
        "id": message.id,
        "kind": message.kind,
        "subject": message.subject,
        "text": message.text,
        "url": message.url,
        **message.data,
    }


def signature(key: str, at: int, body: bytes) -> str:
    """The value of ``Fivehundred-Signature``."""
    digest = hmac.new(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _headers(message: Message, body: bytes, key: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "fivehundred-webhook/1",
        "Fivehundred-Delivery": message.id,
        "Fivehundred-Kind": message.kind,
    }
    return headers | ({"Fivehundred-Signature": signature(key, int(time.time()), body)} if key else {})


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=send_s_max, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=send_s_max)
