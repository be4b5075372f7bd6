"""A request's flight ends where its response ends, on every kind of body, and keeps nothing of the request alive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fivehundred.guard.flight import current, request_now
from fivehundred.guard.guard import Guard


class _Closing:
    """A body of one chunk, as frameworks make it: an iterator with a close."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"done",))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    guard = Guard("http://key@127.0.0.1:9/1", spool=tmp_path)
    yield guard
    guard.close()


def _respond(guard: Guard, made: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        return made

    return guard.wsgi(app)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *args: None)


def test_a_body_of_one_chunk_is_no_list_as_granian_closes_no_list(guard: Guard) -> None:
    made = _Closing()
    body = _respond(guard, made)
    assert not isinstance(body, list)
    assert list(body) == [b"done"]
    body.close()
    assert made.closed
    assert guard.flights.now == 0


def test_a_request_that_is_over_is_not_told_with_a_later_failure_of_its_context(guard: Guard) -> None:
    _respond(guard, [b"done"])
    flight = current()
    assert flight is not None
    assert request_now() is None
    assert guard.flights.now == 0
    flight.end()
    assert guard.flights.now == 0


def test_a_path_that_is_no_unicode_is_counted_and_answered(guard: Guard) -> None:
    flight = guard.begin("GET", "/\ud800")
    assert guard.flights.now == 1
    flight.end()
    assert guard.flights.now == 0
