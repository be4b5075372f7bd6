"""What a failed call raises, and the history that each error carries. It reads no answer and decides no retry.

    CallFailed             any call that did not succeed; ``attempts`` says what was tried
    ├── ServerError        the server answered 5xx
    │   └── Unavailable    502, 503 or 504: a condition that passes
    ├── RateLimited        429, still after the waits that were allowed
    ├── NoAnswer           no whole answer came: refused, reset, timed out, or cut short
    │   └── DeadlineExceeded   the time for the whole call is used up (also a TimeoutError)
    └── NotSent            the breaker of this origin is open: nothing was sent

Raised by an adapter, each *also is* the library's own error: a ``ServerError`` from ``fivehundred.client.requests`` is
a ``requests.HTTPError``, a ``NoAnswer`` after a refused connection is a ``requests.ConnectionError``, and so on for
httpx and httpx2. Code that catches the library's classes goes on working.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fivehundred.client.problem_reader import Problem, plain
from fivehundred.client.specific import phrase, specific

unavailable = frozenset((502, 503, 504))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: what was sent when, and what came of it."""

    number: int
    waited_s: float  # before it
    took_s: float
    status: int | None = None  # None: no answer
    failure: str = ""  # "connect", "timeout", "reset", "cut", "deadline"; "" when there was a whole answer
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an error knows, but for the library's own objects: picklable, comparable, easy to log."""

    method: str = ""
    url: str = ""  # without user, password, query and fragment: an error's text ends in logs
    status: int | None = None
    failure: str = ""
    problem: Problem = field(default_factory=Problem)
    reference: str = ""
    trace_id: str = ""
    retryable: bool | None = None  # None: nobody can say
    retry_after: float | None = None  # seconds
    stopped: str = ""  # why no further attempt was made
    attempts: tuple[Attempt, ...] = ()


class CallFailed(Exception):
    """A call that did not succeed."""

    facts: Facts
    response: Any  # the library's own response; None when there was none

    def __init__(self, facts: Facts, response: object = None) -> None:
        super().__init__(message(facts))
        self.facts = facts
        self.response = response

    def __reduce__(self) -> tuple[object, ...]:
        """Crosses processes, and is copied, without the response: that may hold a socket."""
        return _again, (_plain_class(type(self)), type(self).__module__, _cause_of(type(self)), self.facts)

    @property
    def status(self) -> int | None:
        return self.facts.status

    @property
    def problem(self) -> Problem:
        return self.facts.problem

    @property
    def reference(self) -> str:
        """What to tell the server's people: they find the failure by it. ``""`` when the server gave none."""
        return self.facts.reference

    @property
    def trace_id(self) -> str:
        return self.facts.trace_id

    @property
    def retryable(self) -> bool | None:
        """Whether trying again later can help: the server's own word, else what its status means, else None."""
        return self.facts.retryable

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait."""
        return self.facts.retry_after

    @property
    def attempts(self) -> Sequence[Attempt]:
        return self.facts.attempts


class ServerError(CallFailed):
    """The server answered 5xx: its fault, not the caller's."""


class Unavailable(ServerError):
    """The server answered 502, 503 or 504: it cannot now, and may be able to soon."""


class RateLimited(CallFailed):
    """The server answered 429, and asked for a longer wait or more of them than were allowed."""


class NoAnswer(CallFailed):
    """No whole answer came: the connection was refused or reset, the time ran out, or the body ended early."""


class DeadlineExceeded(NoAnswer, TimeoutError):
    """The time for the whole call, with its waits and its body, is used up."""


class NotSent(CallFailed):
    """Most of the last attempts at this origin met overload, so nothing was sent: the breaker is open."""


def class_for(facts: Facts) -> type[CallFailed]:
    """Which class of the tree tells these facts."""
    if facts.status is None:
        if facts.failure == "not sent":
            return NotSent
        return DeadlineExceeded if facts.failure == "deadline" else NoAnswer
    if facts.failure:  # "cut": a status came, its body did not
        if facts.status < 500:
            return DeadlineExceeded if facts.failure == "deadline" else NoAnswer
    elif facts.status == 429:
        return RateLimited
    return Unavailable if facts.status in unavailable else ServerError


