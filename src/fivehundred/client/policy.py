"""Decides whether a failed attempt is followed by another, and when. Pure: time and chance are passed in.

What may be retried is RFC 9110 section 9.2.2 and no more: an idempotent method, a request with an Idempotency-Key, or
one that never left. The server's word goes first: ``retryable: false`` stops, Retry-After sets the wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fivehundred import limits
from fivehundred.client.problem_reader import Told

idempotent_methods: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"))
overload_statuses: Final = frozenset((429, 502, 503, 504))
retried_statuses: Final = overload_statuses | {500}
overload_failures: Final = frozenset(("connect", "timeout"))
_said_no: Final = "the server says that it does not help"


@dataclass(frozen=True, slots=True)
class Policy:
    """The few things that a caller may know better. The rest are limits with a reason."""

    attempts_max: int = limits.attempts_max
    call_s: float = limits.call_s
    attempt_s: float = limits.attempt_s
    retry_500: bool = True  # it says nothing about the next one; a server that knows better sends `retryable`

    def __post_init__(self) -> None:
        if self.attempts_max < 1:
            raise ValueError(f"Policy(attempts_max={self.attempts_max}): the first attempt counts, so 1 is the least")
        if self.call_s <= 0 or self.attempt_s <= 0:
            raise ValueError(f"Policy(call_s={self.call_s}, attempt_s={self.attempt_s}): both are seconds above 0")


@dataclass(frozen=True, slots=True)
class Request:
    """What the decision has to know of the request."""

    method: str
    keyed: bool = False  # carries an Idempotency-Key
    unsendable: str = ""  # why its body cannot be sent a second time; "" when it can


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended, when it did not end well."""

    status: int | None = None
    failure: str = ""  # see errors.Attempt
    told: Told | None = None
    retry_after: float | None = None
    body: bytes = b""  # of the answer: to notice a stored one


def is_overload(outcome: Outcome) -> bool:
    return outcome.failure in overload_failures or (not outcome.failure and outcome.status in overload_statuses)


def cost(outcome: Outcome) -> float:
    return limits.budget_cost_overload if is_overload(outcome) else limits.budget_cost


def in_doubt(outcome: Outcome) -> bool:
    """Whether the server may still be at work on the attempt."""
    return outcome.failure == "timeout"


def refusal(policy: Policy, request: Request, outcome: Outcome, previous: Outcome | None) -> str:
    """Why this failure must not be followed by another attempt, as the end of a sentence; "" when it may."""
    if outcome.failure == "deadline":
        return "the deadline has passed"
    if not outcome.failure:
        reason = _answer_refuses(policy, outcome)
        if reason:
            return reason
    if outcome.failure != "connect" and request.method not in idempotent_methods and not request.keyed:
        return f"a {request.method} without an Idempotency-Key could be carried out twice"
    if request.unsendable:
        return request.unsendable
    if request.keyed and previous is not None and _is_replay(outcome, previous):
        return "the server repeats its stored answer to this Idempotency-Key"
    if (outcome.retry_after or 0) > limits.retry_after_obeyed_s_max:
        return f"the server asks for a longer wait than {limits.retry_after_obeyed_s_max} s"
    return ""


def _answer_refuses(policy: Policy, outcome: Outcome) -> str:
    said = outcome.told.retryable if outcome.told else None
    if said is False:
        return _said_no
    if outcome.status not in retried_statuses:
        return f"a {outcome.status} does not pass by itself" if said is None else ""
    if outcome.status == 500 and not policy.retry_500 and said is None:
        return "this client does not retry a 500"
    return ""


def _is_replay(outcome: Outcome, previous: Outcome) -> bool:
    """Whether this is the answer that the server has stored under the key, and not a new try of its work."""
    if outcome.told is not None and outcome.told.replayed:
        return True
    if outcome.status != previous.status or outcome.told is None or previous.told is None:
        return False
    if outcome.told.reference or previous.told.reference:
        return outcome.told.reference == previous.told.reference
    return outcome.status == 500 and outcome.body == previous.body != b""


def wait_s(number: int, retry_after: float | None, chance: Callable[[], float]) -> float:
    """Before the retry after attempt ``number``. ``chance()`` is evenly spread over [0, 1)."""
    ceiling = min(limits.backoff_max_s, limits.backoff_first_s * 2.0 ** (number - 1))
    wait = max(limits.backoff_min_s, chance() * ceiling)
    if retry_after is None:
        return wait
    return max(wait, retry_after * (1 + limits.retry_after_jitter * chance()))


def retryable(outcome: Outcome) -> bool | None:
    """What to tell the caller about a later try; None when nobody can say."""
    if outcome.failure:
        return True if outcome.failure in ("connect", "timeout", "reset", "cut", "not sent") else None
    if outcome.told is not None and outcome.told.retryable is not None:
        return outcome.told.retryable
    if outcome.status in overload_statuses or outcome.retry_after is not None:
        return True
    return None if outcome.status == 500 else False
