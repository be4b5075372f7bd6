"""One digest worker of many: takes its share of the partitions, digests them in turn, gives them back at the end.

Who digests what stands in the database (``store.nodes``). A worker that dies is replaced when its leases end; what it
had in hand is read again by the next, and the mark keeps it from being written twice.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fivehundred.console.digest import Deleting, Digest, Waking
from fivehundred.console.digest_marker import Marker
from fivehundred.console.spool.cluster import ClusterError, Link
from fivehundred.console.spool.jetstream import JetStreamReader
from fivehundred.console.store.base import Retention, Store
from fivehundred.console.store.nodes import Marks, Nodes, lease_s

log = logging.getLogger("fivehundred.console.digest")

_RENEW_S: Final = lease_s / 4
_IDLE_S: Final = 0.05
_RETRY_S: Final = 1.0
_housekeeping: Final = "housekeeping"  # a lease like the others: deleting and waking are one worker's work


class Worker:
    """Runs in the main thread of its process until ``stop`` is set."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        link: Link,
        name: str,
        data: Path,
        rules: Retention,
        stop: threading.Event,
    ) -> None:
        self._open_store = open_store
        self._link = link
        self._name = name
        self._rules = rules
        self._stop = stop
        self._marker = Marker(data / "digest.marker")
        self._started_at = time.time()
        self._partitions = {f"{link.cluster.stream}-{p}": p for p in range(link.cluster.partitions)}
        self._digests: dict[str, tuple[Digest, JetStreamReader]] = {}
        self._keeps_house = False
        self._renew_at = 0.0
        self._quiet_until: dict[str, float] = {}
        self.problem = "it has just started"  # empty while all is well; for readiness
        self.batches = 0

    def run(self) -> None:
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        while not self._stop.is_set():
            try:
                store = self._open_store()
            except Exception as e:  # the edge: a database that is away is waited for
                self._ill("the store cannot be opened", e)
                continue
            try:
                self._digest_until_ill(store)
            finally:
                self._end(store)
        self._marker.close()

    def _digest_until_ill(self, store: Store) -> None:
        """Returns when asked to stop, or after a failure that a fresh connection may mend."""
        nodes, deleting, waking = Nodes(store.database), Deleting(store, self._rules), Waking(store)
        self._renew_at = 0.0
        while not self._stop.is_set():
            try:
                self._share(nodes, store)
                busy = self._step()
                if self._keeps_house:
                    waking.step(busy)
                    busy |= deleting.step(busy)
                self.problem = self._link.problem
            except ClusterError as e:
                self._ill("the spool cannot be read", e)
                continue
            except Exception as e:  # the edge: the store is opened anew, and every partition is read from its mark
                self._ill("the digest failed", e)
                return
            if not busy:
                self._stop.wait(_IDLE_S)

    def _step(self) -> bool:
        """One batch of each partition that has any."""
        busy = False
        for name, (digest, reader) in list(self._digests.items()):
            now = time.monotonic()
            if not reader.rang() and now < self._quiet_until.get(name, 0.0):
                continue
            self._digests[name] = self._digests.pop(name)  # last in turn: none starves while others are busy
            if digest.step():
                busy = True
                self.batches += 1
                self._quiet_until[name] = 0.0
            else:
                self._quiet_until[name] = now + 1.0
            if time.monotonic() > self._renew_at:
                break
        return busy

    def _share(self, nodes: Nodes, store: Store) -> None:
        """Says that this worker lives, keeps its leases, takes free ones up to its share, gives back what is beyond."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at, now = time.monotonic() + _RENEW_S, time.time()
        figures = {"partitions": sorted(self._digests), "batches": self.batches, "problem": self.problem}
        nodes.tell(self._name, "digest", self._started_at, figures, now=now)
        workers = nodes.alive("digest", now=now)
        share = -(-len(self._partitions) // max(1, len(workers)))
        for name in list(self._digests):
            if len(self._digests) > share or not nodes.claim(name, self._name, now=now):
                self._let_go(name)
                nodes.give_back(name, self._name)
        held = nodes.held(list(self._partitions), now=now)
        for name in (n for n in self._partitions if n not in held or held[n] == self._name):
            if name not in self._digests and len(self._digests) < share and nodes.claim(name, self._name, now=now):
                self._take(name, store)
        self._keeps_house = nodes.claim(f"{self._link.cluster.stream}-{_housekeeping}", self._name, now=now)

    def _take(self, name: str, store: Store) -> None:
        reader = JetStreamReader(self._link, self._partitions[name])
        digest = Digest(store, reader, mark=Marks(store.database, name), marker=self._marker)
        self._digests[name] = digest, reader
        log.info("partition %s is digested here", name)

    def _let_go(self, name: str) -> None:
        self._digests.pop(name)[1].close()
        log.info("partition %s is given to another worker", name)

    def _end(self, store: Store) -> None:
        for name in list(self._digests):
            self._digests.pop(name)[1].close()
        try:
            if self._stop.is_set():
                Nodes(store.database).leave(self._name)
            store.close()
        except Exception:  # the edge: it is gone already
            log.info("the store could not be closed in order")

    def _ill(self, what: str, e: Exception) -> None:
        self.problem = f"{what}: {type(e).__name__}: {e}"
        log.error("%s; tried again in %s s", self.problem, _RETRY_S)
        self._stop.wait(_RETRY_S)
