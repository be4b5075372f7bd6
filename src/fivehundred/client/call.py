"""``retrying``: the same policy around any callable that may be carried out twice, be it HTTP or not."""

from __future__ import annotations

import functools
import inspect
import socket
import ssl
import time
import urllib.error
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, TypeVar, overload

from fivehundred import limits
from fivehundred.client.concurrency import at_most
from fivehundred.client.course import Course, outcome_beneath
from fivehundred.client.errors import CallFailed, Facts, class_for
from fivehundred.client.exchange import exchange, exchange_async
from fivehundred.client.hooks import Hook
from fivehundred.client.origin import origin
from fivehundred.client.policy import Outcome, Policy
from fivehundred.client.problem_reader import read
from fivehundred.client.retry_after import retry_after_s
from fivehundred.client.scope import until

P = ParamSpec("P")
R = TypeVar("R")


class retrying:  # noqa: N801  # a decorator reads as a word
    """``@retrying("payments")``. Calls that share a name share breaker and budget.

    The decorated function says by being decorated that it may be carried out twice. ``outcome`` tells how an exception
    ended an attempt, or None when another attempt makes no sense; without it the usual network errors of the standard
    library, requests, httpx, aiohttp and the Client are known. The last exception leaves as it is, with a note.

    Any callable will do. An attempt of one that is awaited ends in time. One that blocks cannot be interrupted: calls
    of the Client in it end in time by themselves, and for others ``time_left()`` is the time-out to give them.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: Policy | None = None,
        hooks: Sequence[Hook] = (),
        outcome: Callable[[Exception], Outcome | None] | None = None,
    ) -> None:
        self.name, self.policy, self.hooks = name, policy or Policy(), tuple(hooks)
        self.outcome = outcome or outcome_of

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]: ...
    def __call__(self, function: Any) -> Any:
        if _is_async(function):

            @functools.wraps(function)
            async def asynchronous(*args: Any, **options: Any) -> Any:
                made = _AsyncMade(self.outcome, lambda: function(*args, **options))
                return (await exchange_async(self._course(), made)).value

            return asynchronous

        @functools.wraps(function)
        def blocking(*args: Any, **options: Any) -> Any:
            def call() -> Any:
                return function(*args, **options)

            value = exchange(self._course(), _Made(self.outcome, call)).value
            return self._awaited(value, call) if inspect.isawaitable(value) else value

        return blocking

    async def _awaited(self, first: Awaitable[Any], call: Callable[[], Any]) -> Any:
        """For a callable that does not say that what it returns is to be awaited, such as a lambda."""
        made = [first]
        return (
            await exchange_async(self._course(), _AsyncMade(self.outcome, lambda: made.pop() if made else call()))
        ).value

    def _course(self) -> Course:
        # "GET" stands for "may be carried out twice"; the message shows the name alone
        return Course(self.policy, origin(f"call:{self.name}"), "GET", self.name, hooks=self.hooks)


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    # an object whose __call__ is asynchronous is a function like any other
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


@dataclass(slots=True)
class _Result(Generic[R]):
    value: R  # None is a result as well


class _Base:
    def __init__(self, outcome: Callable[[Exception], Outcome | None], function: Callable[[], Any]) -> None:
        self.outcome, self.function = outcome, function

    def bad(self, answer: _Result[Any]) -> Outcome | None:
        return None

    def broken(self, error: Exception) -> Outcome | None:
        outcome = self.outcome(error)
        # a deadline inside is that of the attempt; whether the call's has passed as well, the course knows
        return replace(outcome, failure="timeout") if outcome and outcome.failure == "deadline" else outcome

    def error(self, facts: Facts, answer: _Result[Any] | None, cause: Exception | None) -> Exception:
        if cause is None:
            return class_for(facts)(facts)
        count = len(facts.attempts)
        why = f"; not tried again: {facts.stopped}" if facts.stopped else ""
        cause.add_note(f"{count} attempt{'s' if count > 1 else ''} were made{why}")
        return cause


class _Made(_Base):
    def send(self, course: Course) -> _Result[Any]:
        with until(course.attempt_ends):
            return _Result(self.function())


class _AsyncMade(_Base):
    async def send(self, course: Course) -> _Result[Any]:
        with until(course.attempt_ends):
            async with at_most(course.attempt_s):
                return _Result(await self.function())


# ---- what the usual exceptions mean ---------------------------------------------------------------


def outcome_of(error: Exception) -> Outcome | None:
    """How an exception of the usual libraries ended an attempt; None: it is no matter of network or server."""
    if isinstance(error, CallFailed):
        return outcome_beneath(error)
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return outcome_of(error.reason)
    answer = _answer(error)
    if answer is not None:
        status, headers = answer
        return _answered(status, headers) if status >= 500 or status == 429 else None
    failure = _failure(error)
    return Outcome(failure=failure) if failure else None


def _answer(error: Exception) -> tuple[int, Mapping[str, str]] | None:
    response = getattr(error, "response", None)
    for holder, name in ((response, "status_code"), (error, "status"), (error, "code")):
        status = getattr(holder, name, None)
        if isinstance(status, int) and 100 <= status <= 599:
            return status, getattr(holder, "headers", None) or {}
    return None


def _answered(status: int, headers: Mapping[str, str]) -> Outcome:
    folded = {name.lower(): value for name, value in headers.items()}
    told = read(folded, b"", whole=False)
    return Outcome(status, told=told, retry_after=retry_after_s(folded.get("retry-after", ""), time.time()))


_connect_names = frozenset(("ConnectTimeout", "ConnectError", "ClientConnectorError", "NewConnectionError"))
_timeout_names = frozenset(("Timeout", "TimeoutException", "ServerTimeoutError"))
_reset_names = frozenset(("NetworkError", "RemoteProtocolError", "ServerDisconnectedError", "ChunkedEncodingError"))


def _failure(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ""
    names = {kind.__name__ for kind in type(error).__mro__[: limits.chain_depth_max]}
    if isinstance(error, ConnectionRefusedError | socket.gaierror) or names & _connect_names:
        return "connect"
    if isinstance(error, TimeoutError) or names & _timeout_names:
        return "timeout"
    return "reset" if isinstance(error, ConnectionError) or names & _reset_names else ""
