"""What an Event says of a failure, and what it leaves out when there is too much of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from fivehundred import limits
from fivehundred.event import Event
from fivehundred.event_wire import to_wire
from fivehundred.guard import crumbs
from fivehundred.guard.capture import About, capture
from fivehundred.guard.encode import encoded
from fivehundred.guard.request import RequestParts

# ---- what it says --------------------------------------------------------------------------------


def caught(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as e:
        return e
    raise AssertionError("nothing was raised")


def event_of(act: Callable[[], object], parts: RequestParts | None = None) -> Event:
    event = capture(caught(act), parts, About())
    json.loads(encoded(event))
    return event


def locals_of(act: Callable[[], object]) -> dict[str, Any]:
    return dict(event_of(act).exceptions[-1].frames[-1].vars)


def divide() -> float:
    numerator, denominator = 1, 0
    return numerator / denominator


def test_the_failing_frame_has_its_source_and_its_locals() -> None:
    event = event_of(divide)
    frame = event.exceptions[-1].frames[-1]
    assert (event.exceptions[-1].type, event.exceptions[-1].value) == ("ZeroDivisionError", "division by zero")
    assert frame.function == "divide"
    assert frame.context_line == "    return numerator / denominator"
    assert frame.pre_context[-1] == "    numerator, denominator = 1, 0"
    assert frame.in_app is True
    assert frame.vars == {"numerator": 1, "denominator": 0}


def test_locals_that_use_their_budget_up_leave_the_request_and_the_log_theirs() -> None:
    def act(depth: int = 15) -> object:
        many = {f"a{i}": list(range(50)) for i in range(50)}
        also, again = [many] * 50, [many] * 60
        return act(depth - 1) if depth else many[f"{len(also)} of {len(again)}"]

    crumbs.install()
    logging.getLogger("app").warning("%s users", {"Alice"})
    parts = RequestParts(method="POST", headers=[("content-type", "application/json")], body=b'{"name": {"is": ["A"]}}')
    event = event_of(act, parts)
    assert "values" in event.ours["cut"]  # type: ignore[operator]  # the budget was used up
    assert event.request is not None
    assert event.request.data == {"name": {"is": ["A"]}}
    assert event.breadcrumbs[-1].message == "['Alice'] users"


def test_a_cold_file_that_is_slow_to_read_costs_no_local(tmp_path: Path) -> None:
    path = tmp_path / "slow_to_read.py"
    lines = [*(f"password_{i} = 'token={i}'" for i in range(20_000)), "def f(values): return values[9]"]
    path.write_text("\n".join(lines))
    code: dict[str, Any] = {}
    exec(compile(path.read_bytes(), str(path), "exec"), code)
    frame = event_of(lambda: code["f"]([[1], 2])).exceptions[-1].frames[-1]
    assert frame.vars == {"values": [[1], 2]}
    assert frame.context_line == "def f(values): return values[9]"


def test_frames_of_libraries_carry_no_locals() -> None:
    event = event_of(lambda: json.loads("{'secret': 1}"))
    assert [bool(f.vars) for f in event.exceptions[-1].frames if not f.in_app] == [False] * 3
    assert event.exceptions[-1].frames[-1].module == "json.decoder"


def installed(tmp_path: Path, package: str, source: str) -> dict[str, Any]:
    """A module as it runs when it was installed as a wheel."""
    path = tmp_path / "lib" / "site-packages" / package / "orders.py"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    module: dict[str, Any] = {"__name__": f"{package}.orders"}
    exec(compile(source, str(path), "exec"), module)
    return module


def raised_in(act: Callable[[], object]) -> BaseException:
    """What ``act`` raises, without this file's frames above it."""
    exc = caught(act)
    while exc.__traceback__ is not None and exc.__traceback__.tb_frame.f_code.co_filename == __file__:
        exc.__traceback__ = exc.__traceback__.tb_next
    return exc


def test_an_application_that_was_installed_has_frames_of_its_own(tmp_path: Path) -> None:
    shop = installed(tmp_path, "shop", "import json\n\ndef total(order):\n    return json.loads(order)\n")
    frames = capture(raised_in(lambda: shop["total"]("{'price': 1}")), None, About()).exceptions[-1].frames
    assert [frame.in_app for frame in frames] == [True, False, False, False]
    assert frames[0].vars == {"order": "{'price': 1}"}
    assert frames[0].pre_context == ["import json", "", "def total(order):"]


