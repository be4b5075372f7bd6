"""Stacks as their languages print them: the real ones of Python and Node, Java's by its documented form."""

from __future__ import annotations

import shutil
import subprocess
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred.console.digest_stack import Raised, exceptions, module_and_type


class NoStock(Exception):
    pass


def reserve(count: int) -> float:
    return 1 / count


def order() -> None:
    try:
        reserve(0)
    except ZeroDivisionError as e:
        raise NoStock("no stock\nfor apples") from e


def functions(raised: Raised) -> list[str]:
    return [str(frame["function"]) for frame in raised.frames]


def test_a_chain_of_python_is_read_oldest_first() -> None:
    with pytest.raises(NoStock) as caught:
        order()
    language, (root, last) = exceptions("".join(traceback.format_exception(caught.value)))
    assert language == "python"
    assert (root.type, root.value, root.source) == ("ZeroDivisionError", "division by zero", "__cause__")
    assert (functions(root), root.frames[-1]["context_line"]) == (["order", "reserve"], "return 1 / count")
    assert (module_and_type(last.type)[1], last.value) == ("NoStock", "no stock\nfor apples")
    assert functions(last)[-1] == "order"
    assert root.frames[-1]["lineno"] == reserve.__code__.co_firstlineno + 1


def test_recursion_and_no_message_are_read() -> None:
    def endless() -> None:
        endless()

    with pytest.raises(RecursionError) as caught:
        endless()
    _, (found,) = exceptions("".join(traceback.format_exception(caught.value)))
    assert (found.type, functions(found)[-1]) == ("RecursionError", "endless")
    _, (bare,) = exceptions('Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyboardInterrupt\n')
    assert (bare.type, bare.value) == ("KeyboardInterrupt", "")


def test_of_a_group_the_group_itself_is_read() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        raise ExceptionGroup("two of them", [ValueError("a"), TypeError("b")])
    _, (found,) = exceptions("".join(traceback.format_exception(caught.value)))
    assert (found.type, found.value) == ("ExceptionGroup", "two of them (2 sub-exceptions)")
    assert functions(found)[-1] == "test_of_a_group_the_group_itself_is_read"


java_stack = """java.lang.IllegalStateException: no stock
for apples
\tat com.shop.Cart.order(Cart.java:42)
\tat com.shop.Cart$Inner.lambda$new$0(Cart.java:50)
\tSuppressed: java.io.IOException: close
\t\tat com.shop.Pool.close(Pool.java:9)
\tat java.base/java.lang.Thread.run(Thread.java:833)
\tat app//org.shop.Native.call(Native Method)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.connect0(Native Method)
\tat com.shop.Stock.reserve(Stock.kt:12)
\t... 3 more
"""


def test_a_chain_of_java_is_read_oldest_first_with_the_frames_that_it_shares() -> None:
    language, (root, last) = exceptions(java_stack)
    assert (language, root.type, root.value) == ("java", "java.net.ConnectException", "Connection refused")
    assert functions(root) == ["call", "run", "lambda$new$0", "reserve", "connect0"]
    assert functions(last) == ["call", "run", "lambda$new$0", "order"]
    assert last.value == "no stock\nfor apples"
    frame = last.frames[-1]
    assert (frame["module"], frame["filename"], frame["lineno"]) == ("com.shop.Cart", "Cart.java", 42)
    assert [f["in_app"] for f in root.frames[-2:]] == [True, False]


javascript_stack = """TypeError: Cannot read properties of undefined (reading 'length')
    at total (/srv/shop/cart.js:7:21)
    at Object.order [as handler] (/srv/shop/order (copy).js:12:3)
    at async file:///srv/shop/server.mjs:30:5
    at /srv/shop/node_modules/express/lib/router.js:284:15
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""


def test_a_stack_of_v8_is_read() -> None:
    language, (found,) = exceptions(javascript_stack)
    assert (language, found.type) == ("javascript", "TypeError")
    assert found.value == "Cannot read properties of undefined (reading 'length')"
    assert functions(found) == ["process.processTicksAndRejections", "", "", "Object.order", "total"]
    places = [(f["filename"], f["lineno"], f["colno"], f["in_app"]) for f in found.frames]
    assert places[-1] == ("/srv/shop/cart.js", 7, 21, True)
    assert places[-2] == ("/srv/shop/order (copy).js", 12, 3, True)
    assert places[2] == ("/srv/shop/server.mjs", 30, 5, True)
    assert [in_app for *_, in_app in places[:2]] == [False, False]


def test_a_stack_of_firefox_is_read() -> None:
    _, (found,) = exceptions("total@https://shop.example/cart.js:7:21\n@https://shop.example/cart.js:9:1\n")
    assert (functions(found), found.frames[-1]["lineno"]) == (["", "total"], 7)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_what_node_really_prints_is_read() -> None:
    script = "function total(c) { return c.items.length }\ntry { total({}) } catch (e) { console.log(e.stack) }"
    printed = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=30, check=True).stdout
    language, (found,) = exceptions(printed)
    assert (language, found.type, functions(found)[-1]) == ("javascript", "TypeError", "total")


@pytest.mark.parametrize("text", ["", "no stack", "panic: x\n\ngoroutine 1 [running]:\nmain.f()\n\t/x.go:7 +0x1d\n"])
def test_what_is_of_no_known_language_gives_nothing(text: str) -> None:
    assert exceptions(text) == ("", [])


lines_of_stacks = [*java_stack.splitlines(), *javascript_stack.splitlines(), '  File "a.py", line 7, in f', "    x = 1"]
lines_between = [
    "Traceback (most recent call last):",
    "  | ",
    "  +-+--",
    "Caused by: ",
    "[cause]: ",
    "\t... 99999 more",
    "",
]
odd_lines = [
    "ValueError: x",
    "at (",
    "at a (b:1:2)",
    "@",
    "The above exception was the direct cause of the following exception:",
]
pieces = st.sampled_from([*lines_of_stacks, *lines_between, *odd_lines])


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(pieces | st.text(max_size=30), max_size=40))
def test_lines_of_any_kind_are_read_or_passed_over(lines: list[str]) -> None:
    _, found = exceptions("\n".join(lines))
    assert all(isinstance(frame.get("lineno", 0), int) for one in found for frame in one.frames)


def test_a_megabyte_of_one_line_or_of_many_is_bounded() -> None:
    exceptions("    at " + "a (" * 400_000)
    _, (found,) = exceptions("E: x\n" + "\tat a.B.c(B.java:1)\n" * 100_000)
    assert len(found.frames) < 5_001
    _, chain = exceptions("E: x\n\tat a.B.c(B.java:1)\n" + ("Caused by: F: y\n" + "\t... 9 more\n" * 90) * 50)
    assert max(len(one.frames) for one in chain) <= 500
