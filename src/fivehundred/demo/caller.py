"""The demo's client: a process that calls the API and says what a caller learns from each 5xx.

It serves one page with a button for each failure. A press is a real call through ``fivehundred.client``; what came
back is shown on the page and printed to the terminal.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

import jinja2
import requests
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from fivehundred.client import ServerError
from fivehundred.client.requests import Session
from fivehundred.demo.database import Database

results_max = 12  # kept on the page, newest first
shown_headers = ("content-type", "error-reference", "retry-after", "cache-control")
broken_quote = "' OR 1=1)--"  # closes the string, then breaks the statement: what a scanner sends first


@dataclass(frozen=True, slots=True)
class Press:
    """One button."""

    name: str
    cause: str  # one of the five; "" for the two plain routes
    label: str
    story: str
    call: Callable[[Caller], list[Result]]


@dataclass(frozen=True, slots=True)
class Result:
    """What one call brought, as page and terminal show it."""

    at: str
    request: str  # "GET /cause-error"
    status: str  # "500 Internal Server Error"
    reference: str
    says: str  # the error's own message
    headers: tuple[tuple[str, str], ...]
    body: str

    def line(self) -> str:
        return f"{self.request} -> {self.status}" + (f"\n    {self.says}" if self.says else "")


class Caller:
    """Calls the API; one session, as a real client has."""

    def __init__(self, api: str, database: Database) -> None:
        self.api = api
        self.database = database
        self.session = Session()

    def call(self, method: str, path: str, **options: object) -> Result:
        try:
            response = self.session.request(method, self.api + path, **options)  # type: ignore[arg-type]
        except ServerError as error:
            return _result(method, path, error.response, error)
        except requests.RequestException as error:  # the API itself is gone
            return Result(_now(), f"{method} {path}", type(error).__name__, "", str(error), (), "")
        return _result(method, path, response, None)


def _result(method: str, path: str, response: object, error: ServerError | None) -> Result:
    request = f"{method} {path}"
    if not isinstance(response, requests.Response):
        return Result(_now(), request, "no answer", error.reference or "" if error else "", str(error or ""), (), "")
    return Result(
        at=_now(),
        request=request,
        status=f"{response.status_code} {response.reason}",
        reference=(error.reference if error else None) or "",
        says=str(error) if error else "",
        headers=tuple((k, v) for k, v in response.headers.items() if k.lower() in shown_headers),
        body=response.text[:2000],
    )


def _now() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S")


# ---- the buttons ----------------------------------------------------------------------------------


def _bug(caller: Caller) -> list[Result]:
    return [caller.call("GET", "/cause-error")]


def _misconfiguration(caller: Caller) -> list[Result]:
    return [caller.call("POST", "/checkout")]


def _overload(caller: Caller) -> list[Result]:
    """Four reports at once for a pool of two: two wait, and give up after half a second."""
    found: list[Result] = []
    threads = [threading.Thread(target=lambda: found.append(caller.call("GET", "/report"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _database(caller: Caller) -> list[Result]:
    if not caller.database.can_stop:
        return [caller.call("POST", "/add-user", json={"username": "Alice"})]
    caller.database.stop()
    try:
        return [caller.call("POST", "/add-user", json={"username": "Alice"})]
    finally:
        caller.database.start()


def _security(caller: Caller) -> list[Result]:
    return [caller.call("GET", "/search", params={"name": broken_quote})]


def _data(caller: Caller) -> list[Result]:
    return [caller.call("GET", "/data")]


def _exchange_rates(caller: Caller) -> list[Result]:
    return [caller.call("GET", f"/exchange-rates?base={base}") for base in ("EUR", "XXX", "CHF")]


presses = (
    Press("bug", "bug", "Divide by zero", "GET /cause-error: a handler computes 1 / 0, with no try around it.", _bug),
    Press(
        "misconfiguration",
        "misconfiguration",
        "Forget a setting",
        "POST /checkout reads an environment variable that nobody has set.",
        _misconfiguration,
    ),
    Press(
        "overload",
        "overload",
        "Overload the pool",
        "GET /report, four at once, for two connections. The client then waits as it was told, some seconds.",
        _overload,
    ),
    Press(
        "database",
        "database",
        "Stop the database",
        "The database is really stopped, POST /add-user is called, and the database is started again.",
        _database,
    ),
    Press(
        "security",
        "security",
        "Try an injection",
        f"GET /search?name={broken_quote}: a statement built from input breaks on what a scanner sends.",
        _security,
    ),
    Press("data", "", "Read bad data", "GET /data: one of the orders has no price.", _data),
    Press(
        "exchange-rates",
        "",
        "Ask for exchange rates",
        "GET /exchange-rates for EUR (200), XXX (404) and CHF (500): a client must tell them apart.",
        _exchange_rates,
    ),
)


def press(caller: Caller, name: str) -> list[Result]:
    """Presses one button and prints what came. Raises KeyError for a name that is no button's."""
    found = {button.name: button for button in presses}[name].call(caller)
    for result in found:
        print(result.line(), flush=True)
    return found


# ---- the page -------------------------------------------------------------------------------------


def application(caller: Caller, console: str) -> Starlette:
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_file("page.html"))
    style = _file("page.css")
    results: deque[Result] = deque(maxlen=results_max)

    async def page(request: Request) -> Response:
        body = template.render(presses=presses, results=list(results), console=console, api=caller.api)
        return HTMLResponse(body, headers=page_headers)

    async def pressed(request: Request) -> Response:
        name = request.path_params["name"]
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("a button of another site was pressed; open this page itself", 403)
        if name not in {button.name for button in presses}:
            return PlainTextResponse("no such button", 404)
        results.extendleft(await run_in_threadpool(press, caller, name))
        return RedirectResponse("/#results", 303)

    async def css(request: Request) -> Response:
        return Response(style, media_type="text/css", headers={"cache-control": "no-cache"})

    routes = [Route("/", page), Route("/press/{name}", pressed, methods=["POST"]), Route("/page.css", css)]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[trusted])


page_headers = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def _file(name: str) -> str:
    return resources.files("fivehundred.demo").joinpath(name).read_text("utf-8")


def main() -> None:
    database = Database.from_text(os.environ["DEMO_DATABASE"])
    caller = Caller(os.environ["DEMO_API"], database)
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            press(caller, name)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app = application(caller, os.environ["DEMO_CONSOLE"])
    parent = os.getppid()
    try:
        uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", server_header=False)
    finally:
        if os.getppid() != parent:  # the demo was killed, and cannot end its database, which is nobody's child
            database.remove()


if __name__ == "__main__":
    main()