def test_a_known_library_is_never_taken_for_the_application(tmp_path: Path) -> None:
    library = installed(tmp_path, "sqlalchemy", "def total(order): return order['price']\n")
    frames = capture(raised_in(lambda: library["total"]({})), None, About()).exceptions[-1].frames
    assert [(frame.in_app, frame.vars) for frame in frames] == [(False, {})]


def test_what_is_installed_beside_an_application_is_no_part_of_it(tmp_path: Path) -> None:
    helper = installed(tmp_path, "helper", "def total(order): return order['price']\n")
    frames = event_of(lambda: helper["total"]({})).exceptions[-1].frames
    assert [frame.in_app for frame in frames] == [True, True, False]


def test_the_innermost_frames_have_source_around_them_whosever_they_are() -> None:
    frame = event_of(lambda: json.loads("{'secret': 1}")).exceptions[-1].frames[-1]
    assert (frame.in_app, len(frame.pre_context)) == (False, limits.source_lines)


def test_a_cause_stands_before_what_it_caused() -> None:
    def act() -> None:
        try:
            divide()
        except ZeroDivisionError as e:
            raise ValueError("no price") from e

    first, last = event_of(act).exceptions
    assert (first.type, last.type) == ("ZeroDivisionError", "ValueError")
    assert first.mechanism is not None
    assert (first.mechanism.source, first.mechanism.parent_id, first.mechanism.exception_id) == ("__cause__", 0, 1)


def test_from_none_hides_the_context() -> None:
    def act() -> None:
        try:
            divide()
        except ZeroDivisionError:
            raise ValueError("no price") from None

    assert [x.type for x in event_of(act).exceptions] == ["ValueError"]


def test_a_group_is_told_with_its_members() -> None:
    def act() -> None:
        raise ExceptionGroup("two", [KeyError("a"), ExceptionGroup("inner", [OSError(28, "No space left on device")])])

    found = event_of(act).exceptions
    assert sorted(x.type for x in found) == ["ExceptionGroup", "ExceptionGroup", "KeyError", "OSError"]
    assert found[-1].mechanism is not None
    assert found[-1].mechanism.is_exception_group
    full = next(x for x in found if x.type == "OSError")
    assert full.mechanism is not None
    assert full.mechanism.meta == {"errno": {"number": 28, "name": "ENOSPC"}}
    assert full.mechanism.source == "exceptions[0]"


def test_notes_and_the_ancestry_travel_along() -> None:
    def act() -> None:
        e = ConnectionRefusedError(111, "Connection refused")
        e.add_note("while calling the bank; password=CANARY")
        raise e

    mechanism = event_of(act).exceptions[-1].mechanism
    assert mechanism is not None
    assert mechanism.data["mro"] == ["ConnectionRefusedError", "ConnectionError", "OSError", "Exception"]
    assert mechanism.data["notes"] == ["while calling the bank; password=[scrubbed]"]


def test_the_peer_of_a_refused_connection_is_named() -> None:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    event = event_of(lambda: socket.create_connection(("127.0.0.1", port), 1))
    mechanism = event.exceptions[-1].mechanism
    assert mechanism is not None
    assert mechanism.data["peer"] == f"127.0.0.1:{port}"


def test_a_client_cannot_choose_a_peer_by_what_it_sends() -> None:
    def act() -> None:
        raise ValueError('bad name: connection to server at "10.0.0.1", port 22 failed')

    mechanism = event_of(act).exceptions[-1].mechanism
    assert mechanism is not None
    assert "peer" not in mechanism.data


def test_a_sqlite_error_carries_its_code_and_its_driver() -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    mechanism = event_of(lambda: connection.execute("select * from nowhere")).exceptions[-1].mechanism
    assert mechanism is not None
    assert (mechanism.data["driver"], mechanism.data["code"]) == ("sqlite3", "SQLITE_ERROR")


def test_a_missing_environment_variable_is_named() -> None:
    event = event_of(lambda: os.environ["NOT_SET_ANYWHERE_URL"])
    assert event.ours["env_missing"] == ["NOT_SET_ANYWHERE_URL"]


def test_the_request_is_told_without_its_secrets() -> None:
    parts = RequestParts(
        method="POST",
        scheme="https",
        host="shop.example",
        path="/orders",
        query="token=CANARY&page=2",
        headers=[("Authorization", "Bearer CANARY"), ("Cookie", "sid=CANARY; theme=CANARY"), ("Accept", "*/*"),
                 ("Content-Type", "application/json"), ("Referer", "https://a/?code=CANARY")],
        body=b'{"user": "ann", "password": "CANARY", "items": [1, 2]}',
        route="/orders",
    )  # fmt: skip
    event = event_of(divide, parts)
    assert event.request is not None
    assert event.request.data == {"user": "ann", "password": "[scrubbed]", "items": [1, 2]}
    assert event.request.cookies == {"sid": "[scrubbed]", "theme": "[scrubbed]"}
    assert event.transaction == "POST /orders"
    assert "CANARY" not in json.dumps(to_wire(event))


