"""The Guard as a whole: one failure is one event, one reference, one log record, one safe answer, and never a raise."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

import fivehundred
from fivehundred.envelope import DsnError
from fivehundred.event import new_id
from fivehundred.guard import guard as guard_module
from fivehundred.guard import log, once
from fivehundred.guard.config import GuardConfigError
from fivehundred.guard.guard import Guard
from fivehundred.guard.request import RequestParts
from fivehundred.guard.testing import reported

parts = RequestParts(method="GET", host="shop.example", path="/boom", route="/boom", headers=[("Accept", "text/plain")])


def raising(exc: BaseException) -> BaseException:
    try:
        raise exc
    except BaseException as e:
        return e


@pytest.fixture
def guard() -> Guard:
    return Guard(mode="testing")


def test_a_failure_is_answered_with_the_reference_of_its_event(guard: Guard) -> None:
    with reported(guard) as events:
        answer = guard.handle(raising(ZeroDivisionError("CANARY")), parts)
    assert answer.status == 500
    assert events[0].event_id.encode() in answer.body
    assert b"CANARY" not in answer.body
    assert events[0].ours["status"] == 500
    assert events[0].ours["method"] == "GET"


def test_a_guard_without_a_dsn_answers_and_logs(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    for name in ("FIVEHUNDRED_DSN", "SENTRY_DSN"):
        monkeypatch.delenv(name, raising=False)
    guard = Guard()
    assert guard.dsn is None
    assert guard.handle(raising(ValueError("x")), parts).status == 500
    assert guard.flush() is True
    assert len([r for r in caplog.records if r.name == "fivehundred"]) == 1


def test_the_dsn_comes_from_the_argument_then_from_our_variable_then_from_sentrys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("SENTRY_DSN", "http://sentry@127.0.0.1:9/1")
    assert Guard(spool=tmp_path).dsn == fivehundred.envelope.Dsn.parse("http://sentry@127.0.0.1:9/1")
    monkeypatch.setenv("FIVEHUNDRED_DSN", "http://ours@127.0.0.1:9/1")
    assert Guard(spool=tmp_path).dsn == fivehundred.envelope.Dsn.parse("http://ours@127.0.0.1:9/1")
    assert Guard("", spool=tmp_path).dsn is None


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"mode": "debug"}, GuardConfigError, "production, development, testing"),
        ({"disclose": "all"}, GuardConfigError, "nothing, cause"),
        ({"statuses": {ValueError: 404}}, GuardConfigError, "from 500 to 599"),
        ({"statuses": {"ValueError": 500}}, GuardConfigError, "exception classes"),
        ({"dsn": "console:5500"}, DsnError, "http://KEY@127.0.0.1:5500/1"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write(options: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        Guard(**options)


class NotReadyError(Exception):
    pass


class StillNotReadyError(NotReadyError):
    pass


def test_the_application_says_what_its_own_exceptions_mean() -> None:
    guard = Guard(mode="testing", statuses={NotReadyError: (503, "We are starting."), ValueError: 507})
    answer = guard.handle(raising(StillNotReadyError("CANARY")), parts)
    assert answer.status == 503
    assert b"We are starting." in answer.body
    assert "retry-after" in {name.lower() for name, _ in answer.headers}
    assert guard.handle(raising(ValueError()), parts).status == 507


def test_a_cause_is_disclosed_only_on_request_and_without_particulars() -> None:
    def refused() -> BaseException:
        return raising(ConnectionRefusedError(111, "connect to db-CANARY:5432"))

    silent = Guard(mode="testing").handle(refused(), parts)
    open_ = Guard(mode="testing", disclose="cause").handle(refused(), parts)
    assert b"CANARY" not in silent.body + open_.body


def test_the_same_exception_seen_twice_is_one_event(guard: Guard) -> None:
    seen: list[str] = []

    def framework() -> NoReturn:
        try:
            raise KeyError("x")
        except KeyError as e:
            seen.append(guard.capture(e))
            raise

    with reported(guard) as events:
        try:
            framework()
        except KeyError as e:
            answer = guard.handle(e, parts)
    assert len(events) == 1
    assert seen[0].encode() in answer.body


def test_an_exception_carried_from_one_task_to_another_is_one_event(guard: Guard) -> None:
    async def inner() -> None:
        try:
            raise KeyError("x")
        except KeyError as e:
            guard.capture(e)
            raise

    async def outer() -> None:
        await asyncio.create_task(inner())

    with reported(guard) as events:
        try:
            asyncio.run(outer())
        except KeyError as e:
            guard.capture(e)
    assert len(events) == 1


def test_a_kept_instance_that_is_raised_again_is_another_event(guard: Guard) -> None:
    kept = KeyError("kept")

    def view() -> NoReturn:
        raise kept

    def request() -> str:
        try:
            view()
        except KeyError as e:
            return guard.capture(e)
        raise AssertionError

    with reported(guard) as events:
        references = {request() for _ in range(5)}
    assert len(references) == len(events) == 5


def test_the_thousandth_raise_of_a_kept_instance_still_is_an_event(guard: Guard) -> None:
    kept = KeyError("kept")

    def view() -> NoReturn:
        raise kept

    references = set()
    for _ in range(1_200):  # its traceback grows with each: past what is walked
        try:
            view()
        except KeyError as e:
            references.add(once.reference_of(e) or new_id())
            once.remember(e, new_id())
    assert len(references) == 1_200


def test_a_failed_answer_without_an_exception_is_an_event(guard: Guard) -> None:
    with reported(guard) as events:
        answer = guard.returned(503, parts)
    assert answer.status == 503
    assert (events[0].transaction, events[0].exceptions) == ("GET /boom", [])


def test_a_failure_of_the_guard_itself_is_answered(guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(*args: object, **kwargs: object) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(guard_module, "capture", broken)
    answer = guard.handle(raising(ValueError("x")), parts)
    assert answer.status == 500
    assert guard.failures_inside == 1
    reference = next(r.args[-1] for r in caplog.records if "could not report" in r.msg)
    assert str(reference).encode() in answer.body


def test_a_log_handler_that_fails_does_not_reach_the_application(guard: Guard) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    handler = Broken()
    log.logger.addHandler(handler)
    try:
        assert guard.handle(raising(ValueError("x")), parts).status == 500
    finally:
        log.logger.removeHandler(handler)


# ---- the log record ------------------------------------------------------------------------------


def record_of(act: Callable[[], object]) -> tuple[logging.LogRecord, str]:
    records: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keeping()
    log.logger.addHandler(handler)
    try:
        act()
    finally:
        log.logger.removeHandler(handler)
    assert len(records) == 1
    return records[0], logging.Formatter("%(levelname)s %(message)s").format(records[0])


def test_the_record_has_level_reference_and_traceback(guard: Guard) -> None:
    record, text = record_of(lambda: guard.handle(raising(ZeroDivisionError("zero")), parts))
    assert record.levelno == logging.ERROR
    assert guard.events[-1].event_id in text
    assert "Traceback (most recent call last):" in text
    assert "\n      raise exc" in text
    assert record.exc_info


def test_nothing_from_outside_starts_a_line_of_its_own(guard: Guard) -> None:
    forged = "x\r\n2026-11-24 CRITICAL forged\u2028forged\x1b[31m"
    hostile = RequestParts(method="GET", path=forged, headers=[("Accept", "*/*")])
    _, text = record_of(lambda: guard.handle(raising(ValueError(forged)), hostile))
    assert [line for line in text.splitlines() if "forged" in line and not line.startswith(("ERROR", "  "))] == []
    assert "\x1b" not in text
    assert len([line for line in text.splitlines() if line[:1] != " "]) == 1


def test_the_json_formatter_writes_one_line(guard: Guard) -> None:
    record, _ = record_of(lambda: guard.handle(raising(ValueError("a\nb")), parts))
    line = log.JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found["reference"] == guard.events[-1].event_id
    assert (found["status"], found["level"], found["route"]) == (500, "ERROR", "/boom")
    assert "Traceback" in found["traceback"]


def test_no_secret_stands_in_the_record(guard: Guard) -> None:
    exc = ValueError("postgresql://app:CANARY@db/shop")
    _, text = record_of(lambda: guard.handle(raising(exc), RequestParts(path="/x", query="token=CANARY")))
    assert "CANARY" not in text.replace('ValueError("postgresql://app:CANARY', "")
