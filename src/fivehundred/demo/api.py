"""A small web API that fails in every way that matters. No handler holds a ``try``: the Guard does the answering.

Started by ``fivehundred demo`` as a process of its own; ``DATABASE_URL``, ``FIVEHUNDRED_DSN`` and ``PORT`` come from
the environment. The routes read like any young API's, faults included: do not copy them.
"""

from __future__ import annotations

import logging
import os
import time

import sqlalchemy
import waitress
from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy.pool import QueuePool

import fivehundred

app = Flask(__name__)
url = os.environ.get("DATABASE_URL", "sqlite://")
engine = sqlalchemy.create_engine(
    url,
    poolclass=QueuePool,
    pool_size=2,  # small, so that three slow reports at once are an overload
    max_overflow=0,
    pool_timeout=0.5,
    pool_pre_ping=True,
    pool_recycle=0 if url.startswith("sqlite") else -1,  # a file that is gone is only missed when it is opened again
)
rates: dict[str, float | None] = {"EUR": 1.0, "USD": 1.0834, "GBP": 0.8571, "CHF": None}
orders: list[dict[str, int | None]] = [{"price": 120}, {"price": None}, {"price": 40}]


@app.get("/")
def index() -> ResponseReturnValue:
    return {"routes": sorted(str(rule) for rule in app.url_map.iter_rules() if rule.endpoint != "static")}


@app.get("/cause-error")
def cause_error() -> ResponseReturnValue:
    result = 1 / 0
    return {"result": result}


@app.get("/data")
def data() -> ResponseReturnValue:
    total = sum(order["price"] for order in orders)  # type: ignore[misc]  # the bug: one order has no price
    return {"orders": len(orders), "total": total}


@app.post("/add-user")
def add_user() -> ResponseReturnValue:
    username = request.get_json()["username"]
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO users (username) VALUES (:username)"), {"username": username})
    return {"added": username}, 201


@app.get("/exchange-rates")
def exchange_rates() -> ResponseReturnValue:
    base = request.args.get("base", "EUR")
    if base not in rates:
        return {"error": f"no rates for this currency; there are {', '.join(rates)}"}, 404
    unit = rates[base]
    return {"base": base, "rates": {name: round((rate or 0) / unit, 4) for name, rate in rates.items()}}  # type: ignore[operator]  # the bug: CHF is None


@app.post("/checkout")
def checkout() -> ResponseReturnValue:
    key = os.environ["PAYMENT_API_KEY"]  # nobody has set it
    return {"paid_with": key[:4]}


@app.get("/report")
def report() -> ResponseReturnValue:
    with engine.connect() as connection:
        users = connection.execute(sqlalchemy.text("SELECT count(*) FROM users")).scalar_one()
        time.sleep(2)  # a slow report that holds its connection meanwhile
    return {"users": users}


@app.get("/search")
def search() -> ResponseReturnValue:
    name = request.args.get("name", "")
    with engine.connect() as connection:
        # the bug: a statement built from what the client sent
        found = connection.exec_driver_sql("SELECT username FROM users WHERE username = '" + name + "'").scalars()
        return {"found": list(found)}


def prepare() -> None:
    """The one table that the routes use."""
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS users (username VARCHAR(80) NOT NULL)"))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    guard = fivehundred.Guard(release="demo@1.0", environment="demo", disclose=os.environ.get("DISCLOSE", "nothing"))
    guard.flask(app)
    guard.watch(engine)  # so that a failure shows the pool as it was
    prepare()
    waitress.serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=8, ident=None)


if __name__ == "__main__":
    main()
