"""A small shop that really fails, in sixteen ways: for the screenshots of README and docs. Not the demo."""

from __future__ import annotations

import io
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any


class Order:
    def __init__(self, number: int, lines: list[float]) -> None:
        self.number = number
        self.lines = lines


def average(order: Order) -> float:
    """The mean price of an order's lines."""
    total = sum(order.lines)
    count = len(order.lines)
    return total / count


def show_order() -> object:
    order = Order(4711, [])
    return average(order)


def add_user() -> object:
    import psycopg

    return psycopg.connect("host=127.0.0.1 port=1 dbname=shop user=shop", connect_timeout=1)


def checkout() -> object:
    return os.environ["STRIPE_API_KEY"]


def welcome() -> object:
    import jinja2

    return jinja2.Environment(loader=jinja2.FileSystemLoader("/srv/shop/mail"), autoescape=True).get_template(
        "welcome.html"
    )


def rates() -> object:
    return urllib.request.urlopen("http://127.0.0.1:1/latest", timeout=1)


def reset_password() -> object:
    user: Any = None
    return user.email


def webhook() -> object:
    return json.loads("<html>502 Bad Gateway</html>")


def search() -> object:
    import sqlite3

    name = "x' OR '1'='1' --\""
    return sqlite3.connect(":memory:").execute(f"SELECT * FROM users WHERE name = '{name}\"'")


def invoices() -> object:
    import sqlite3

    return sqlite3.connect(":memory:").execute("SELECT total FROM invoices WHERE month = ?", ("2026-10",))


def export() -> object:
    return open("/srv/shop/exports/october.csv", "w")


def stock() -> object:
    return {"left": int("12 pieces")}


def reports() -> object:
    months = list(range(3))
    return months[10]


def limits() -> object:
    raise TimeoutError("no connection became free within 30 s: 5 of 5 are checked out")


def notify() -> object:
    raise RuntimeError("the mail queue answered 451")


def profile() -> object:
    return "Zoë".encode("ascii")


def tax() -> object:
    return Decimal("19,0")


ways: dict[str, tuple[str, Callable[[], object], int]] = {
    "/orders/4711": ("GET", show_order, 34),
    "/add-user": ("POST", add_user, 21),
    "/checkout": ("POST", checkout, 13),
    "/exchange-rates": ("GET", rates, 17),
    "/sign-up": ("POST", welcome, 8),
    "/password-reset": ("POST", reset_password, 6),
    "/webhooks/stripe": ("POST", webhook, 9),
    "/search": ("GET", search, 5),
    "/invoices": ("GET", invoices, 4),
    "/exports": ("POST", export, 3),
    "/stock/12": ("GET", stock, 3),
    "/reports/2026/10": ("GET", reports, 2),
    "/basket": ("GET", limits, 12),
    "/notify": ("POST", notify, 2),
    "/profile": ("GET", profile, 2),
    "/tax": ("GET", tax, 1),
}


def shop(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    return [str(ways[environ["PATH_INFO"]][1]()).encode()]


def environ(path: str, method: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "80",
        "HTTP_HOST": "shop.example",
        "HTTP_ACCEPT": "application/json",
        "HTTP_USER_AGENT": "Mozilla/5.0",
        "REMOTE_ADDR": "192.0.2.7",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }
