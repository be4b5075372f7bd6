"""The digest: from records in the spool to faults in the store. Runs in a process of its own, started by the app.

Each batch is one transaction together with the offset behind it, and only then is the spool told: a crash anywhere
repeats a batch and never doubles it. A batch that cannot be written is halved until the bad record is alone; that one
is set aside as malformed, and the rest goes on. What is in a record, and what becomes of it, stands beside in
``digest_items`` and ``digest_event``.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from fivehundred import limits
from fivehundred.console.config import Layout
from fivehundred.console.digest_event import Digester
from fivehundred.console.digest_follow import follow
from fivehundred.console.digest_items import doors, malformed, sort
from fivehundred.console.spool.base import Received, SpoolReader
from fivehundred.console.spool.segments import SegmentReader
from fivehundred.console.store.base import Batch, FaultNews, Retention, Store, Tally, damaged_reason
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.store.triage import Triage

__all__ = ["Digest", "doors", "run"]

log = logging.getLogger("fivehundred.console.digest")

_idle_s = 0.2  # how long one wait for records lasts; it ends at once when one arrives
_delete_again_s = 60.0
_wake_again_s = 1.0
_retry_s = 1.0  # after the store refused even a single record: a full disk, another process's long lock

Records = Sequence[tuple[str, Received]]


def run(data_dir: Path, stop: threading.Event, rules: Retention = Retention()) -> None:  # noqa: B008 - a frozen value
    """Digest until ``stop`` is set, and delete by the rules. One process a data folder: the caller holds its lock."""
    layout = Layout(data_dir)
    store = SqliteStore(layout.database)
    reader = SegmentReader(layout.spool)
    # The modules live as long as the process; what a batch makes dies young and holds hardly any cycles.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        digest, deleting, waking = Digest(store, reader), _Deleting(store, rules), _Waking(store)
        while not stop.is_set():
            busy = digest.step()
            waking.step()
            more = deleting.step(busy)
            if not busy and not more:
                reader.wait(digest.offset, _idle_s)
    finally:
        reader.close()
        store.close()


class _Deleting:
    """Retention between batches."""

    def __init__(self, store: Store, rules: Retention) -> None:
        self._store = store
        self._rules = rules
        self._next_at = 0.0

    def step(self, busy: bool) -> bool:
        now = time.time()
        try:
            return now >= self._next_at and self._store.retain(self._rules, now=now, busy=busy)
        except Exception:  # the edge: what cannot be deleted must not keep what arrives from being digested
            log.exception("nothing could be deleted; it is tried again in %s s", _delete_again_s)
            self._next_at = now + _delete_again_s
            return False


class _Waking:
    """Muted faults whose time is over, looked for now and then."""

    def __init__(self, store: Store) -> None:
        self._desk = Triage(store.database)
        self._next_at = 0.0

    def step(self) -> None:
        now = time.time()
        if now < self._next_at:
            return
        self._next_at = now + _wake_again_s
        try:
            self._desk.wake(now=now)
        except Exception:  # the edge: what cannot be woken now is woken later
            log.exception("muted faults could not be opened again; it is tried in %s s", _wake_again_s)


class Digest:
    """One store, one reader of the spool, and what grouping has learned."""

    def __init__(self, store: Store, reader: SpoolReader) -> None:
        self._store = store
        self._reader = reader
        self._digester = Digester(store)
        self.offset = store.offset()
        self._damage_told = 0

    def step(self) -> bool:
        """One batch; False when there was nothing to do."""
        records = self._reader.read(
            self.offset, records_max=limits.digest_records_max, bytes_max=limits.digest_bytes_max
        )
        if not records:
            return False
        self._write(records)
        self._reader.commit(self.offset)
        return True

    def _write(self, records: Records) -> None:
        """All of the records, in as few transactions as the store will take them."""
        try:
            now = time.time()
            self._store.write(self._batch(records), now=now, within=lambda news: self._follow(news, now))
            self._digester.sieve.forget()
            self.offset = records[-1][0]
            self._damage_told = self._reader.damaged
        except Exception:  # the edge: whatever one record can provoke must not stop the others
            self._digester.forget()
            if len(records) > 1:
                log.exception("a batch of %s records failed and is halved", len(records))
                middle = len(records) // 2
                self._write(records[:middle])
                self._write(records[middle:])
            else:
                self._set_aside(records[0])

    def _follow(self, news: Sequence[FaultNews], now: float) -> None:
        follow(self._store.database, news, now=now)
        self._digester.sieve.save(now=now)

    def _batch(self, records: Records) -> Batch:
        batch = Batch(offset=records[-1][0])
        for offset, record in records:
            for found in sort(record, offset, batch):
                self._digester.digest(found, batch)
        self._digester.learned(batch)
        damaged = self._reader.damaged - self._damage_told
        if damaged > 0:  # whose records they were is not known any more
            batch.tallies.append(Tally("", "dropped", "record", damaged_reason, "", damaged))
        return batch

    def _set_aside(self, pair: tuple[str, Received]) -> None:
        """The one record that fails alone: kept as received. When that fails too, it is the store that is ill."""
        offset, record = pair
        log.exception("a record failed alone and is set aside as malformed")
        reason = "the Console failed on it; its log says how, and that is a defect worth reporting"
        while True:
            try:
                self._store.write(Batch(offset, malformed=[malformed(record, offset, 0, reason)]), now=time.time())
            except Exception:  # the edge: a full disk or a lock passes; losing the record would not
                log.exception("the store takes nothing; tried again in %s s", _retry_s)
                time.sleep(_retry_s)
            else:
                self.offset = offset
                return
