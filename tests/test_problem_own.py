"""An application's own page or JSON for a failure; whatever is wrong with it, the Guard's own answer goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fivehundred import Guard
from fivehundred.guard.request import RequestParts
from fivehundred.problem import Answer
from fivehundred.problem_own import Shown


def answered(
    template: Any, accept: str = "text/html", exc: BaseException | None = None
) -> tuple[Answer, dict[str, str]]:
    guard = Guard("", mode="testing", template=template, statuses={NotReady: (503, "We are starting.")})
    answer = guard.handle(exc or ValueError("hidden"), RequestParts(headers=[("Accept", accept)]))
    return answer, dict(answer.headers)


class NotReady(Exception):
    pass


def test_an_own_page_takes_the_place_of_the_guards() -> None:
    answer, headers = answered(lambda shown: f"<h1>Oh no: {shown.status} {shown.title}</h1><p>{shown.reference}</p>")
    assert answer.body.decode() == (f"<h1>Oh no: 500 Internal Server Error</h1><p>{headers['Error-Reference']}</p>")
    assert headers["Content-Length"] == str(len(answer.body))
    assert headers["Cache-Control"] == "no-store"
    assert "script-src" not in headers["Content-Security-Policy"]


def test_an_own_json_body_is_a_dict() -> None:
    template = lambda shown: {"code": shown.status, "again": shown.retryable, "after": shown.retry_after_s}  # noqa: E731
    answer, headers = answered(template, "application/json", NotReady())
    assert json.loads(answer.body) == {"code": 503, "again": True, "after": int(headers["Retry-After"])}


def test_none_leaves_the_answer_to_the_guard() -> None:
    answer, _ = answered(lambda shown: "page" if shown.kind == "html" else None, "text/plain")
    assert b"Internal Server Error" in answer.body


def failing(shown: Shown) -> str:
    raise RuntimeError("template")


@pytest.mark.parametrize("template", [failing, lambda shown: 5, lambda shown: "", lambda shown: {"a": 1}])
def test_a_template_that_fails_costs_nothing(template: Any) -> None:
    answer, headers = answered(template)
    assert (answer.status, headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert b"<h1>Internal Server Error</h1>" in answer.body


def test_a_template_hears_nothing_of_the_failure() -> None:
    heard: list[Shown] = []
    answered(lambda shown: heard.append(shown))
    assert "hidden" not in repr(heard)
