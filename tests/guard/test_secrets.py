"""A corpus of secrets in every place of an event: none of them leaves the process."""

from __future__ import annotations

import json
import logging
from typing import Any

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
core = {
    name: max(value.replace("\n", " ").replace(":", " ").replace("@", " ").split(" "), key=len)
    for name, value in shaped.items()
}
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
    remark: Any = value if place == "local" else {"deep": [{"er": value}]} if place == "nested" else None
    del value
    exc = LookupError("lost" if place != "message" else MESSAGE[0], remark)
    if place == "note":
        exc.add_note(MESSAGE[0])
    if place == "chained":
        raise exc from ValueError(MESSAGE[0])
    raise exc


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
    assert "harmless-words" in event_with(place, "harmless-words")
