"""Runs a call along its course: send, judge, wait, send again. One loop for blocking adapters, one for asynchronous.

Everything that is particular to a library is behind ``Wire`` and ``AsyncWire``.
"""

from __future__ import annotations

import time
from typing import Protocol, TypeVar

from fivehundred.client.concurrency import sleep
from fivehundred.client.course import Course
from fivehundred.client.errors import Facts
from fivehundred.client.policy import Outcome
from fivehundred.client.scope import Scope, scope

A = TypeVar("A")
B = TypeVar("B", contravariant=True)


class Judge(Protocol[B]):
    """What both kinds of wire know."""

    def bad(self, answer: B) -> Outcome | None:
        """How a whole answer failed; None: it did not."""

    def broken(self, error: Exception) -> Outcome | None:
        """How an exception of the library ended the attempt; None: it is not a matter of the network."""

    def error(self, facts: Facts, answer: B | None, cause: Exception | None) -> Exception: ...


class Wire(Judge[A], Protocol[A]):
    def send(self, course: Course) -> A:
        """Sends once and receives all that this call receives, within ``course.attempt_s`` and its deadline."""


class AsyncWire(Judge[A], Protocol[A]):
    async def send(self, course: Course) -> A: ...


def exchange(course: Course, wire: Wire[A], raises: bool = True) -> A:
    answer: A | None = None
    cause: Exception | None = None
    while course.may_send():
        answer = cause = outcome = None
        token = scope.set(Scope(course.deadline, True)) if course.retries else None
        try:
            answer = wire.send(course)
        except BaseException as error:  # a cancelled task, Ctrl-C: what the attempt held is given back
            outcome = cause = None
            if isinstance(error, Exception):
                outcome, cause = wire.broken(error), error
            if outcome is None:
                course.abandoned()
                raise
        finally:
            if token is not None:
                scope.reset(token)
        if answer is not None:
            outcome = wire.bad(answer)
            if outcome is None:
                course.succeeded()
                return answer
        wait = course.failed(outcome or Outcome())
        if wait is None:
            break
        if wait:
            with course.waiting():
                time.sleep(wait)
    if answer is not None and not raises:
        return answer
    raise _final(wire.error(course.facts(), answer, cause), cause)


async def exchange_async(course: Course, wire: AsyncWire[A], raises: bool = True) -> A:
    answer: A | None = None
    cause: Exception | None = None
    while course.may_send():
        answer = cause = outcome = None
        token = scope.set(Scope(course.deadline, True)) if course.retries else None
        try:
            answer = await wire.send(course)
        except BaseException as error:  # a cancelled task, Ctrl-C: what the attempt held is given back
            outcome = cause = None
            if isinstance(error, Exception):
                outcome, cause = wire.broken(error), error
            if outcome is None:
                course.abandoned()
                raise
        finally:
            if token is not None:
                scope.reset(token)
        if answer is not None:
            outcome = wire.bad(answer)
            if outcome is None:
                course.succeeded()
                return answer
        wait = course.failed(outcome or Outcome())
        if wait is None:
            break
        with course.waiting():
            await sleep(wait)
    if answer is not None and not raises:
        return answer
    raise _final(wire.error(course.facts(), answer, cause), cause)


def _final(error: Exception, cause: Exception | None) -> Exception:
    if cause is not None and error is not cause:
        error.__cause__ = cause
    return error
