"""A corpus of secrets in every place of an event: none of them leaves the process."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from fivehundred import Guard
from fivehundred.event_wire import to_wire
from fivehundred.guard.flight import Job, back, begin_job
from fivehundred.guard.request import RequestParts
from fivehundred.guard.statements import ran
from fivehundred.guard.testing import reported

shaped = {  # found by their shape, under any name
    "card": "4111 1111 1111 1111",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "github": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "stripe": "sk_live_abcdefghijklmnop0123",
    "slack": "xoxb-123456789012-abcdefghijkl",
    "bearer": "Bearer abcdef0123456789abcdef",
    "basic": "Basic dXNlcjpodW50ZXIyaHVudGVyMg==",
    "dsn": "postgresql://shop:hunter2hunter2@db.internal:5432/shop",
    "pem": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----",
}
shaped |= {
    "azure sas": "https://shop.blob.core.windows.net/c/b?sv=2022-11-02&sig=cAnArYabcdefghijklmnop0123456789%3D",
    "azure key": "AccountName=shop;AccountKey=cAnArYabcdefghijklmnop0123456789==;EndpointSuffix=core.windows.net",
    "slack app": "xapp-1-A0123-456-cAnArYabcdef0123456789",
    "slack hook": "https://hooks.slack.com/services/T00000000/B00000000/cAnArYabcdefghijklmn",
    "stripe hook": "whsec_cAnArYabcdefghijklmnop",
    "google refresh": "1//0gcAnArYabcdefghijklmnopqrstuvwxyz012",
    "npm": "npm_cAnArYabcdefghijklmnopqrstuvwxyz0123",
    "pypi": "pypi-AgEIcHlwaS5vcmcCcAnArYabcdefghijklmn",
    "gitlab": "glpat-cAnArYabcdefghijklmn",
    "docker": "dckr_pat_cAnArYabcdefghijklmn",
    "hugging face": "hf_cAnArYabcdefghijklmnopqrstuvwx",
    "telegram": "https://api.telegram.org/bot123456789:AAcAnArYabcdefghijklmnopqrstuvw/send",
    "discord": "https://discord.com/api/webhooks/123456789012345678/cAnArYabcdefghijklmnopqrstuvw",
    "twilio": "SK0123456789abcdef0123456789abcdef",
    "iban": "DE89370400440532013000",
    "amex": "378282246310005",
    "openssh": "-----BEGIN OPENSSH PRIVATE KEY-----\\ncAnArYb3BlbnNzaC1rZXk\\n-----END OPENSSH PRIVATE KEY-----",
    "basic in a url": "https://shop:cAnArYhunter2@api.example.com/v1",
    "redis": "redis://:cAnArYhunter2@10.0.0.1:6379/0",
    "session": "sessionid=cAnArY0123456789abcdef",
    "php session": "PHPSESSID=cAnArY0123456789abcdef",
    "digest": 'Digest username="shop", response="cAnArY0123456789"',
    "json": '{"user": "ann", "password": "cAnArYhunter2"}',
    "xml": "<password>cAnArYhunter2</password>",
    "yaml": "db:\n  password: cAnArYhunter2",
    "option": "--password cAnArYhunter2",
    "curl": "curl -u shop:cAnArYhunter2 https://shop.example",
    "passport": "passport_number=XcAnArY12345678",
    "mssql": "Server=db;User Id=sa;Password=cAnArY!hunter2;",
}
core = {
    name: max(value.replace("\n", " ").replace(":", " ").replace("@", " ").split(" "), key=len)
    for name, value in shaped.items()
}
core.update({name: "cAnArY" for name, value in shaped.items() if "cAnArY" in value})
core.update(card="4111 1111 1111 1111", dsn="hunter2hunter2", pem="MIIEvQIBADANBgkqhkiG9w0")
places = (
    "local",
    "nested",
    "message",
    "chained",
    "note",
    "body",
    "form",
    "query",
    "header",
    "path",
    "log",
    "sql",
    "job",
    "dataclass",
    "attribute",
    "key",
    "group",
    "pairs of bytes",
    "referer",
    "cookie",
    "text in text",
)


def event_with(place: str, value: str) -> str:
    guard = Guard("", mode="testing")
    quoted = json.dumps(value)
    parts = RequestParts(
        method="POST", host="shop.example", path="/pay", headers=[("Content-Type", "application/json")]
    )
    if place == "body":
        parts.body = f'{{"remark": {quoted}}}'.encode()
    elif place == "form":
        parts.headers, parts.body = [("Content-Type", "text/plain")], f"remark: {value}".encode()
    elif place == "query":
        parts.query = f"remark={value}"
    elif place == "header":
        parts.headers.append(("X-Remark", value))
    elif place == "referer":
        parts.headers.append(("Referer", f"https://shop.example/?next={quote(value)}"))
    elif place == "cookie":
        parts.headers.append(("Cookie", f"theme=dark; last={quote(value)}"))
    elif place == "path":
        parts.path = f"/pay/{value}"
    token = begin_job(Job("celery", "pay", "1", "default", (value,) if place == "job" else ()))
    if place == "log":
        logging.getLogger("shop").warning("remark %s", value)
    if place == "sql":
        ran(f"SELECT 1 -- {value}", 0.1)
    with reported(guard) as events:
        try:
            fails(place, value)
        except Exception as exc:
            guard.report(exc, parts, status=500)
    back(token)
    return json.dumps(to_wire(events[0]))


def fails(place: str, value: str) -> None:
    made: dict[str, Callable[[], Any]] = {
        "local": lambda: value,
        "nested": lambda: {"deep": [{"er": value}]},
        "dataclass": lambda: Row(value),
        "attribute": lambda: Plain(value),
        "key": lambda: {value: 1},
        "pairs of bytes": lambda: [(b"x-remark", value.encode())],
        "text in text": lambda: json.dumps({"inner": json.dumps({"remark": value})}),
    }
    remark: Any = made.get(place, lambda: None)()
    value = ""
    if place == "group":
        raise ExceptionGroup("several", [LookupError(MESSAGE[0])])
    exc = LookupError("lost" if place != "message" else MESSAGE[0], remark)
    if place == "note":
        exc.add_note(MESSAGE[0])
    if place == "chained":
        raise exc from ValueError(MESSAGE[0])
    raise exc


@dataclasses.dataclass
class Row:
    remark: str


class Plain:
    def __init__(self, remark: str) -> None:
        self.remark = remark


MESSAGE = [""]


@pytest.mark.parametrize("place", places)
@pytest.mark.parametrize("name", shaped)
def test_a_secret_with_a_shape_is_found_wherever_it_stands(name: str, place: str) -> None:
    MESSAGE[0] = f"cannot use {shaped[name]} here"
    assert core[name] not in event_with(place, shaped[name])
    assert json.dumps(core[name])[1:-1] not in event_with(place, shaped[name])


@pytest.mark.parametrize("place", places)
def test_what_is_no_secret_is_told_in_the_same_place(place: str) -> None:
    MESSAGE[0] = "cannot use harmless-words here"
    if place != "cookie":  # of cookies the names alone are told
        assert "harmless-words" in event_with(place, "harmless-words")
