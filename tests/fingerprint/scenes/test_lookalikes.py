"""Failures that look alike and are not the same must stay apart."""

from __future__ import annotations

from typing import Any

import pytest


def test_two_lines_of_one_function_that_are_not_guarded_are_two_faults(world: Any) -> None:
    orders = world.app(
        "shop.orders",
        """
        def label(order):
            name = order["customer"]["name"]
            street = order["shipping"]["street"]
            return name + street
        """,
    )
    first = world.fault(orders.label, {"customer": {}})
    second = world.fault(orders.label, {"customer": {"name": "x"}, "shipping": {}})
    assert first != second
    assert world.fault(orders.label, {"customer": {}}) == first


@pytest.mark.parametrize("source", [True, False])
def test_two_attributes_of_one_line_are_two_faults(world: Any, source: bool) -> None:
    orders = world.app("shop.orders", "def line(a, b):\n    return a.name + b.street\n")
    named = type("N", (), {"name": "x"})()
    assert world.fault(orders.line, None, None, source=source) != world.fault(orders.line, named, None, source=source)


def test_two_lines_stay_apart_without_source_by_their_number_within_a_release(world: Any) -> None:
    orders = world.app("shop.orders", "def pick(a, b):\n    x = a[0]\n    y = b[0]\n    return x, y\n")
    assert world.fault(orders.pick, [], [], source=False) != world.fault(orders.pick, [1], [], source=False)


def test_two_lambdas_of_one_table_are_two_faults(world: Any) -> None:
    table = world.app(
        "shop.table",
        """
        TABLE = {
            "gross": lambda row: row["net"] + row["tax"],
            "total": lambda row: row["sum"] / row["count"],
        }

        def compute(name, row):
            return TABLE[name](row)
        """,
    )
    gross = world.fault(table.compute, "gross", {})
    assert gross != world.fault(table.compute, "total", {})
    assert gross == world.fault(table.compute, "gross", {"net": 1})
    # what the lambdas raise is none of what the look-up in the table raises
    assert gross != world.fault(table.compute, "none", {})


def test_a_helper_called_for_two_reasons_is_two_faults(world: Any) -> None:
    world.app("shop.need", "def need(d, key):\n    return d[key]\n")
    a = world.app("shop.a", "from shop.need import need\ndef ship(o):\n    return need(o, 'address')\n")
    b = world.app("shop.b", "from shop.need import need\ndef bill(o):\n    return need(o, 'iban')\n")
    ship, bill = world.fault(a.ship, {}), world.fault(b.bill, {})
    assert ship != bill
    assert (world.fault(a.ship, {}), world.fault(b.bill, {})) == (ship, bill)


def test_one_function_that_fails_for_two_reasons_in_words_is_two_faults(world: Any) -> None:
    pay = world.app(
        "shop.pay",
        """
        class Declined(Exception):
            pass

        def charge(reason, number):
            raise Declined(f"card {number} declined: {reason}")
        """,
    )
    poor = world.fault(pay.charge, "insufficient funds", 4711)
    assert poor != world.fault(pay.charge, "card expired", 4712)
    assert poor == world.fault(pay.charge, "insufficient funds", 99)


def test_one_client_for_two_upstreams_is_two_faults(world: Any) -> None:
    frames = [{"module": "shop.client", "function": "call", "filename": "shop/client.py", "lineno": 9}]

    def status(url: str) -> dict[str, Any]:
        value = f"503 Server Error: Service Unavailable for url: {url}"
        module = "requests.exceptions"
        return {"type": "HTTPError", "module": module, "value": value, "stacktrace": {"frames": frames}}

    tax = world.sent([status("https://tax.example/v1/12")])
    assert tax != world.sent([status("https://stock.example/v1/12")])
    assert tax == world.sent([status("https://tax.example/v1/99?x=1")])


def test_the_same_mistake_in_two_functions_is_two_faults_in_any_order_of_releases(world: Any) -> None:
    app = world.app(
        "shop.people",
        """
        def greet(user):
            return user.name.title()

        def sign(user):
            return user.name.title()
        """,
    )
    greet = world.fault(app.greet, None, release="1")
    assert greet != world.fault(app.sign, None, release="2")


def test_reasons_hidden_behind_one_wrapper_are_told_apart(world: Any) -> None:
    steps = world.app(
        "shop.steps",
        """
        class StepFailed(Exception):
            pass

        def price(x):
            return x["price"]

        def stock(x):
            return x[7]

        def run(step, x):
            try:
                return step(x)
            except Exception as exc:
                raise StepFailed("step failed") from exc
        """,
    )
    assert world.fault(steps.run, steps.price, {}) != world.fault(steps.run, steps.stock, [])


def test_a_fallback_that_fails_by_itself_is_not_the_failure_that_it_was_for(world: Any) -> None:
    cache = world.app(
        "shop.cache",
        """
        CACHE = {}

        def load(key):
            return int(key)

        def read(key):
            return len(key)

        def get(key):
            try:
                return CACHE[key]
            except KeyError:
                return load(key)

        def size(key):
            try:
                return CACHE[key]
            except KeyError:
                return read(key)
        """,
    )
    event = world.event(cache.get, "x")
    assert [x.type for x in event.exceptions] == ["KeyError", "ValueError"]
    assert world.file(event) != world.fault(cache.size, 5)
    from fivehundred.fingerprint.rule import fingerprint

    assert fingerprint(event, world.memory).title == "ValueError"
