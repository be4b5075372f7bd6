"""Failures that look different and are the same must come together."""

from __future__ import annotations

import errno
from typing import Any

import pytest

ORDERS = """
def total(order):
    rows = order["rows"]
    return sum(row["price"] for row in rows)

def view(order):
    return total(order)
"""


def test_other_data_is_the_same_fault(world: Any) -> None:
    app = world.app("shop.ids", "def find(table, key):\n    return table[key]\n")
    assert len({world.fault(app.find, {}, key) for key in ("rug8897", "Alice", 17, ("a", 1))}) == 1


def test_moved_lines_renamed_locals_and_another_root_are_the_same_fault(world: Any) -> None:
    one = world.app("shop.orders", ORDERS, version="1")
    first = world.fault(one.view, {"rows": [{}]}, release="1")
    changed = "import os\n\n\n" + ORDERS.replace("row[", "line[").replace("for row in", "for line in")
    two = world.app("acme.shop.orders", changed, version="2", root="opt/app/current")
    assert world.fault(two.view, {"rows": [{}]}, release="2") == first


def test_an_application_installed_as_a_wheel_is_grouped_by_its_own_functions(world: Any) -> None:
    root = "venv/lib/python3.11/site-packages"
    app = world.app("shop.orders", ORDERS + "\ndef other(x):\n    return x.y\n", root=root)
    first = world.fault(app.view, {"rows": [{}]})
    assert first != world.fault(app.other, None)
    assert first == world.fault(app.total, {"rows": [{"cost": 1}]})


@pytest.mark.parametrize("source", [True, False])
def test_a_renamed_function_goes_on_in_its_fault(world: Any, source: bool) -> None:
    one = world.app("shop.orders", ORDERS, version="1")
    first = world.fault(one.view, {}, release="1", source=source)
    two = world.app("shop.orders", ORDERS.replace("total(", "total_of("), version="2")
    assert world.fault(two.view, {}, release="2", source=source) == first
    three = world.app("shop.basket", ORDERS.replace("total(", "total_of("), version="3")
    if source:  # without source, a move to another module under another caller leaves too little to go by
        assert world.fault(three.view, {}, release="3") == first


def test_an_extracted_function_goes_on_in_its_fault(world: Any) -> None:
    one = world.app("shop.tax", "def tax(o):\n    rate = o['rate']\n    return rate * 2\n", version="1")
    first = world.fault(one.tax, {}, release="1")
    source = (
        "def _rate_of(order):\n    return order['rate']\n\ndef tax(o):\n    rate = _rate_of(o)\n    return rate * 2\n"
    )
    two = world.app("shop.tax", source.replace("return order", "rate = order"), version="2")
    assert world.fault(two.tax, {}, release="2") == first


def test_what_was_taken_for_a_renaming_parts_again_when_both_fail_in_one_release(world: Any) -> None:
    source = "def total(o):\n    return o['a']['b']\n\ndef view(o):\n    return total(o)\n"
    one = world.app("shop.orders", source, version="1")
    first = world.fault(one.view, {}, release="1")
    both = source + "\ndef total_of(o):\n    return o['a']['b']\n\ndef view_of(o):\n    return total_of(o)\n"
    two = world.app("shop.orders", both.replace("return total_of", "return total_of"), version="2")
    world.fault(two.view_of, {}, release="2")
    assert world.fault(two.view, {}, release="2") == first
    assert world.fault(two.view_of, {}, release="2") != first


def test_a_database_that_is_down_is_one_fault_at_every_call_site(world: Any) -> None:
    app = world.app(
        "shop.db",
        """
        import socket

        def dial(port):
            socket.create_connection(("127.0.0.1", port))

        def save(order): dial(1)
        def read(order): dial(1)
        """,
    )
    text = 'connection to server at "10.0.0.5", port 5432 failed: Connection refused\\n\\tIs the server running?'

    def down(function: str, value: str = text) -> int:
        frames = [
            {"module": "shop.store", "function": function, "filename": "shop/store.py"},
            {"module": "psycopg2", "function": "connect", "filename": "psycopg2/__init__.py"},
        ]
        x = {"type": "OperationalError", "module": "psycopg2", "value": value, "stacktrace": {"frames": frames}}
        return int(world.sent([x]))

    assert len({down(f) for f in ("save", "read", "list_all", "export", "count")}) == 1
    assert down("save") != down("save", text.replace("5432", "5433"))
    assert world.fault(app.save, 1) != down("save")


def test_a_full_disk_is_one_fault_at_every_call_site(world: Any) -> None:
    app = world.app(
        "shop.files",
        """
        import errno, os

        def full():
            with open("/dev/full", "w") as out:
                out.write("x")

        def audit(): full()
        def upload():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/x")
        """,
    )
    assert errno.ENOSPC == 28
    assert world.fault(app.audit) == world.fault(app.upload)


def test_a_missing_environment_variable_is_one_fault_wherever_it_is_read(world: Any) -> None:
    app = world.app(
        "shop.settings",
        """
        import os

        def key(): return os.environ["SHOP_PAYMENT_KEY_THAT_IS_MISSING"]
        def other(): return os.environ["SHOP_PAYMENT_KEY_THAT_IS_MISSING"] + "/x"
        def second(): return os.environ["SHOP_MAIL_KEY_THAT_IS_MISSING"]
        """,
    )
    assert world.fault(app.key) == world.fault(app.other)
    assert world.fault(app.key) != world.fault(app.second)


def test_a_message_whose_word_proves_to_be_data_comes_together(world: Any) -> None:
    app = world.app(
        "shop.countries",
        """
        class Unknown(Exception):
            pass

        def ship(country):
            raise Unknown(f"no carrier delivers to {country}")
        """,
    )
    names = ["Atlantis", "Narnia", "Utopia", "Erewhon", "Lilliput", "Avalon"]
    faults = [world.fault(app.ship, name) for name in names]
    assert len(set(faults[3:])) == 1
    assert world.fault(app.ship, "Utopia") == faults[3] == faults[0]


def test_recursion_is_one_fault_at_any_depth_and_line(world: Any) -> None:
    app = world.app(
        "shop.tree",
        """
        def even(n):
            return odd(n + 1)

        def odd(n):
            x = n
            return even(x + 1)

        def walk(n):
            if n == 0:
                raise ValueError("the tree has a hole")
            return walk(n - 1)
        """,
    )
    assert world.fault(app.even, 0) == world.fault(app.odd, 0)
    assert world.fault(app.walk, 0) == world.fault(app.walk, 5) == world.fault(app.walk, 50)


def test_generated_code_and_comprehensions_belong_to_the_function_around_them(world: Any) -> None:
    app = world.app(
        "shop.rules",
        """
        from dataclasses import dataclass

        @dataclass
        class Rule:
            name: str
            def __post_init__(self):
                self.size = len(self.name)

        def make(x):
            return Rule(x)

        def run(text, scope):
            return eval(text, scope)

        def prices(rows):
            return [row["price"] for row in rows]
        """,
    )
    assert world.fault(app.prices, [{}]) == world.fault(app.prices, [{}, {}])
    assert world.fault(app.run, "a['price']", {"a": {}}) != world.fault(app.run, "a[3]", {"a": []})
    assert world.fault(app.run, "a['price']", {"a": {}}) == world.fault(app.run, "a['price']", {"a": {"b": 1}})
    assert world.fault(app.make, 5) == world.fault(app.make, 7)