def also(kind: type[CallFailed], cause: type[Exception], home: str) -> type[CallFailed]:
    """The class that is both. For a call without an answer: also the very exception that the library raised."""
    key = (kind, cause, home)
    if key not in _both:
        _both[key] = type(kind.__name__, (kind, cause), {"__module__": home, "__doc__": kind.__doc__})
    return _both[key]


_both: dict[tuple[type, type, str], type[CallFailed]] = {}


def _again(kind: type[CallFailed], home: str, cause: tuple[str, str], facts: Facts) -> CallFailed:
    """Also the library's own error again, where the library is installed."""
    module, name = cause
    try:
        adapter = importlib.import_module(home)
        if module:
            return also(kind, getattr(importlib.import_module(module), name), home)(facts)
    except (ImportError, AttributeError):
        return kind(facts)
    found: type[CallFailed] = getattr(adapter, kind.__name__, kind)
    return found(facts)


def _cause_of(kind: type[CallFailed]) -> tuple[str, str]:
    """Of a class that ``also`` has made: the module and name of the library's own."""
    if kind not in _both.values():
        return "", ""
    cause = kind.__bases__[1]
    return cause.__module__, cause.__qualname__


def _plain_class(kind: type[CallFailed]) -> type[CallFailed]:
    for base in kind.__mro__:
        if base.__module__ == __name__ and issubclass(base, CallFailed):
            return base
    return CallFailed


def safe_url(url: str) -> str:
    """The address without what may be secret in it."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(an address that cannot be read)"
    return plain(f"{parts.scheme}://{host}{parts.path or '/'}")


# ---- the message ----------------------------------------------------------------------------------


def message(facts: Facts) -> str:
    """What happened, the reference, whether retrying helps, and when."""
    parts = [_what(facts)]
    if facts.reference:
        parts.append(f"Reference {facts.reference}.")
    elif facts.status is not None and facts.trace_id:
        parts.append(f"Trace {facts.trace_id}.")
    elif facts.status is not None and facts.status >= 500:
        parts.append("The server gave no reference.")
    parts.append(_retrying(facts))
    return " ".join(part for part in parts if part)


def _what(facts: Facts) -> str:
    call = f"{facts.method} {facts.url}".strip() or "The call"
    if facts.status is None:
        text = f"{call} {failures.get(facts.failure, f'failed: {plain(facts.failure)}')}"
    else:
        text = f"{call} answered {facts.status} {phrase(facts.status)}".rstrip()
        if facts.failure:
            text += f", and the body {body_failures.get(facts.failure, 'was cut')}"
    count = len(facts.attempts)
    if count > 1:
        first, *others = facts.attempts
        took = first.took_s + sum(attempt.waited_s + attempt.took_s for attempt in others)
        text += f" ({count} attempts in {took:.2g} s)"
    said = specific(facts.problem, facts.status)
    if said:
        text += f': "{said}"'
    return text if said.endswith((".", "!", "?", "…")) else text + "."


failures = {
    "certificate": "was not sent: the server's certificate is not trusted",
    "connect": "could not connect",
    "timeout": "got no answer in time",
    "reset": "lost the connection",
    "cut": "got an answer that was cut short",
    "deadline": "did not finish before its deadline",
    "not sent": "was not sent: most of the last attempts at this server met overload",
}
body_failures = {"deadline": "did not end before the deadline", "timeout": "stopped coming"}


def _retrying(facts: Facts) -> str:
    why = f" Not tried again: {facts.stopped}." if facts.stopped else ""
    if facts.retry_after is not None and facts.retryable is not False:
        return f"Retry after {seconds(facts.retry_after)}.{why}"
    if facts.retryable:
        return f"Retrying later can help.{why}"
    if facts.retryable is False:
        return "Retrying does not help." + (why if facts.stopped != "the server says that it does not help" else "")
    return f"Whether retrying helps is not known.{why}"


def seconds(value: float) -> str:
    if value < 120:
        return f"{value:.0f} s" if value == int(value) or value >= 10 else f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
