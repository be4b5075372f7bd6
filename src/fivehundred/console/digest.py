"""The digest: from records in the spool to faults in the store. Runs in a process of its own, started by the app.

Each batch is one transaction together with the offset behind it, and only then is the spool told: a crash anywhere
repeats a batch and never doubles it. A batch that cannot be written is halved until the bad record is alone; that one
is set aside as malformed, and the rest goes on. So is a record that ends the process several times, and what takes too
much of the processor. What is in a record, and what becomes of it, stands beside in
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
from fivehundred.console.digest_deadline import Deadline, TooSlow
from fivehundred.console.digest_erasing import Erasing, Ordered
from fivehundred.console.digest_event import Digester
from fivehundred.console.digest_follow import follow
from fivehundred.console.digest_incidents import settle
from fivehundred.console.digest_items import Found, doors, malformed, sort
from fivehundred.console.digest_marker import Marker
from fivehundred.console.spool.base import Received, SpoolReader
from fivehundred.console.spool.segments import SegmentReader
from fivehundred.console.store.base import Batch, FaultNews, Retention, Store, Tally, damaged_reason
from fivehundred.console.store.nodes import Marks, Moved
from fivehundred.console.store.rates import Rates
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.store.triage import Triage

__all__ = ["Digest", "doors", "run"]

log = logging.getLogger("fivehundred.console.digest")

_idle_s = 0.2  # how long one wait for records lasts; it ends at once when one arrives
_delete_again_s = 60.0
_wake_again_s = 1.0
_forget_again_s = 3_600.0
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
        marker = Marker(layout.digest_marker)
        digest, deleting, waking = Digest(store, reader, marker=marker), Deleting(store, rules), Waking(store)
        while not stop.is_set():
            busy = digest.step()
            waking.step(busy)
            more = deleting.step(busy)
            if not busy and not more:
                reader.wait(digest.offset, _idle_s)
        marker.close()
    finally:
        reader.close()
        store.close()


class Deleting:
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


class Waking:
    """Muted faults and incidents whose time is over, looked for now and then."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._next_at = 0.0
        self._forget_at = 0.0

    def step(self, busy: bool) -> None:
        now = time.time()
        if now < self._next_at:
            return
        self._next_at = now + _wake_again_s
        try:
            Triage(self._database).wake(now=now)
            if not busy:
                settle(self._database, now=now)
                self._forget_rates(now)
        except Exception:  # the edge: what time brings about is brought about later
            log.exception("muted faults or incidents could not be changed; it is tried in %s s", _wake_again_s)

    def _forget_rates(self, now: float) -> None:
        if now >= self._forget_at:
            self._forget_at = now + _forget_again_s
            with self._database.transaction():
                Rates(self._database).forget(now=now)


