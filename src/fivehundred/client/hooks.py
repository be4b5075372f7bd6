"""Tells others about each failed attempt: the log, the current OpenTelemetry span, and hooks of the application.

Nothing here runs for a call that succeeds at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fivehundred.client.errors import Attempt

log = logging.getLogger("fivehundred.client")


@dataclass(frozen=True, slots=True)
class Notice:
    """One failed attempt, and what follows."""

    method: str
    url: str  # without query, user and password
    attempt: Attempt
    wait_s: float | None  # before the next attempt; None: there is none
    stopped: str  # why not
    breaker_opened: bool = False


class Hook(Protocol):
    def attempt_failed(self, notice: Notice) -> None: ...


def tell(hooks: Sequence[Hook], notice: Notice) -> None:
    for hook in (*standard, *hooks):
        try:
            hook.attempt_failed(notice)
        except Exception:  # the edge of somebody else's code: a hook must not fail a call
            log.exception("a hook of the client failed: %r", hook)


class LogHook:
    """INFO for a retry, WARNING where a breaker opens. The error itself is the caller's to log."""

    def attempt_failed(self, notice: Notice) -> None:
        attempt = notice.attempt
        happened = attempt.failure or f"{attempt.status}"
        what = (notice.method, notice.url, attempt.number, happened, attempt.reference or "-")
        if notice.breaker_opened:
            log.warning("%s %s: attempt %d failed (%s, reference %s); most attempts met overload, pausing", *what)
        elif notice.wait_s is not None:
            log.info("%s %s: attempt %d failed (%s, reference %s); next in %.3f s", *what, notice.wait_s)
        else:
            log.debug("%s %s: attempt %d failed (%s, reference %s); no further: %s", *what, notice.stopped)


class OpenTelemetryHook:
    """An event on the span that is current, if OpenTelemetry is installed and there is a span."""

    def attempt_failed(self, notice: Notice) -> None:
        from fivehundred.client import opentelemetry

        opentelemetry.add_event(notice)


standard: tuple[Hook, ...] = (LogHook(), OpenTelemetryHook())
