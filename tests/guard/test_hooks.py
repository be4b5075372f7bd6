"""Failures outside of requests: threads, tasks, the main program, the log."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guard.conftest import Starter

from fivehundred import Guard
from fivehundred.guard.handler import LogHandler
from fivehundred.guard.testing import Sink


@pytest.fixture
def guard(collector: Sink, tmp_path: Path) -> Iterator[Guard]:
    made = Guard(collector.dsn, spool=tmp_path)
    yield made
    made.close()


def fails() -> None:
    raise LookupError("nobody waits for this")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_with_an_exception_is_an_event(guard: Guard, collector: Sink) -> None:
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    assert collector.wait(1)
    assert collector.events[0].exceptions[0].value == "nobody waits for this"


def test_a_task_that_nobody_awaits_is_an_event(guard: Guard, collector: Sink) -> None:
    async def main() -> None:
        async def inner() -> None:
            fails()

        task = asyncio.create_task(inner())
        await asyncio.sleep(0.01)
        del task

    asyncio.run(main())
    assert collector.wait(1)
    assert collector.events[0].exceptions[0].type == "LookupError"


def test_a_loop_with_a_handler_of_its_own_keeps_it(guard: Guard, collector: Sink) -> None:
    heard: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: heard.append(str(context["exception"])))
        guard.watch_loop(loop)
        loop.call_soon(fails)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert collector.wait(1)
    assert heard == ["nobody waits for this"]


def test_a_program_that_ends_with_an_exception_is_an_event(start: Starter, collector: Sink) -> None:
    program = start("from fivehundred import Guard\nGuard()\nprint('begun', flush=True)\n1 / 0\n", "app.py")
    assert program.process.wait(20) == 1
    assert collector.wait(1)
    assert collector.events[0].exceptions[0].type == "ZeroDivisionError"
    assert "Traceback (most recent call last)" in program.log.read_text()


def test_an_interrupt_and_an_exit_are_none(start: Starter, collector: Sink) -> None:
    for end in ("raise SystemExit(4)", "raise KeyboardInterrupt"):
        start(f"from fivehundred import Guard\nGuard()\n{end}\n", "app.py").process.wait(20)
    assert not collector.wait(1, 0.5)


@pytest.fixture
def logger(guard: Guard) -> Iterator[logging.Logger]:
    made = logging.getLogger("shop")
    handler = LogHandler(guard)
    made.addHandler(handler)
    yield made
    made.removeHandler(handler)


def test_an_error_that_is_logged_with_its_exception_is_an_event(
    guard: Guard, collector: Sink, logger: logging.Logger
) -> None:
    flight = guard.begin("GET", "/cart")
    try:
        fails()
    except LookupError:
        logger.exception("the cart is lost")
    flight.end()
    assert collector.wait(1)
    assert collector.events[0].exceptions[0].type == "LookupError"


def test_logged_twice_and_reported_it_is_one_event(guard: Guard, collector: Sink, logger: logging.Logger) -> None:
    try:
        fails()
    except LookupError as exc:
        logger.exception("once")
        logger.exception("twice")
        guard.capture(exc)
    guard.flush()
    assert len(collector.events) == 1


def test_a_warning_and_an_error_without_an_exception_are_no_events(
    guard: Guard, collector: Sink, logger: logging.Logger
) -> None:
    logger.warning("slow", exc_info=LookupError())
    logger.error("no exception")
    guard.flush()
    assert collector.events == []


def test_a_guard_that_is_closed_hears_nothing(guard: Guard, collector: Sink) -> None:
    import sys

    guard.close()
    assert sys.excepthook.__module__ != "fivehundred.guard.hooks"
