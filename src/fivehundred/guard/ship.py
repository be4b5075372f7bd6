"""The shipping thread: takes what lies in the Guard's spool to the collector, oldest first, and never gives up.

One daemon thread per process, started by the first event (or by what a dead process left behind) and again after a
fork. The request thread only appends. What the collector asks for (Retry-After, rate limits) is obeyed; what it refuses
for good is dropped and reported to it as a ``client_report``.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from fivehundred import limits
from fivehundred.envelope import Dsn, Item, encode
from fivehundred.event import Json, context_name
from fivehundred.guard.bell import Bell
from fivehundred.guard.collector import Collector, Outcome
from fivehundred.guard.spool import FileSpool, MemorySpool, Spool, Waiting, open_spool, orphans

_log = logging.getLogger("fivehundred.guard")


class Shipper:
    """``put`` an event's bytes; they arrive. ``complete`` may add to an event what was collected after its capture."""

    def __init__(
        self,
        dsn: Dsn,
        folder: Path | None,
        complete: Callable[[bytes], bytes] = lambda data: data,
        deaths: Callable[[], Iterable[bytes]] = lambda: (),
    ) -> None:
        self.dsn = dsn
        self.folder = folder
        self.complete = complete
        self.deaths = deaths  # events of processes that died without one: asked for whenever orphans are looked for
        self.dropped: dict[str, int] = {}  # reason -> events, not yet reported to the collector
        self._reset()
        _all.add(self)
        if folder is not None and orphans(folder):
            self._start()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._bell = Bell()
        self._hurry = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._closed = self._said = False
        self._spool: Spool | None = None
        self._adopted: list[FileSpool] = []
        self._thread: threading.Thread | None = None
        self._collector = Collector(self.dsn)

    # ---- on the request thread ----

    def put(self, data: bytes) -> bool:
        """Stores one event; False when there is no room, which is counted."""
        with self._lock:
            if self._spool is None:
                self._spool = open_spool(self.folder)
            spool = self._spool
        if self._idle.is_set():  # asking takes no lock
            self._idle.clear()
        stored = spool.append(data) or self._append_to_memory(spool, data)
        if not stored:
            self.drop("cache_overflow")
        self._start()
        self._bell.ring()
        return stored

    def _append_to_memory(self, spool: Spool, data: bytes) -> bool:
        """A disk that is full although our bound is not reached: events go on in memory."""
        if not isinstance(spool, FileSpool) or spool.bytes_waiting + len(data) + 64 > spool.bytes_max:
            return False
        with self._lock:
            if self._spool is spool:
                self._adopted.append(spool)
                self._spool = MemorySpool()
            return self._spool is not None and self._spool.append(data)

    def drop(self, reason: str, quantity: int = 1) -> None:
        with self._lock:
            self.dropped[reason] = self.dropped.get(reason, 0) + quantity

    @property
    def fullness(self) -> float:
        spool = self._spool
        return spool.bytes_waiting / spool.bytes_max if spool is not None else 0.0

    def flush(self, timeout_s: float) -> bool:
        """Whether everything was delivered in time. A wait for a collector that is down is cut short once."""
        if self._thread is None:
            return self._idle.is_set()
        self._hurry.set()
        until = time.monotonic() + timeout_s
        while self._idle.wait(max(0.0, until - time.monotonic())):
            if not any(spool.bytes_waiting for spool in (self._spool, *self._adopted) if spool is not None):
                return True
            time.sleep(_look_again_s)  # put a moment ago, and not yet seen by the thread
        return False

    def close(self) -> None:
        self._closed = True
        self._bell.ring()
        self._hurry.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(limits.ship_exit_s)
        _all.discard(self)

    def start(self) -> None:
        """There is something to look for, though nothing was put yet."""
        self._start()

    def _start(self) -> None:
        thread = self._thread
        if thread is not None and thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="fivehundred-ship", daemon=True)
                # no thread at the interpreter's end or at the limit of threads: the next process delivers
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def after_fork(self) -> None:
        """In the child: the parent keeps its spool, its connection and what it has not delivered."""
        had_thread = self._thread is not None
        for spool in (self._spool, *self._adopted):
            if isinstance(spool, FileSpool):
                spool.forget()
        self._collector.close()  # this copy of the descriptor: nothing goes over the wire
        self.dropped = {}
        self._reset()
        if had_thread and self.folder is not None and orphans(self.folder):
            self._start()

    # ---- on the shipping thread ----

    def _run(self) -> None:
        look_for_orphans_at = 0.0
        while not self._closed:
            if time.monotonic() >= look_for_orphans_at:
                self._adopt()
                look_for_orphans_at = time.monotonic() + limits.adopt_every_s
            started = time.monotonic()
            if self._deliver_next():
                self._give_way(time.monotonic() - started)
            else:
                self._idle.set()
                self._bell.wait(max(0.0, look_for_orphans_at - time.monotonic()))
                self._idle.clear()
        self._end()

    def _give_way(self, worked_s: float) -> None:
        """While failures come in, this thread takes a small part of the time: the interpreter runs one at a time."""
        if self._bell.rung and self.fullness < limits.guard_spool_slim_at:
            self._bell.rung = False
            time.sleep(min(worked_s * _others_share, _give_way_s_max))

    def _deliver_next(self) -> bool:
        """One event of the oldest spool; False when nothing waits."""
        for spool in [*self._adopted, self._spool]:
            waiting = spool.next() if spool is not None else None
            if spool is not None and waiting is not None:
                self._deliver(spool, waiting)
                return True
            if spool in self._adopted:
                self._adopted.remove(spool)
                spool.close()
        return False

    def _deliver(self, spool: Spool, waiting: Waiting) -> None:
        data = self.complete(waiting.data)
        dropped = self._take_dropped()
        outcome = self._collector.send(_envelope(data, dropped))
        if outcome.kind == "delivered":
            spool.done(waiting.end)
        elif outcome.kind == "refused" and outcome.too_large and (smaller := smaller_of(data)) is not None:
            outcome = self._collector.send(_envelope(smaller, dropped))  # once; what is refused again is counted
            if outcome.kind != "later":
                spool.done(waiting.end)
            if outcome.kind == "refused":
                self._refused(outcome)
        elif outcome.kind == "refused":
            spool.done(waiting.end)
            self._refused(outcome)
        if outcome.kind != "delivered":
            self._put_back(dropped)
        if outcome.kind == "later" and not self._said:  # once per outage: what waits is not lost
            _log.warning(
                "The collector at %s takes no events (%s); they wait and are sent later. If it never did, compare the"
                " DSN: fivehundred doctor",
                self.dsn.netloc,
                outcome.reason,
            )
        self._said = outcome.kind == "later"
        self._pause(outcome)

    def _refused(self, outcome: Outcome) -> None:
        self.drop("send_error")
        _log.warning("The collector refused an event for good: %s. It is dropped and counted.", outcome.reason)

    def _take_dropped(self) -> dict[str, int]:
        with self._lock:
            taken, self.dropped = self.dropped, {}
        return taken

    def _put_back(self, dropped: dict[str, int]) -> None:
        for reason, quantity in dropped.items():
            self.drop(reason, quantity)

    def _pause(self, outcome: Outcome) -> None:
        if outcome.wait_s <= 0 or self._closed:
            return
        if outcome.asked:  # the collector's own wish is not cut short by anybody
            deadline = time.monotonic() + outcome.wait_s
            while not self._closed and (left := deadline - time.monotonic()) > 0:
                time.sleep(min(left, 0.2))
        else:
            self._hurry.wait(outcome.wait_s)
            self._hurry.clear()

    def _adopt(self) -> None:
        if self.folder is None:
            return
        for data in self.deaths():
            self.put(data)
        own = {s.path for s in (self._spool, *self._adopted) if isinstance(s, FileSpool)}
        for path in orphans(self.folder):
            if path in own:
                continue
            spool = FileSpool.adopt(path)
            if spool is not None:
                self._take_in(spool)

    def _take_in(self, spool: FileSpool) -> None:
        if spool.age_s > limits.spool_age_max_s:
            self.drop("cache_overflow", spool.count())
            spool.done(spool.end)
        if spool.next() is None:
            spool.close()
        else:
            self._adopted.append(spool)
            self._idle.clear()

    def _end(self) -> None:
        for spool in (*self._adopted, self._spool):
            if spool is not None:
                spool.close()
        self._collector.close()