class Digest:
    """One store, one reader of the spool, and what grouping has learned.

    ``mark`` holds the offset where several workers share a store; without it the store itself does.
    """

    def __init__(
        self, store: Store, reader: SpoolReader, *, mark: Marks | None = None, marker: Marker | None = None
    ) -> None:
        self._store = store
        self._reader = reader
        self._mark = mark
        self._marker = marker
        self._deadline = Deadline()
        self._digester = Digester(store)
        self._erasing = Erasing(store.database, alone=mark is None)
        self.offset = mark.place() if mark is not None else store.offset()
        self._damage_told = 0
        self._pressed = False

    def step(self) -> bool:
        """One batch; False when there was nothing to do."""
        records = self._reader.read(
            self.offset, records_max=limits.digest_records_max, bytes_max=limits.digest_bytes_max
        )
        if not records:
            self._erasing.idle(time.time())
            return False
        self._pressed = _is_behind(records, time.time())
        if self._marker is not None:
            records = self._careful(records, self._marker)
        if records and self._write(records):
            self._reader.commit(self.offset)
        return True

    def _careful(self, records: Records, marker: Marker) -> Records:
        """Up to what was in hand when the last process died; that one goes alone, and the third time not at all."""
        suspect = marker.suspect
        at = next((n for n, (offset, _) in enumerate(records) if suspect and offset == suspect.first), None)
        if at is None:
            return records
        if at > 0:
            return records[:at]
        offset, record = records[0]
        if marker.is_poison(offset):
            log.error("a record of project %s took %s processes with it and is set aside", record.project, _deaths)
            if self._set_aside(records[0], f"reading it ended the digest process {_deaths} times"):
                marker.acquit(offset)
                self._reader.commit(self.offset)
            return ()
        return records[: marker.records_max(offset, len(records))]

    def _write(self, records: Records) -> bool:
        """All of the records, in as few transactions as the store will take them. False: the store is ill."""
        try:
            self._store_batch(self._batch(records), records[-1][0], follows=True)
        except Moved as e:
            log.warning("%s; read again from there", e)
            self._begin_again()
            return False
        except Ordered:
            self._begin_again()
            return False
        except Exception:  # the edge: whatever one record can provoke must not stop the others
            self._digester.forget()
            if not self._store_answers():
                return False
            if len(records) > 1:
                log.exception("a batch of %s records failed and is halved", len(records))
                middle = len(records) // 2
                return self._write(records[:middle]) and self._write(records[middle:])
            log.exception("a record failed alone and is set aside as malformed")
            return self._set_aside(records[0], "the Console failed on it; its log says how")
        self._damage_told = self._reader.damaged
        return True

    def _store_batch(self, batch: Batch, offset: str, *, follows: bool) -> None:
        now = time.time()
        if self._mark is None:
            batch.offset = offset

        def within(news: Sequence[FaultNews]) -> None:
            if follows:
                follow(self._store.database, news, now=now)
                Rates(self._store.database).add(batch.rates)
                self._digester.sieve.save(now=now)
            self._erasing.check()
            if self._mark is not None:
                self._mark.move(self.offset, offset)

        self._store.write(batch, now=now, within=within)
        self._digester.sieve.forget()
        self.offset = offset
        if self._marker is not None:
            self._marker.leave()
            self._marker.acquit(offset)

    def _batch(self, records: Records) -> Batch:
        batch = Batch(pressed=self._pressed)
        self._erasing.begin(records[0][1].received_at, time.time())
        for offset, record in records:
            if self._marker is not None:
                self._marker.enter(offset)
            self._read(record, offset, batch)
        self._digester.learned(batch)
        self._erasing.clean(batch)
        damaged = self._reader.damaged - self._damage_told
        if damaged > 0:  # whose records they were is not known any more
            batch.tallies.append(Tally("", "dropped", "record", damaged_reason, "", damaged))
        if self._marker is not None:
            self._marker.enter(records[0][0], len(records))
        return batch

    def _read(self, record: Received, offset: str, batch: Batch) -> None:
        events = 0
        try:
            with self._deadline.record():
                for found in sort(record, offset, batch):
                    self._read_event(found, batch)
                    events += 1
        except TooSlow:
            spent = f"reading it took over {limits.digest_record_cpu_s_max:g} s of processor time"
            log.warning("a record of project %s was given up after %s events: %s", record.project, events, spent)
            batch.malformed.append(malformed(record, offset, _rest, f"{spent}; its first {events} events were kept"))

    def _read_event(self, found: Found, batch: Batch) -> None:
        try:
            with self._deadline.event():
                self._erasing.digest(found, batch, self._digester.digest)
        except TooSlow:
            if self._deadline.is_over():
                raise
            spent = f"reading it took over {limits.digest_event_cpu_s_max:g} s of processor time"
            log.warning("an event of project %s was given up: %s", found.record.project, spent)
            made = malformed(found.record, found.offset, found.number, spent, found.payload, found.event_id)
            batch.malformed.append(made)

    def _set_aside(self, pair: tuple[str, Received], reason: str) -> bool:
        """The one record that fails alone: kept as received. When that fails too, it is the store that is ill."""
        offset, record = pair
        try:
            aside = Batch(malformed=[malformed(record, offset, 0, f"{reason}: a defect worth reporting")])
            self._erasing.clean(aside)
            self._store_batch(aside, offset, follows=False)
        except (Moved, Ordered):
            self._begin_again()
        except Exception:  # the edge: a full disk or a lock passes; losing the record would not
            log.exception("the store takes nothing; tried again in %s s", _retry_s)
            time.sleep(_retry_s)
        else:
            return True
        return False

    def _store_answers(self) -> bool:
        """False, after a while, when it is the store that failed and not a record: a database that restarts."""
        try:
            self._store.version()
        except Exception as e:  # the edge: whatever it is, the records wait
            log.error("the store does not answer (%s: %s); tried again in %s s", type(e).__name__, e, _retry_s)
            time.sleep(_retry_s)
            return False
        return True

    def _begin_again(self) -> None:
        self._digester.forget()
        if self._mark is not None:
            self.offset = self._mark.place()


def _is_behind(records: Records, now: float) -> bool:
    """Whether this is part of a backlog, so that payloads are kept sparingly. A few late records are none."""
    if now - records[0][1].received_at <= limits.digest_behind_s:
        return False
    size = sum(len(record.body) for _, record in records)
    return len(records) >= limits.digest_records_max // 2 or size >= limits.digest_bytes_max // 2


_deaths = limits.digest_deaths_max
_rest = 1_000_000  # the number, among the items of a record, of what was not read: makes an id of its own
