"""Bugs of ordinary applications, each really run."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from tests.scenarios.scenario import scenario
from tests.scenarios.stage import Stage

users: dict[int, Any] = {}
prices = {"book": 12, "pen": None}


def find_user(number: int) -> Any:
    return users.get(number)


@scenario("bg-001 key missing in a payload", "bug", "no", "KeyError", "misconfiguration", "security")
def _(stage: Stage) -> None:
    def create_order(request: Any) -> Any:
        payload = request.get_json()
        return {"total": payload["price"] * 2}

    stage.post(create_order, {"name": "book"})


@scenario("bg-002 None has no attribute", "bug", "no", "None", "database", "misconfiguration")
def _(stage: Stage) -> None:
    def show_user(request: Any) -> Any:
        user = find_user(int(request.args["id"]))
        return {"email": user.email}

    stage.get(show_user, "id=99")


@scenario("bg-003 division by zero", "bug", "no", "ZeroDivisionError", "overload")
def _(stage: Stage) -> None:
    def average(request: Any) -> Any:
        values: list[int] = []
        return {"mean": sum(values) / len(values)}

    stage.get(average)


@scenario("bg-004 list index", "bug", "no", "IndexError")
def _(stage: Stage) -> None:
    def last_order(request: Any) -> Any:
        orders: list[int] = []
        return {"last": orders[-1]}

    stage.get(last_order)


@scenario("bg-005 endless recursion", "bug", "no", "RecursionError|recursion", "overload", "security")
def _(stage: Stage) -> None:
    parents = {"books": "media", "media": "books"}

    def path_of(name: str) -> str:
        return path_of(parents[name]) + "/" + name

    def category(request: Any) -> Any:
        return {"path": path_of("books")}

    stage.get(category)


@scenario("bg-006 coroutine never awaited", "bug", "no", "coroutine", "overload")
def _(stage: Stage) -> None:
    async def load() -> dict[str, int]:
        return {"a": 1}

    def show(request: Any) -> Any:
        found: Any = load()
        return {"a": found["a"]}

    stage.get(show)


@scenario("bg-007 race on shared state", "bug", "yes", "changed size", "overload", "database")
def _(stage: Stage) -> None:
    sessions = {number: number for number in range(2_000)}

    def change(stop: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            sessions[-number] = number
            sessions.pop(number - 1_000, None)
            number += 1

    def list_sessions(request: Any) -> Any:
        stop = threading.Event()
        threading.Thread(target=change, args=(stop,), daemon=True).start()
        try:
            for _ in range(2_000):
                for key in sessions:
                    time.sleep(0) if key == 7 else None
        finally:
            stop.set()
        return {}

    stage.get(list_sessions)


@scenario("bg-008 response not serialisable", "bug", "no", "serializ")
def _(stage: Stage) -> None:
    def now(request: Any) -> Any:
        return {"tags": {1, 2}, "raw": json.dumps({"at": datetime.datetime.now()})}

    stage.get(now)


@scenario("bg-009 response fails its model", "bug", "no", "ResponseValidationError", "security", ways=("guard-asgi",))
def _(stage: Stage) -> None:
    from fastapi import FastAPI
    from pydantic import BaseModel
    from starlette.testclient import TestClient

    class Out(BaseModel):
        name: str
        price: int

    app = FastAPI()

    @app.get("/item", response_model=Out)
    def item() -> Any:
        return {"name": "book"}

    guarded = stage.guard.fastapi(app)
    stage.status = TestClient(guarded, raise_server_exceptions=False).get("/item").status_code


@scenario("bg-010 attribute renamed", "bug", "no", "AttributeError", "misconfiguration")
def _(stage: Stage) -> None:
    @dataclass
    class Item:
        title: str

    def item(request: Any) -> Any:
        thing: Any = Item("book")
        return {"name": thing.name}

    stage.get(item)


@scenario("bg-011 month end", "bug", "yes", "day is out of range|day", "misconfiguration")
def _(stage: Stage) -> None:
    def next_month(request: Any) -> Any:
        day = datetime.date(2026, 1, 31)
        return {"next": day.replace(month=day.month + 1).isoformat()}

    stage.get(next_month)


@scenario("bg-013 error inside the error handler", "bug", "no", "KeyError", "security")
def _(stage: Stage) -> None:
    def profile(request: Any) -> Any:
        account: dict[str, Any] = {}
        try:
            return {"name": account["name"]}
        except KeyError:
            return {"error": None.name}  # type: ignore[attr-defined]

    stage.get(profile)


@scenario("bg-014 unhandled exception group", "bug", "no", "KeyError|ValueError|ExceptionGroup|int\\(\\)", "overload")
def _(stage: Stage) -> None:
    async def one() -> int:
        return prices["car"] or 0

    async def two() -> int:
        return int("a dozen")

    async def totals(request: Any) -> Any:
        async with asyncio.TaskGroup() as group:
            group.create_task(one())
            group.create_task(two())
        return {}

    stage.get(totals)


@scenario("bg-015 bad pagination input", "bug", "no", "query.page|'abc'", "security", "misconfiguration")
def _(stage: Stage) -> None:
    def list_items(request: Any) -> Any:
        page = int(request.args.get("page", "1"))
        return {"page": page}

    stage.get(list_items, "page=abc")


@scenario("bg-016 deadlock of own locks", "bug", "clears", "lock", "overload")
def _(stage: Stage) -> None:
    stock_lock, order_lock = threading.Lock(), threading.Lock()

    def other(held: threading.Event) -> None:
        with order_lock:
            held.set()
            if stock_lock.acquire(timeout=0.6):
                stock_lock.release()

    def reserve(request: Any) -> Any:
        held = threading.Event()
        with stock_lock:
            threading.Thread(target=other, args=(held,), daemon=True).start()
            held.wait(1)
            if not order_lock.acquire(timeout=0.2):
                raise TimeoutError("could not take the order lock")
        return {}

    stage.get(reserve)


@scenario("x-unpack unpacking", "bug", "no", "unpack", "security")
def _(stage: Stage) -> None:
    def split_name(request: Any) -> Any:
        names: Any = ["Madonna"]
        first, last = names
        return {"first": first, "last": last}

    stage.get(split_name)


@scenario("x-none-arithmetic arithmetic with None", "bug", "no", "None")
def _(stage: Stage) -> None:
    def total(request: Any) -> Any:
        return {"total": prices["book"] + prices["pen"]}  # type: ignore[operator]

    stage.get(total)


@scenario("x-none-subscript item of None", "bug", "no", "None")
def _(stage: Stage) -> None:
    def first(request: Any) -> Any:
        user = find_user(5)
        return {"first": user["name"]}

    stage.get(first)


@scenario("x-arguments wrong number of arguments", "bug", "no", "find_user|argument")
def _(stage: Stage) -> None:
    def call(request: Any) -> Any:
        return {"user": find_user(1, 2)}  # type: ignore[call-arg]

    stage.get(call)


@scenario("x-name name not defined", "bug", "no", "NameError|not defined", "misconfiguration")
def _(stage: Stage) -> None:
    def report(request: Any) -> Any:
        return {"total": totl}  # type: ignore[name-defined]  # noqa: F821

    stage.get(report)


@scenario("x-unbound local variable", "bug", "no", "UnboundLocalError|before it is set")
def _(stage: Stage) -> None:
    def pick(request: Any) -> Any:
        if request.args.get("kind") == "a":
            chosen = 1
        return {"chosen": chosen}

    stage.get(pick, "kind=b")


@scenario("x-assert assertion", "bug", "no", "AssertionError|assert")
def _(stage: Stage) -> None:
    def pay(request: Any) -> Any:
        balance = -5
        assert balance >= 0, "balance must not be negative"
        return {}

    stage.get(pay)


@scenario("x-stop next without a default", "bug", "no", "StopIteration|next")
def _(stage: Stage) -> None:
    def newest(request: Any) -> Any:
        found = next(u for u in users.values() if u)
        return {"user": found}

    stage.get(newest)


@scenario("x-decode wrong encoding of an upload", "bug", "no", "codec|decode", "misconfiguration", "security")
def _(stage: Stage) -> None:
    def upload(request: Any) -> Any:
        text = request.get_data().decode("utf-8")
        return {"chars": len(text)}

    stage.post(upload, data=b"caf\xe9 au lait", headers={"Content-Type": "text/plain"})


@scenario("x-decimal decimal of no number", "bug", "no", "InvalidOperation|12,50", "security", "misconfiguration")
def _(stage: Stage) -> None:
    def pay(request: Any) -> Any:
        amount = decimal.Decimal(request.get_json()["amount"])
        return {"amount": str(amount)}

    stage.post(pay, {"amount": "12,50"})


@scenario("x-json body that is no JSON", "bug", "no", "JSON", "misconfiguration", "security")
def _(stage: Stage) -> None:
    def hook(request: Any) -> Any:
        payload = json.loads(request.get_data())
        return {"got": payload}

    stage.post(hook, data="name=Alice&age=3", headers={"Content-Type": "text/plain"})


@scenario("x-own an exception of the application", "bug", "no", "OutOfStock", "database", "overload")
def _(stage: Stage) -> None:
    class OutOfStock(Exception):
        pass

    def order(request: Any) -> Any:
        raise OutOfStock("only 3 left")

    stage.get(order)


@scenario("x-concat text and number", "bug", "no", "str|TypeError")
def _(stage: Stage) -> None:
    def label(request: Any) -> Any:
        return {"label": "order " + 5}  # type: ignore[operator]

    stage.get(label)


@scenario("x-unhashable list as a key", "bug", "no", "list|TypeError")
def _(stage: Stage) -> None:
    def count(request: Any) -> Any:
        counts: dict[Any, int] = {}
        counts[request.get_json()["tags"]] = 1
        return counts

    stage.post(count, {"tags": ["a", "b"]})


@scenario(
    "x-message-lies a bug whose message speaks of the database", "bug", "no", "ValueError", "database", "overload"
)
def _(stage: Stage) -> None:
    def connect(request: Any) -> Any:
        raise ValueError("the database connection form was refused: too many connections named")

    stage.get(connect)


@scenario("x-timeout-word a bug whose message speaks of a time-out", "bug", "no", "ValueError", "overload")
def _(stage: Stage) -> None:
    def parse(request: Any) -> Any:
        raise ValueError("option 'timed out' is unknown")

    stage.get(parse)


@scenario("mx-003 broad except turns a bug into 'database unavailable'", "bug", "no", "KeyError", "database")
def _(stage: Stage) -> None:
    class DatabaseUnavailable(Exception):
        pass

    def load_user(request: Any) -> Any:
        row = {"id": 1}
        try:
            return {"name": row["name"]}
        except Exception as exc:
            raise DatabaseUnavailable("the database is unavailable") from exc

    stage.get(load_user)


@scenario(
    "x-template-undefined template reads an unknown name", "bug", "no", "UndefinedError|undefined", "misconfiguration"
)
def _(stage: Stage) -> None:
    import jinja2

    def page(request: Any) -> Any:
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
        return {"html": environment.from_string("Hello {{ user.name }}").render(usr=1)}

    stage.get(page)


@scenario("x-enum value of no enum", "bug", "no", "is not a valid|purple", "misconfiguration", "security")
def _(stage: Stage) -> None:
    import enum

    class Colour(enum.Enum):
        RED = "red"

    def paint(request: Any) -> Any:
        return {"colour": Colour(request.args["colour"]).value}

    stage.get(paint, "colour=purple")


@scenario("x-quote-in-name a quote in a value that is no attack", "bug", "no", "KeyError", "security")
def _(stage: Stage) -> None:
    def greet(request: Any) -> Any:
        known = {"Alice": 1}
        return {"id": known[request.args["name"]]}

    stage.get(greet, "name=O%27Brien")
