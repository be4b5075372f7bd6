#!/usr/bin/env python3
"""How many of 31 planted secrets leave a process with default options: the Guard beside sentry-sdk, Flask and FastAPI.

Each secret is one marker in one place of a request or a stack: names that say so, shapes that say so, and two that
nothing can tell from harmless words ("free text"). What counts as leaked is a marker anywhere in what would be sent.

    python bench/guard_canaries.py
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI, Request
from flask import Flask
from flask import request as incoming

free_text = ("f01", "f02")  # innocently named, without a shape


def canary(place: str) -> str:
    return f"canary{place}zq"


def planted_locals() -> dict[str, Any]:
    return {
        "password": canary("l01"),
        "api_key": canary("l02"),
        "config": {"db": {"passwd": canary("l03")}, "aws_secret_access_key": canary("l04")},
        "dsn": f"postgresql://shop:{canary('l05')}@db:5432/shop",
        "url": f"redis://:{canary('l06')}@cache:6379/0",
        "headers": [("Authorization", f"Bearer {canary('l07')}"), (b"cookie", b"sid=" + canary("l08").encode())],
        "line": f"Authorization: Basic {canary('l09')}abcdef==",
        "text": f"login with password={canary('l10')} failed",
        "body": json.dumps({"token": canary("l11")}),
        "accessToken": canary("l12"),
        "session_id": canary("l13"),
        "client_secret": canary("l14"),
        "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIi{canary('l15')}.dozjgNryP4J3jVmNHl0w5N",
        "key": f"-----BEGIN PRIVATE KEY-----\n{canary('l16')}\n-----END PRIVATE KEY-----",
        "remark": f"ghp_{canary('l17')}abcdefghijklmnopqrstuv",
        "colour": canary("f01"),
    }


def fails() -> None:
    planted = planted_locals()
    try:
        raise ValueError(f"cannot reach amqp://u:{canary('e01')}@queue/")
    except ValueError as exc:
        exc.add_note(f"api_key={canary('e02')}")
        raise LookupError(f"token={canary('e03')} is unknown, {canary('f02')} too", len(planted)) from exc


request = {
    "url": f"http://shop.test/pay?access_token={canary('q01')}&code={canary('q02')}&password={canary('q03')}",
    "headers": {
        "Authorization": f"Bearer {canary('h01')}",
        "Cookie": f"sid={canary('h02')}; theme={canary('h03')}",
        "X-Api-Key": canary("h04"),
        "X-Forwarded-Access-Token": canary("h05"),
        "Referer": f"http://shop.test/?token={canary('h06')}",
    },
    "json": {"card": {"card_number": canary("b01")}, "password": canary("b02")},
}
places = (
    *(f"l{n:02}" for n in range(1, 18)), *(f"e{n:02}" for n in range(1, 4)), *(f"q{n:02}" for n in range(1, 4)),
    *(f"h{n:02}" for n in range(1, 7)), *(f"b{n:02}" for n in range(1, 3)),
)  # fmt: skip
assert len(places) == 31


# ---- applications --------------------------------------------------------------------------------


def flask(install: Callable[[Any], Any]) -> None:
    app = Flask("shop")

    @app.post("/pay")
    def pay() -> str:
        incoming.get_json()
        fails()
        return ""

    install(app)
    transport = httpx.WSGITransport(app, raise_app_exceptions=False)
    httpx.Client(transport=transport).post(**request)


def fastapi(install: Callable[[Any], Any]) -> None:
    app = FastAPI()

    @app.post("/pay")
    async def pay(asked: Request) -> str:
        await asked.json()
        fails()
        return ""

    install(app)

    async def ask() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            await client.post(**request)

    asyncio.run(ask())


# ---- SDKs ----------------------------------------------------------------------------------------


def guard(run: Callable[[Callable[[Any], Any]], None], framework: str) -> str:
    from fivehundred import Guard
    from fivehundred.event_wire import to_wire

    made = Guard("", mode="testing", app_paths=[__file__.rpartition("/")[0]])
    run(getattr(made, framework))
    return json.dumps([to_wire(event) for event in made.events])


def sentry(run: Callable[[Callable[[Any], Any]], None], framework: str) -> str:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    sent: list[str] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.serialize().decode())

    sentry_sdk.init("http://key@127.0.0.1:9/1", transport=Kept)
    run(lambda app: app)
    sentry_sdk.flush()
    return "\n".join(sent)


def main() -> None:
    for name, sdk in (("guard", guard), ("sentry-sdk", sentry)):
        for framework, run in (("flask", flask), ("fastapi", fastapi)):
            text = sdk(run, framework)
            assert "LookupError" in text, f"{name} sent no event"
            leaked = [place for place in places if canary(place) in text]
            free = [place for place in free_text if canary(place) in text]
            print(f"{name:<11} {framework:<8} leaked {len(leaked):>2}/31 {' '.join(leaked)}; free text {len(free)}/2")


if __name__ == "__main__":
    main()