def test_the_address_of_the_client_is_not_told() -> None:
    def app(environ: dict[str, str]) -> int:
        return 1 // len(environ["missing"])

    parts = RequestParts(headers=[("X-Forwarded-For", "192.0.2.7"), ("Forwarded", 'for="192.0.2.7"')])
    event = event_of(lambda: app({"REMOTE_ADDR": "192.0.2.7", "HTTP_X_REAL_IP": "192.0.2.7"}), parts)
    assert event.user is None
    assert event.request is not None
    assert event.request.headers == {"X-Forwarded-For": "[scrubbed]", "Forwarded": "[scrubbed]"}
    assert event.exceptions[-1].frames[-1].vars == {
        "environ": {"REMOTE_ADDR": "[scrubbed]", "HTTP_X_REAL_IP": "[scrubbed]"}
    }


def test_the_trace_of_the_caller_is_kept_only_when_it_is_valid() -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    assert event_of(divide, RequestParts(headers=[("traceparent", good)])).contexts["trace"]["trace_id"] == "a" * 32
    assert "trace" not in event_of(divide, RequestParts(headers=[("traceparent", good + "\n<script>")])).contexts


def test_what_was_logged_before_is_told_with_its_arguments() -> None:
    crumbs.install()
    crumbs.begin()
    log = logging.getLogger("shop.orders")
    log.warning("order %d of %s: %r", 17, "ann", {"password": "CANARY", "n": 1})
    found = event_of(divide).breadcrumbs[-1]
    assert (found.category, found.level) == ("shop.orders", "warning")
    assert found.message.startswith("order 17 of ann: ")
    assert "CANARY" not in found.message


def test_requests_do_not_see_each_others_log_records() -> None:
    crumbs.install()

    async def request(name: str) -> Event:
        crumbs.begin()
        logging.getLogger("shop").warning("for %s", name)
        await asyncio.sleep(0)
        return event_of(divide)

    async def both() -> tuple[Event, Event]:
        return await asyncio.gather(asyncio.create_task(request("a")), asyncio.create_task(request("b")))

    assert [[c.message for c in e.breadcrumbs] for e in asyncio.run(both())] == [["for a"], ["for b"]]


# ---- limits --------------------------------------------------------------------------------------


def test_huge_locals_and_messages_are_cut_and_say_so() -> None:
    def act() -> NoReturn:
        text = "x" * 100_000_000
        numbers = list(range(1_000_000))
        table = {i: i for i in range(100_000)}
        raise ValueError(text[:50_000_000], numbers, table)

    exc = caught(act)
    started = time.perf_counter()
    event = capture(exc, None, About())
    took = time.perf_counter() - started
    assert len(encoded(event)) < 20_000
    assert took < 0.5  # a hundred times what it takes: that it is bounded, not how fast it is
    cut = event.ours["cut"]
    assert isinstance(cut, dict)
    assert cut["text"]
    assert cut["items"]


def test_a_recursion_keeps_both_ends_of_its_stack() -> None:
    def outermost() -> None:
        deeper(0)

    def deeper(n: int) -> int:
        return deeper(n + 1)

    event = event_of(outermost)
    frames = event.exceptions[-1].frames
    assert event.exceptions[-1].type == "RecursionError"
    assert len(frames) == limits.guard_frames_max
    assert [f.function.rpartition(".")[2] for f in frames[1:4]] == ["outermost", "deeper", "deeper"]
    assert isinstance(event.ours["cut"], dict)
    assert event.ours["cut"]["frames"]


def test_an_event_never_exceeds_its_bytes() -> None:
    def act() -> NoReturn:
        def level(n: int) -> NoReturn:
            a, b, c, d, e = (
                ["\u20ac" * 500] * 20,
                ["y" * 500] * 20,
                dict.fromkeys(range(20), "z" * 500),
                ["u" * 500] * 9,
                n,
            )
            if n:
                level(n - 1)
            raise ValueError(a, b, c, d, e)

        level(30)

    assert len(encoded(event_of(act))) <= limits.event_bytes_max
