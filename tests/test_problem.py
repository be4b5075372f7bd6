"""The safe answer: negotiated, localised, escaped, and the same whatever failed."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred import problem
from fivehundred.problem import Answer
from fivehundred.problem_texts import style, texts

reference = "bc23a97f12a94ed2979af31149ed81d1"


def answer(status: int = 500, transient: str = "no", accept: str = "", language: str = "", **more: str) -> Answer:
    return problem.answer(
        reference=reference,
        status=status,
        transient=transient,
        retry_after_s=7 if status == 503 else None,
        accept=accept,
        language=language,
        **more,
    )


def header(found: Answer, name: str) -> str:
    return next((v for k, v in found.headers if k == name), "")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "problem"),
        ("*/*", "problem"),
        ("application/json, text/plain, */*", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("TEXT/HTML ; Q=1", "html"),
        ("text/*", "html"),
        ("text/plain", "text"),
        ("image/png", "problem"),
        ("application/json;q=0", "problem"),
        ("*/*;q=0", "problem"),
        ("text/html;q=2, text/plain;q=0.1", "text"),
        ("application/*;q=0.3, application/problem+json;q=0, text/html;q=0.2", "json"),
    ],
)
def test_accept_decides_the_kind(accept: str, kind: str) -> None:
    assert problem.negotiated(accept) == kind


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_header_is_answered(accept: str, language: str) -> None:
    found = answer(accept=accept, language=language)
    assert found.status == 500
    assert header(found, "Content-Length") == str(len(found.body))
    assert reference.encode() in found.body


@pytest.mark.parametrize("piece", ["a/b;q=0.1,", "text/html;", ",", "q=0.", "é"])
def test_a_huge_accept_is_cut_before_it_is_parsed(piece: str) -> None:
    assert answer(accept=piece * 65536, language=piece * 65536).status == 500


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507])
@pytest.mark.parametrize("language", list(texts))
def test_every_language_has_every_status(status: int, language: str) -> None:
    body = json.loads(answer(status, "yes", language=language).body)
    assert body["title"] == texts[language].titles[status]
    assert body["detail"].endswith(texts[language].temporary)
    assert body["error"] == texts["en"].titles[status]


@pytest.mark.parametrize(
    ("status", "transient", "retryable"),
    [(500, "no", False), (500, "unknown", False), (503, "unknown", True), (503, "no", False), (504, "clears", True)],
)
def test_it_says_whether_to_try_again(status: int, transient: str, retryable: bool) -> None:
    assert json.loads(answer(status, transient).body)["retryable"] is retryable


@given(st.text(max_size=100))
def test_a_disclosed_sentence_cannot_leave_its_place(public: str) -> None:
    body = json.loads(answer(public=public).body)
    assert body["reference"] == reference
    page = answer(accept="text/html", public=public + "<script>x</script>").body
    assert b"<script" not in page


def test_a_reference_that_is_none_is_replaced_and_never_repeated() -> None:
    hostile = "x\r\nSet-Cookie: a=b"
    found = problem.answer(
        reference=hostile, status=500, transient="no", retry_after_s=None, accept="", language="", trace_id=hostile
    )
    assert b"Set-Cookie" not in found.body
    assert len(header(found, "Error-Reference")) == 32


def test_a_status_that_is_no_failure_becomes_500() -> None:
    assert answer(200).status == 500


def test_retry_after_is_sent_when_it_is_given() -> None:
    assert header(answer(503, "yes"), "Retry-After") == "7"
    assert header(answer(500), "Retry-After") == ""


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", ""),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", ""),
        ("00-x\r\n", ""),
    ],
)
def test_only_a_valid_traceparent_has_a_trace(traceparent: str, trace: str) -> None:
    assert problem.trace_id_of(traceparent) == trace


def test_the_policy_allows_the_style_of_the_page_and_no_other() -> None:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in header(answer(accept="text/html"), "Content-Security-Policy")
