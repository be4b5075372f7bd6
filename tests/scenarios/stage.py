"""Stage: where a scenario is played. A small application really fails behind the Guard or behind sentry-sdk.

``guard-wsgi``: Flask behind the Guard; ``guard-asgi``: Starlette behind the Guard; ``sdk``: Flask behind sentry-sdk,
whose plain events hold no codes, probes or resources. What was sent is scrubbed and parsed as the Console does it.
"""

from __future__ import annotations

import asyncio
import inspect
import json as jsons
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Barrier, Thread
from threading import Event as Signal
from types import TracebackType
from typing import Any

import flask
import httpx
import sentry_sdk
import werkzeug
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.test import EnvironBuilder

import fivehundred
from fivehundred.event import Event, Json, parse
from fivehundred.guard.testing import Sink
from fivehundred.scrub import scrub

ways = ("guard-wsgi", "guard-asgi", "sdk")
View = Callable[[Any], Any]
here = os.path.dirname(__file__)


class NothingReported(AssertionError):
    """The scenario was played and no event came: it did not fail, or its failure was lost."""


class Stage:
    """``send`` plays a request against a view; ``event`` is what the last one reported."""

    def __init__(self, way: str, release: str = "2.0", dsn: str = "") -> None:
        self.way = way
        self.release = release
        self.exits = ExitStack()
        self.folder = Path(self.exits.enter_context(tempfile.TemporaryDirectory(prefix="scenario-")))
        self.status = 0
        self.wanted = ""  # the view whose event is meant, when it is not the last one
        if way == "sdk":
            self._sdk: list[Event] = []
            _init_sdk(self._sdk, release)
            self.exits.callback(sentry_sdk.init)  # without a DSN: its patches stay in the process, and do nothing
        else:
            self.sink = self.exits.enter_context(Sink())
            self.guard = fivehundred.Guard(
                dsn or self.sink.dsn, release=release, app_paths=[here], spool=self.folder / "spool"
            )
            self.exits.callback(self.guard.close)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.exits.close()

    def watch(self, pool: object, name: str = "") -> None:
        """As an application would show its pool to the Guard; sentry-sdk knows nothing of the kind."""
        if self.way != "sdk":
            self.guard.watch(pool, name)

    def get(self, view: View, query: str = "", headers: dict[str, str] | None = None) -> int:
        return self.send(view, "GET", query=query, headers=headers)

    def post(self, view: View, json: Json = None, data: bytes | str | None = None, **more: Any) -> int:
        return self.send(view, "POST", json=json, data=data, **more)

    def send(
        self,
        view: View,
        method: str = "GET",
        *,
        query: str = "",
        json: Json = None,
        data: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        body = data.encode() if isinstance(data, str) else data or b""
        sent = dict(headers or {})
        if json is not None:
            body, sent = jsons.dumps(json).encode(), {"Content-Type": "application/json", **sent}
        path = "/" + view.__name__.replace("_", "-") + (f"?{query}" if query else "")
        play = self._starlette if self.way == "guard-asgi" else self._flask
        self.status = play(view, method, path, body, sent)
        return self.status

    @contextmanager
    def held(self, take: Callable[[], AbstractContextManager[object]], requests: int) -> Iterator[None]:
        """While it is open, that many slow requests are in flight, each of which has taken one."""
        taken, done = Barrier(requests + 1), Signal()

        def slow_report(_: Any) -> Any:
            with take():
                taken.wait(10)
                done.wait(10)
            return {}

        threads = [Thread(target=self.get, args=(slow_report,)) for _ in range(requests)]
        for thread in threads:
            thread.start()
        taken.wait(10)
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join(10)

    # ---- the applications ----

    def _flask(self, view: View, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
        app = flask.Flask("shop")

        def endpoint() -> Any:
            found = view(flask.request)
            return flask.jsonify(asyncio.run(found) if inspect.iscoroutine(found) else found)

        app.add_url_rule(path.partition("?")[0], view.__name__, endpoint, methods=["GET", "POST", "PUT", "DELETE"])
        if self.way == "sdk":
            app.config["PROPAGATE_EXCEPTIONS"] = False
        else:
            self.guard.flask(app)
        return app.test_client().open(path, method=method, data=body, headers=headers).status_code

    def _starlette(self, view: View, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
        async def endpoint(request: StarletteRequest) -> JSONResponse:
            found = view(await _werkzeug(request))
            return JSONResponse(await found if inspect.isawaitable(found) else found)

        app = Starlette(routes=[Route(path.partition("?")[0], endpoint, methods=["GET", "POST", "PUT", "DELETE"])])
        guarded = self.guard.starlette(app)

        async def play() -> int:
            transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                return (await client.request(method, path, content=body, headers=headers)).status_code

        return asyncio.run(play())

    # ---- what was reported ----

    def event(self) -> Event:
        """The last one that is meant. Raises NothingReported."""
        for _ in range(20):
            meant = [event for event in self._delivered() if self.wanted in event.transaction]
            if meant:
                return meant[-1]
            time.sleep(0.1 if self.wanted else 0)
        raise NothingReported(f"{self.way}: the answer was {self.status}, and no event came")

    def _delivered(self) -> list[Event]:
        if self.way == "sdk":
            sentry_sdk.flush(2)
            return self._sdk
        self.guard.flush(5)
        return self.sink.events


async def _werkzeug(request: StarletteRequest) -> werkzeug.Request:
    """The same request object as in Flask, so that one view serves both applications."""
    builder = EnvironBuilder(
        path=request.url.path,
        query_string=request.url.query,
        method=request.method,
        headers=list(request.headers.items()),
        data=await request.body(),
    )
    return werkzeug.Request(builder.get_environ())


class _Transport(sentry_sdk.transport.Transport):
    def __init__(self, found: list[Event]) -> None:
        super().__init__()
        self.found = found

    def capture_envelope(self, envelope: Any) -> None:
        for item in envelope.items:
            if item.type == "event":
                wire = jsons.loads(item.get_bytes())
                self.found.append(parse(scrub(wire), received_at=time.time()))


def _init_sdk(found: list[Event], release: str) -> None:
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1", transport=_Transport(found), release=release, default_integrations=True
    )
