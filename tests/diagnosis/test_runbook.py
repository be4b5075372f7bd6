"""The six steps as somebody on call reads them."""

from __future__ import annotations

from dataclasses import replace

from tests.diagnosis.elsewhere import raised
from tests.diagnosis.fresh import case

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.diagnosis.model import Step
from fivehundred.event import Event, Request


def step(event: Event, name: str) -> Step:
    return next(one for one in diagnose(event).runbook if one.name == name)


def asked(event: Event, url: str = "http://shop.example/stock/12") -> Event:
    return replace(event, request=Request(method="GET", url=url))


def test_a_line_that_builds_a_statement_out_of_values_is_named_although_nobody_attacked() -> None:
    line = "db.execute(f\"SELECT * FROM users WHERE name = '{name}'\")"
    found = step(asked(raised(("sqlite3", "OperationalError", "no such table: users"), line=line)), "security")
    assert (found.state, found.lines) == ("found", ("shop/orders.py:41 puts name into the statement",))


def test_a_statement_with_a_constant_name_in_it_is_no_weakness() -> None:
    line = 'db.execute(f"SELECT * FROM {TABLE}")'
    found = step(asked(raised(("sqlite3", "OperationalError", "no such table: users"), line=line)), "security")
    assert found.state == "normal"


def test_a_database_that_is_down_says_what_it_did_where_nothing_probed_it() -> None:
    refused = ("builtins", "ConnectionRefusedError", "[Errno 111] Connection refused")
    down = case("down", "database", "clears", refused, below=("redis.connection:connect",))
    assert any("ECONNREFUSED" in line for line in step(down.event, "database").lines)


def test_the_test_that_replays_a_request_is_named_after_its_path_without_its_numbers() -> None:
    lines = step(asked(raised(("", "KeyError", "'price'"), line='row["price"]')), "retry").lines
    assert any("def test_get_stock_does_not_fail(client):" in line for line in lines)


def test_a_full_mysql_is_asked_who_holds_its_connections() -> None:
    full = raised(("pymysql.err", "OperationalError", "(1040, 'Too many connections')"), line="connect()")
    assert step(full, "database").next == "SHOW FULL PROCESSLIST"
