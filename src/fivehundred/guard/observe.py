"""What surrounded a failure: resources, pools, probes, changes. Collected by a thread of its own, beside the answer.

The request thread leaves a note (``saw``) and goes on. The shipping thread asks for what was found (``complete``)
before it sends an event, and waits for it no longer than ``complete_wait_ms``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict, deque
from pathlib import Path
from typing import Any, Final

from fivehundred import limits
from fivehundred.event import Event, Json, context_name
from fivehundred.guard.bell import Bell
from fivehundred.guard.capture import About
from fivehundred.guard.pools import Pools
from fivehundred.guard.ship import event_id_of
from fivehundred.guard.snapshot import at_once, snapshot
from fivehundred.record import field, record


@record(slots=True)
class Note:
    """One failure to look around for."""

    event_id: str
    peers: list[tuple[str, str]]  # (peer, driver)
    loop: Any  # the running event loop, whose lag is measured; None outside of one
    done: bool = False
    found: dict[str, Json] = field(default_factory=dict)


class Observer:
    def __init__(self, about: About) -> None:
        self.about = about
        self.folder: Path | None = None
        self.pools = Pools()
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        self._work: deque[Note] = deque()
        self._bell = Bell()
        self._closed = False
        self._notes: OrderedDict[str, Note] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._resources: dict[str, Json] = {}
        self._resources_at = 0.0
        self._probed: dict[str, tuple[float, dict[str, Json]]] = {}
        self._changed: list[Json] | None = None

    # ---- on the request thread ----

    def watch(self, pool: object, name: str) -> None:
        self.pools.watch(pool, name)

    def at_once(self) -> dict[str, Json]:
        return {"resources": at_once()}

    def saw(self, event: Event, *, slim: bool) -> None:
        """Slim events come in crowds; the full ones of the same fault have said what there was to say."""
        if slim:
            return
        note = Note(event.event_id, _peers(event), _running_loop())
        with self._lock:
            self._notes[event.event_id] = note
            while len(self._notes) > _notes_max:
                self._notes.popitem(last=False)
        self._work.append(note)
        self._bell.ring()

    # ---- on the shipping thread ----

    def complete(self, data: bytes) -> bytes:
        """The event with what was found around it; as it came when it is another process's, slim, or overdue."""
        with self._lock:
            note = self._notes.get(event_id_of(data))
        if note is None:
            return data
        self._start()
        until = time.monotonic() + limits.complete_wait_ms / 1000
        while not note.done:
            if time.monotonic() > until:
                return data
            time.sleep(_look_every_s)
        wire = json.loads(data)
        ours = wire["contexts"][context_name]
        then, since = ours.get("resources"), note.found.get("resources")
        ours.update(note.found)
        if isinstance(then, dict) and isinstance(since, dict):
            ours["resources"] = {**since, **then}  # what was read while it failed says more than what was read after
        return json.dumps(wire, separators=(",", ":"), ensure_ascii=True).encode("ascii")

    def _start(self) -> None:
        """Here, as to start a thread takes a millisecond that no request has to wait for."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name="fivehundred-observe", daemon=True)
            with contextlib.suppress(RuntimeError):  # the limit of threads, or the interpreter's end
                thread.start()
                self._thread = thread

    def close(self) -> None:
        self._closed = True
        self._bell.ring()

    # ---- on its own thread ----

    def _run(self) -> None:
        while not self._closed:
            while self._work:
                note = self._work.popleft()
                try:
                    self._look_around(note)
                except Exception as e:  # the edge of this thread: what it could not find out is left out, and said
                    note.found["observe_error"] = type(e).__name__
                note.done = True
            self._bell.wait(_asleep_s)

    def _look_around(self, note: Note) -> None:
        note.found["resources"] = self._fresh_resources(note.loop)
        pools = self.pools.states()
        if pools:
            note.found["pools"] = pools
        probes: list[Json] = [self._probe(peer, driver) for peer, driver in note.peers]
        if probes:
            note.found["probes"] = probes
        if self.pools.worked:
            note.found["worked"] = dict(self.pools.worked)
        if self._changed is None:
            self._changed = self._changes()
        if self._changed:
            note.found["changed"] = self._changed

    def _fresh_resources(self, loop: Any) -> dict[str, Json]:
        now = time.monotonic()
        if now - self._resources_at >= limits.snapshot_every_s:
            lag = _Lag(loop) if loop is not None else None
            self._resources = snapshot(os.getcwd())
            if lag is not None:
                self._resources["loop_lag_ms"] = lag.ms()
            self._resources_at = now
        return self._resources

    def _probe(self, peer: str, driver: str) -> dict[str, Json]:
        from fivehundred.guard.probe import kind_of, probe

        known = self._probed.get(peer)
        if known is not None and time.monotonic() - known[0] < limits.probe_every_s:
            return known[1]
        result = probe(peer, kind_of(peer, driver))
        if len(self._probed) >= limits.probe_peers_max:
            self._probed.clear()
        self._probed[peer] = (time.monotonic(), result)
        return result

    def _changes(self) -> list[Json]:
        if self.folder is None:
            return []
        from fivehundred.guard.changes import changes  # brings hashlib and OpenSSL: not on the import of the Guard

        try:
            return changes(self.folder, self.about.release)
        except OSError:
            return []


_notes_max: Final = 1_000
_asleep_s: Final = 3_600.0
_look_every_s: Final = 0.005
_peers_max: Final = 3


def _peers(event: Event) -> list[tuple[str, str]]:
    """The peers that the exceptions name: this process has just tried to speak to them."""
    found: dict[str, str] = {}
    for exception in event.exceptions:
        data = exception.mechanism.data if exception.mechanism else {}
        peer, driver = data.get("peer"), data.get("driver")
        if isinstance(peer, str) and len(found) < _peers_max:
            found[peer] = found.get(peer) or (driver if isinstance(driver, str) else "")
    drivers = [
        str(x.mechanism.data["driver"]) for x in event.exceptions if x.mechanism and "driver" in x.mechanism.data
    ]
    return [(peer, driver or (drivers[0] if drivers else "")) for peer, driver in found.items()]


# ---- the event loop's lag ------------------------------------------------------------------------


def _running_loop() -> Any:
    """The loop that this thread runs, when asyncio is in use at all."""
    asyncio = sys.modules.get("asyncio")
    return asyncio._get_running_loop() if asyncio is not None else None


class _Lag:
    """How long a loop takes to come to a callback: asked from outside, so that a loop nobody watches costs nothing."""

    def __init__(self, loop: Any) -> None:
        self._asked_at = time.perf_counter()
        self._took: float | None = None
        try:
            loop.call_soon_threadsafe(self._arrived)
        except RuntimeError:  # the loop is closed
            self._took = 0.0

    def _arrived(self) -> None:
        self._took = time.perf_counter() - self._asked_at

    def ms(self) -> float:
        """Looks instead of waiting, so that the loop has nobody to wake."""
        while self._took is None and (waited := time.perf_counter() - self._asked_at) < _lag_wait_s:
            time.sleep(_lag_look_s)
        return round((self._took if self._took is not None else waited) * 1000, 1)


_lag_wait_s: Final = 0.15
_lag_look_s: Final = 0.005

# ---- after a fork --------------------------------------------------------------------------------

_all: weakref.WeakSet[Observer] = weakref.WeakSet()


def _after_fork() -> None:
    for observer in list(_all):
        observer._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
