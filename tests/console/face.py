"""What the tests of the pages and the API share: events as they come, put into a real store, and the app around it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from fivehundred.console.api import v1
from fivehundred.console.site import Site
from fivehundred.console.spool.base import Depth
from fivehundred.console.store.base import Batch, Digested, Malformed, Store, Tally
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.vault import Vault
from fivehundred.console.web import pages
from fivehundred.diagnosis.model import Cause, Diagnosis, Fact, Step, step_names
from fivehundred.event import Json, clean, new_id, parse
from fivehundred.event_wire import to_wire
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint

_numbers = itertools.count(1)


def wire(kind: str = "ZeroDivisionError", message: str = "division by zero", **more: Json) -> dict[str, Json]:
    """An event as an SDK sends it: two library frames, two of the application, a request, log lines."""
    library: list[Json] = [
        {"filename": "flask/app.py", "function": f, "lineno": 900, "in_app": False, "module": "flask.app"}
        for f in ("wsgi_app", "dispatch_request")
    ]
    application: list[Json] = [
        {
            "filename": f"shop/{name}.py",
            "module": f"shop.{name}",
            "function": f"{name}_{kind.lower()}",
            "lineno": 41,
            "in_app": True,
            "pre_context": [f"def {name}(order):", "    count = len(order.lines)"],
            "context_line": "    return net / count",
            "post_context": ["", ""],
            "vars": {"order": {"id": 4711}, "count": 0},
        }
        for name in ("orders", "prices")
    ]
    return {
        "event_id": new_id(),
        "platform": "python",
        "release": "2.4.0",
        "environment": "production",
        "server_name": "web-1",
        "exception": {"values": [{"type": kind, "value": message, "stacktrace": {"frames": library + application}}]},
        "request": {
            "method": "POST",
            "url": "http://shop.example/orders/4711",
            "query_string": "verbose=1",
            "headers": {"Accept": "application/json", "Authorization": "[Filtered]"},
            "data": {"name": "Alice"},
        },
        "user": {"id": "u1"},
        "tags": {"region": "eu"},
        "breadcrumbs": [{"category": "shop.orders", "level": "warning", "message": "order without lines"}],
        "contexts": {
            "fivehundred": {
                "status": 500,
                "route": "/orders/{id}",
                "method": "POST",
                "sql": [{"statement": "SELECT total FROM orders WHERE id = %s", "ms": 3.2, "error": ""}],
            }
        },
        "sdk": {"name": "fivehundred", "version": "0.1"},
        **more,
    }


def diagnosis(cause: Cause = "bug", text: str = "net / count divides by zero") -> Diagnosis:
    text = clean(text)  # as all is that comes out of an event
    return Diagnosis(
        cause=cause,
        confidence="likely",
        transient="no",
        rule=f"{cause}.test",
        sentence=f"POST /orders/{{id}} fails because of its code: {text}.",
        advice=f"Look at {text}",
        retry="Retrying does not help.",
        evidence=(Fact("exception", text, text, "strong", "exception[0]", f"seen: {text}"),),
        ruled_out=(f"Not the database: {text}",),
        missing=(text,),
        runbook=tuple(Step(name, "found", f"{name}: {text}", (text, text), f"next: {text}") for name in step_names),
    )


def digested(
    raw: dict[str, Json], *, received_at: float, cause: Cause = "bug", text: str = "", project: str = "1"
) -> Digested:
    event = parse(raw, received_at=received_at)
    why = diagnosis(cause, text) if text else diagnosis(cause)
    payload = json.dumps(to_wire(event)).encode()
    return Digested(project, received_at, event, payload, fingerprint(event, Memory()), why)


class Face:
    """A store in a folder, and the pages and the API on top of it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._local = threading.local()
        self.asked = 0  # how often somebody asked for the store
        self.refused: dict[tuple[str, str], int] = {}
        self.store().create_project("shop", now=time.time())
        self.vault = Vault(root / "console.key")
        self.site = Site(self.store, "http://testserver", lambda: Depth(0, 0, None), lambda: self.refused, self.vault)
        self.app = Starlette(routes=[*v1.routes(self.site), *pages.routes(self.site)])
        self.client = TestClient(self.app, follow_redirects=False)

    def store(self) -> Store:
        self.asked += 1
        found: Store | None = getattr(self._local, "store", None)
        if found is None:
            found = self._local.store = SqliteStore(self._root)
        return found

    def add(self, *raws: dict[str, Json], cause: Cause = "bug", ago_s: float = 60, text: str = "") -> list[str]:
        now = time.time()
        events = [digested(raw, received_at=now - ago_s, cause=cause, text=text) for raw in raws]
        self.write(events)
        return [d.event.event_id for d in events]

    def write(
        self, events: Iterable[Digested] = (), *, malformed: Iterable[Malformed] = (), tallies: Iterable[Tally] = ()
    ) -> None:
        batch = Batch(events=list(events), malformed=list(malformed), tallies=list(tallies))
        self.store().write(batch, now=time.time())

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text[:2000]
        return answer.text

    def post(self, path: str, fields: dict[str, str | list[str]], **headers: str) -> int:
        self.client.get("/help")  # brings the token
        token = self.client.cookies["fivehundred_token"]
        return self.client.post(path, data={"token": token, **fields}, headers=headers).status_code
