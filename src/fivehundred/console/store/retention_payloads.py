"""What retention does with payloads, in small steps: deletes their rows, moves them, unlinks files nobody needs."""

from __future__ import annotations

from typing import Final

from fivehundred import limits
from fivehundred.console.store.bodies import Bodies, Place
from fivehundred.console.store.database import Database

# newest payloads of a fault that stay, however many events others have; the first that frees enough is taken
floors: Final = (limits.payloads_a_fault_min, 30, 10, 3, 1, 0)


class Payloads:
    def __init__(self, db: Database, bodies: Bodies) -> None:
        self._db = db
        self._bodies = bodies
        self.gone: dict[str, tuple[int, int]] = {}  # project -> payloads and bytes deleted since somebody asked
        self._looked_at = 0  # the last file of this round that was looked at for holes

    def stays(self, event: int, fault: int, floor: int) -> bool:
        """Whether it is one of the ``floor`` newest of its fault."""
        if floor == 0:
            return False
        newer = "SELECT count(*) FROM (SELECT 1 FROM event WHERE fault = ? AND id > ? LIMIT ?) AS newer"
        return (self._db.number(newer, (fault, event, floor)) or 0) < floor

    def delete(self, events: list[int]) -> None:
        """That they were counted stays known. Within a transaction."""
        for event in events:
            sql = "DELETE FROM event WHERE id = ? RETURNING event_id, project, length"
            for event_id, project, length in self._db.rows(sql, (event,)):
                count, size = self.gone.get(project, (0, 0))
                self.gone[project] = count + 1, size + length
                self._db.execute("UPDATE seen SET event = NULL WHERE event_id = ? AND project = ?", (event_id, project))
        if events:
            self._db.changed()

    def move(self, events: list[tuple[int, Place]], now: float) -> None:
        """To the newest file. Within a transaction, like what the digest appends."""
        if not events:
            return
        segment, start = self._bodies.start()
        at = start
        for event, old in events:
            try:
                data = self._bodies.read(old)
            except OSError:  # the file is gone or cannot be read: there is nothing to keep
                self.delete([event])
                continue
            place = self._bodies.append(segment, at, data)
            at += place.length
            self._db.execute('UPDATE event SET segment = ?, "offset" = ? WHERE id = ?', (segment, place.offset, event))
        self._bodies.sync()
        self._db.execute(
            "UPDATE segment SET bytes = bytes + ?, events = events + ?, newest_at = ? WHERE id = ?",
            (at - start, len(events), now, segment),
        )

    def compact(self, now: float) -> bool:
        """One more file of this round: what is left of one that is mostly holes is moved, and the disk has it back."""
        sql = "SELECT id, bytes FROM segment WHERE id > ? AND id < (SELECT max(id) FROM segment) ORDER BY id LIMIT 1"
        for segment, size in self._db.rows(sql, (self._looked_at,)):
            living = self._db.number("SELECT coalesce(sum(length), 0) FROM event WHERE segment = ?", (segment,)) or 0
            if living < size / 2:
                with self._db.transaction():
                    rows = 'SELECT id, "offset", length FROM event WHERE segment = ? LIMIT ?'
                    found = self._db.rows(rows, (segment, limits.retention_rows_max))
                    self.move([(event, Place(segment, offset, length)) for event, offset, length in found], now)
                if len(found) == limits.retention_rows_max:
                    return True
                self.unlink_empty()
            self._looked_at = segment
            return True
        self._looked_at = 0
        return False

    def unlink_empty(self) -> bool:
        """Files that no event needs any more, but for the one that is appended to. The row goes first."""
        sql = (
            "SELECT id FROM segment WHERE id < (SELECT max(id) FROM segment)"
            " AND NOT EXISTS (SELECT 1 FROM event WHERE segment = segment.id) LIMIT 100"
        )
        found = [row[0] for row in self._db.rows(sql)]
        if found:
            with self._db.transaction():
                self._db.many("DELETE FROM segment WHERE id = ?", [(segment,) for segment in found])
        for segment in found:
            self._bodies.unlink(segment)
        return bool(found)

    def unlink_strays(self) -> None:
        """Files whose row was deleted by a process that then ended before it could unlink them."""
        known = {row[0] for row in self._db.rows("SELECT id FROM segment")}
        newest = max(known, default=0)
        for segment in self._bodies.numbers():
            if segment < newest and segment not in known:
                self._bodies.unlink(segment)
