"""The course of one call: what was tried, what is left of its time, and whether to go on. It sends nothing itself.

An adapter asks ``may_send``, sends, and reports ``succeeded`` or ``failed``. Both the blocking and the asynchronous
world run on it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from fivehundred.client import policy as rules
from fivehundred.client.errors import Attempt, CallFailed, Facts, safe_url
from fivehundred.client.hooks import Hook, Notice, tell
from fivehundred.client.origin import Origin
from fivehundred.client.policy import Outcome, Policy, Request
from fivehundred.client.problem_reader import Problem, Told
from fivehundred.client.scope import Scope, scope
from fivehundred.client.switches import switches


class Course:
    __slots__ = (
        *("_attempts", "_began", "_hooks", "_keyed", "_last", "_method", "_origin", "_policy", "_sent", "_stopped"),
        *("_paid", "_ticket", "_unsendable", "_url", "_waited", "attempt_s", "attempts_max", "clock", "deadline"),
        *("number", "outer", "retries"),
    )

    def __init__(
        self,
        policy: Policy,
        origin: Origin,
        method: str,
        url: object,
        *,
        keyed: bool = False,
        unsendable: str = "",
        hooks: Sequence[Hook] = (),
        clock: Callable[[], float] = time.monotonic,
        sent_at: float | None = None,
    ) -> None:
        self.clock = clock
        self.outer = outer = scope.get()
        self._sent = sent_at is not None  # the first attempt has been made already: the adapter plays it back
        self._began = now = clock() if sent_at is None else sent_at
        deadline = now + policy.call_s
        self.deadline = deadline if deadline < outer.deadline else outer.deadline
        self.attempts_max = policy.attempts_max
        if outer.retried or switches.testing or not switches.active:
            self.attempts_max = _attempts_max(policy, outer)
        # whether this layer would try again: then those below must not
        self.retries = self.attempts_max > 1 and (keyed or method in rules.idempotent_methods)
        self.number = 0
        self.attempt_s = policy.attempt_s  # what the attempt may take until the head of its answer is there
        self._policy, self._origin, self._method, self._keyed, self._url = policy, origin, method, keyed, url
        self._unsendable, self._hooks = unsendable, hooks
        self._attempts: tuple[Attempt, ...] = ()
        self._last: Outcome | None = None
        self._stopped = ""
        self._ticket = 0
        self._paid = 0.0  # for the retry that is being waited for
        self._waited = 0.0

    def may_send(self) -> bool:
        """Begins an attempt; False: the call has failed, see ``facts``."""
        if self._sent:
            self._sent, self.number = False, 1
            return True
        now = self.clock() if self.number else self._began
        if now >= self.deadline:
            self._refuse(Outcome(failure="deadline"), "the deadline has passed")
            return False
        ticket: int | None = 0
        # read without the lock: one word, and a closed breaker is the rule
        if self._origin.breaker.open_until is not None and switches.active and not switches.testing:
            ticket = self._origin.admit(now)
        if ticket is None:
            self._refuse(Outcome(failure="not sent"), "the breaker is open")
            return False
        self._ticket = ticket
        self.number += 1
        self._began = now
        if self.attempt_s > self.deadline - now:
            self.attempt_s = self.deadline - now
        return True

    def _refuse(self, outcome: Outcome, why: str) -> None:
        """The answer to an earlier attempt tells more than that a further one was not sent."""
        if self._last is None or (self._last.status is None and outcome.failure == "deadline"):
            self._last = outcome
        self._stopped = self._stopped or why

    @property
    def began(self) -> float:
        """Of the attempt that is being made."""
        return self._began

    @property
    def attempt_ends(self) -> float:
        return self._began + self.attempt_s

    def succeeded(self) -> None:
        if switches.active and not switches.testing:
            self._origin.succeeded(self.clock(), self._ticket)

    def failed(self, outcome: Outcome) -> float | None:
        """The wait before the next attempt; None: this was the last."""
        now = self.clock()
        if outcome.failure in ("timeout", "connect") and now >= self.deadline - 0.005:  # a socket's clock is not ours
            outcome = replace(outcome, failure="deadline")
        opened = self._record(now, outcome)
        reference = outcome.told.reference if outcome.told else ""
        attempt = Attempt(self.number, self._waited, now - self._began, outcome.status, outcome.failure, reference)
        self._attempts = (*self._attempts, attempt)
        previous, self._last = self._last, outcome
        wait = self._next(now, outcome, previous)
        self._waited = wait or 0.0
        notice = Notice(self._method, safe_url(str(self._url)), attempt, wait, self._stopped, opened)
        tell(self._hooks, notice)
        return wait

    def _record(self, now: float, outcome: Outcome) -> bool:
        if not switches.active or switches.testing:
            return False
        overload = rules.is_overload(outcome) or outcome.failure == "deadline"
        return self._origin.failed(now, self._ticket, overload=overload)

    def abandoned(self) -> None:
        """The call is given up from outside, or over what says nothing of the server: a probe is no longer under way,
        and a retry that was paid for and not sent is paid back."""
        self._origin.abandoned(self._ticket, self._paid)
        self._paid = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.abandoned()
            raise
        self._paid = 0.0

    def _next(self, now: float, outcome: Outcome, previous: Outcome | None) -> float | None:
        request = Request(self._method, self._keyed, self._unsendable)
        self._stopped = rules.refusal(self._policy, request, outcome, previous)
        if self._stopped:
            return None
        if self.number >= self.attempts_max:
            self._stopped = _no_more(self._policy, self.outer)
            return None
        wait = rules.wait_s(self.number, outcome.retry_after, random.random)
        if now + wait >= self.deadline:
            self._stopped = "the wait would pass the deadline"
        elif switches.testing:
            return 0.0
        elif self._origin.open_at(now + wait):
            self._stopped = "the breaker is open"
        elif not self._origin.take(now, rules.cost(outcome), in_doubt=rules.in_doubt(outcome)):
            self._stopped = "the retries that past successes have earned are used up"
        else:
            self._paid = rules.cost(outcome)
        return None if self._stopped else wait

    def facts(self) -> Facts:
        last = self._last or Outcome(failure="deadline")
        told = last.told
        return Facts(
            method=self._method,
            url=safe_url(str(self._url)),
            status=last.status,
            failure=last.failure,
            problem=told.problem if told else Problem(),
            reference=told.reference if told else "",
            trace_id=told.trace_id if told else "",
            retryable=rules.retryable(last),
            retry_after=last.retry_after,
            stopped=self._stopped,
            attempts=self._attempts,
        )


def outcome_beneath(error: CallFailed) -> Outcome:
    """Of an attempt that was itself a call of the Client: a transport of ours beneath another one, a function."""
    facts = error.facts
    told = Told(facts.problem, facts.reference, facts.trace_id, facts.retryable)
    return Outcome(facts.status, facts.failure, told, facts.retry_after)


def _attempts_max(policy: Policy, outer: Scope) -> int:
    if outer.retried or not switches.active:
        return 1
    return min(policy.attempts_max, switches.testing) if switches.testing else policy.attempts_max


def _no_more(policy: Policy, outer: Scope) -> str:
    if outer.retried:
        return "a layer above retries"
    if not switches.active:
        return "retries are switched off"
    return "" if policy.attempts_max > 1 else "this client makes one attempt"