_look_again_s: Final = 0.005
_others_share: Final = 9  # times what one delivery took
_give_way_s_max: Final = 0.1


def _envelope(data: bytes, dropped: dict[str, int]) -> bytes:
    """One event, and with it what had to be dropped since the last that arrived."""
    items = [Item("event", data, {"content_type": "application/json"})]
    if dropped:
        discarded: list[Json] = [
            {"reason": reason, "category": "error", "quantity": quantity} for reason, quantity in dropped.items()
        ]
        report: dict[str, Json] = {"timestamp": time.time(), "discarded_events": discarded}
        items.append(Item("client_report", json.dumps(report).encode()))
    sent_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return encode({"event_id": event_id_of(data), "sent_at": sent_at}, items)


def smaller_of(data: bytes) -> bytes | None:
    """The event without locals, source around and crumbs, for a collector that takes less than we allow ourselves."""
    try:
        wire = json.loads(data)
        for exception in wire["exception"]["values"]:
            for frame in exception.get("stacktrace", {}).get("frames", ()):
                for name in ("vars", "pre_context", "post_context"):
                    frame.pop(name, None)
        wire.pop("breadcrumbs", None)
        wire.get("request", {}).pop("data", None)
        wire["contexts"][context_name].setdefault("cut", {})["refused_as_too_large"] = 1
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    smaller = json.dumps(wire, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return smaller if len(smaller) < len(data) else None


def event_id_of(data: bytes) -> str:
    """The id of an encoded event, which stands first in it."""
    return data[_id_at : _id_at + 32].decode("ascii", "replace")


_id_at: Final = len('{"event_id":"')

# ---- the process's life --------------------------------------------------------------------------

_all: weakref.WeakSet[Shipper] = weakref.WeakSet()


def _after_fork() -> None:
    for shipper in list(_all):
        shipper.after_fork()


@atexit.register
def _at_exit() -> None:
    """A process that ends normally gives the collector a moment; what is not delivered then stays in the spool."""
    deadline = time.monotonic() + limits.ship_exit_s
    for shipper in list(_all):
        shipper.flush(max(0.0, deadline - time.monotonic()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
