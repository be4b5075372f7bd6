"""How many requests go well: counts by route, so that failures have a denominator. Nothing of a request is kept.

A request costs a dict's increment. Once a minute a thread sends what was counted, as an item of our own, and only to a
Console of ours: the answer of any other collector to the first item ends it for good. Counts are figures, not events:
those of a process that is killed, and of minutes in which the Console is away, are not sent again.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from fivehundred import limits
from fivehundred.envelope import Dsn, Item, encode
from fivehundred.guard.collector import Collector, Outcome

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from fivehundred.event import Json

item_type: Final = "fivehundred_rates"
known_by: Final = "x-fivehundred-rates"  # a header of our Console's answers
others: Final = "…"  # the route of what is counted when there are too many

Key = tuple[str, str, str]  # route, method, first digit of the status


class Rates:
    """``about`` is what stands beside the counts: release, environment, server_name."""

    def __init__(self, dsn: Dsn | None, about: dict[str, str]) -> None:
        self._dsn = dsn
        self._about = about
        self.counts: dict[Key, int] = {}
        self._since = time.time()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._closed = dsn is None
        if dsn is not None:
            _all.add(self)

    def count(self, route: str, method: str, digit: str) -> None:
        """Two threads at the same nanosecond may lose one: a lock would cost more than the count is worth."""
        counts = self.counts
        try:
            counts[route, method, digit] += 1
        except KeyError:
            self._new(route, method, digit)

    def answered(self, route: str, method: str, status: int) -> None:
        """The same, for integrations that know the status as a number."""
        self.count(route, method, _digits.get(status) or str(status)[:1])

    def close(self) -> None:
        """Sends what is left."""
        self.stop()
        self.wait(limits.rates_exit_s)
        _all.discard(self)

    def stop(self) -> None:
        self._closed = True
        self._wake.set()

    def wait(self, timeout_s: float) -> None:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, timeout_s))

    def after_fork(self) -> None:
        """In the child: the parent sends what it counted."""
        self.counts, self._since, self._thread, self._wake = {}, time.time(), None, threading.Event()

    def taken(self) -> bytes | None:
        """What was counted since the last time, as it is sent; None when that is nothing."""
        counts, self.counts = self.counts, {}
        since, self._since = self._since, time.time()
        if not counts:
            return None
        rows: list[Json] = [[*key, count] for key, count in counts.items()]
        told: dict[str, Json] = {**self._about, "since": since, "until": self._since, "counts": rows}
        return json.dumps(told, separators=(",", ":")).encode()

    def _new(self, route: str, method: str, digit: str) -> None:
        if self._closed:
            return
        counts = self.counts
        if len(counts) >= limits.rates_keys_max:
            route, method = others, ""
        route, method = route[: limits.rates_route_chars_max], method[:16]
        counts[route, method, digit] = counts.get((route, method, digit), 0) + 1
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        thread = self._thread = threading.Thread(target=self._run, name="fivehundred-rates", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # at the limit of threads, or at the interpreter's end
            self._thread = None

    def _run(self) -> None:
        if self._dsn is None:
            return
        collector = _Collector(self._dsn)
        while not self._closed:
            self._wake.wait(limits.rates_every_s * (0.75 + os.urandom(1)[0] / 512))  # a fleet must not come together
            payload = self.taken()
            if payload is not None:
                collector.send(encode({}, [Item(item_type, payload, {"content_type": "application/json"})]))
                if collector.answered and not collector.is_ours:
                    self._closed = True
                    self.counts = {}
        collector.close()


_digits: Final = {200: "2", 201: "2", 204: "2", 304: "3", 404: "4", 500: "5"}


class _Collector(Collector):
    answered = False
    is_ours = False

    def _judged(self, response: HTTPResponse, detail: bytes) -> Outcome:
        outcome = super()._judged(response, detail)
        if outcome.kind != "later":
            self.answered, self.is_ours = True, response.headers.get(known_by) is not None
        return outcome


_all: weakref.WeakSet[Rates] = weakref.WeakSet()


def _after_fork() -> None:
    for rates in list(_all):
        rates.after_fork()


@atexit.register
def _at_exit() -> None:
    """A process that ends as it should sends its last minute; all of them together wait no longer than one would."""
    until = time.monotonic() + limits.rates_exit_s
    for rates in list(_all):
        rates.stop()
    for rates in list(_all):
        rates.wait(until - time.monotonic())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
