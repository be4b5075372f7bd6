"""Erasing: everything that is stored of one person, by what they are called: an id, a name, an address, an IP.

A payload that names the person is deleted whole, and its bytes are overwritten; that the event happened stays counted.
In texts that belong to many (titles, messages, histories) the name is replaced. Where a name is a word of its own only:
10.0.0.1 is not found in 10.0.0.12.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final

import msgspec

from fivehundred.console.store.bodies import Bodies, Body, BodyError, Place
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.delta import identity_of
from fivehundred.console.store.dictionaries import Dictionaries
from fivehundred.console.store.erasing_columns import deleted, replaced, reported

erased: Final = "[erased]"
_events_at_once: Final = 200
_columns: Final = ("message", "host", "url", '"user"')


_of_users: Final = (
    ("fault_user", "users of faults"),
    ("incident_user", "users of incidents"),
    ("choice_user", "users of merges"),
)


class Eraser:
    def __init__(self, db: Database, bodies: Bodies, dictionaries: Dictionaries) -> None:
        self._db = db
        self._bodies = bodies
        self._dictionaries = dictionaries

    def erase(self, name: str, *, anywhere: bool) -> dict[str, int]:
        """How much, by table. ``anywhere``: also in texts, not only where events say who the user was."""
        if self._db.dialect == "sqlite":
            self._db.rows("PRAGMA secure_delete = on")  # what is deleted is overwritten
        done: Counter[str] = Counter()
        self._events(name, anywhere, done)
        with self._db.transaction():
            for table, what in _of_users:
                done[what] += self._db.execute(f"DELETE FROM {table} WHERE identity = ?", (identity_of(name),))  # noqa: S608
            if anywhere:
                self._rows(name, done)
            self._db.changed()
        return {what: count for what, count in done.items() if count}

    # ---- payloads

    def _events(self, name: str, anywhere: bool, done: Counter[str]) -> None:
        pattern, last = named(name), 0
        sql = (
            f'SELECT id, segment, "offset", length, dictionary, event_id, project, {", ".join(_columns)} FROM event'  # noqa: S608
            " WHERE id > ? ORDER BY id LIMIT ?"
        )
        while found := self._db.rows(sql, (last, _events_at_once)):
            last = found[-1][0]
            hit = [row for row in found if self._names(row, name, pattern if anywhere else None)]
            if not hit:
                continue
            with self._db.transaction():
                for event, segment, offset, length, _, event_id, project, *_ in hit:
                    self._bodies.wipe(Place(segment, offset, length))
                    self._db.execute("DELETE FROM event WHERE id = ?", (event,))
                    unlinked = "UPDATE seen SET event = NULL WHERE event_id = ? AND project = ?"
                    self._db.execute(unlinked, (event_id, project))
                self._db.changed()
            done["payloads"] += len(hit)

    def _names(self, row: tuple[Any, ...], name: str, pattern: re.Pattern[str] | None) -> bool:
        _, segment, offset, length, dictionary, _, _, message, host, url, user = row
        if user == name or (pattern and any(pattern.search(text) for text in (message, host, url, user))):
            return True
        try:
            body = self._dictionaries.unpack(dictionary, self._bodies.read(Place(segment, offset, length)))
        except (OSError, BodyError):
            return False  # nobody can read it
        return _body_names(body, name, pattern)

    # ---- texts

    def _rows(self, name: str, done: Counter[str]) -> None:
        pattern = named(name)
        for table, columns in deleted.items():
            for column in columns:
                for old in self._holding(table, column, name, pattern):
                    done[table] += self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (old,))  # noqa: S608
        for table, columns in replaced.items():
            for column in columns:
                for old in self._holding(table, column, name, pattern):
                    sql = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"  # noqa: S608 - our own names
                    done[table] += self._db.execute(sql, (pattern.sub(erased, old), old))
        self._malformed(pattern, done)
        self._words(name, done)

    def _holding(self, table: str, column: str, name: str, pattern: re.Pattern[str]) -> list[str]:
        """Different texts of a column that name the person."""
        # in other letters than ASCII's the database knows no capitals, and JSON may write them as escapes
        plain = name.isascii() and json.dumps(name) == f'"{name}"'
        where, values = (f" WHERE instr(lower({column}), ?) > 0", (name.lower(),)) if plain else ("", ())
        found = self._db.rows(f"SELECT DISTINCT {column} FROM {table}{where}", values)  # noqa: S608 - our own names
        return [row[0] for row in found if row[0] and pattern.search(row[0])]

    def _malformed(self, pattern: re.Pattern[str], done: Counter[str]) -> None:
        for number, data in self._db.rows("SELECT id, data FROM malformed"):
            if pattern.search(data.decode("utf-8", "replace")):
                done["malformed"] += self._db.execute("DELETE FROM malformed WHERE id = ?", (number,))

    def _words(self, name: str, done: Counter[str]) -> None:
        word = re.sub(r"[\W_]+", "_", name).strip("_").casefold()
        if not word:
            return
        pattern = re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])")
        for fault, words in self._db.rows("SELECT fault, words FROM fault_words WHERE instr(words, ?) > 0", (word,)):
            kept = " ".join(one for one in words.split() if not pattern.search(one))
            if kept != words:
                sql = "UPDATE fault_words SET words = ? WHERE fault = ?"
                done["words of faults"] += self._db.execute(sql, (kept, fault))

    # ---- what is left to people

    def settings(self, name: str) -> list[str]:
        """Where what people set up in the Console names the person: "channel settings", "person name"."""
        pattern = named(name)
        places = [(table, column) for table, columns in reported.items() for column in columns]
        return [f"{table} {column}" for table, column in places if self._holding(table, column, name, pattern)]

    # ---- what payloads are packed with

    def dictionaries(self, name: str) -> list[int]:
        """Those that hold the name: they are made of pieces of payloads."""
        found, wanted = [], name.encode().lower()
        for number, data in self._db.rows("SELECT id, bytes FROM dictionary"):
            if wanted in bytes(data).lower():
                found.append(number)
        return found

    def forget_dictionary(self, number: int) -> int:
        """Packs what was packed with it anew, without one, and deletes it. Nobody else may write meanwhile."""
        sql = 'SELECT id, segment, "offset", length FROM event WHERE dictionary = ? ORDER BY id LIMIT ?'
        count = 0
        while found := self._db.rows(sql, (number, _events_at_once)):
            with self._db.transaction():
                segment, at = start = self._bodies.start()
                for event, *where in found:
                    data = self._again(number, Place(*where))
                    place = self._bodies.append(segment, at, data)
                    at += place.length
                    moved: tuple[Value, ...] = (segment, place.offset, place.length, event)
                    self._db.execute(
                        'UPDATE event SET segment = ?, "offset" = ?, length = ?, dictionary = 0 WHERE id = ?', moved
                    )
                self._bodies.sync()
                self._db.execute("UPDATE segment SET bytes = bytes + ? WHERE id = ?", (at - start[1], segment))
                for _, *where in found:
                    self._bodies.wipe(Place(*where))
            count += len(found)
        self._db.execute("DELETE FROM dictionary WHERE id = ?", (number,))
        return count

    def _again(self, number: int, place: Place) -> bytes:
        try:
            return self._dictionaries.plain(self._dictionaries.unpack(number, self._bodies.read(place)))
        except (OSError, BodyError):
            return self._dictionaries.plain(Body(b"{}", b"", b"{}"))  # it could not be read before


def named(name: str) -> re.Pattern[str]:
    """The name where it is a word of its own, in capitals or not; also as JSON writes what is not ASCII."""
    forms = {name, json.dumps(name)[1:-1]}
    return re.compile(rf"(?<![^\W_])(?<![\w][.])(?:{'|'.join(re.escape(f) for f in sorted(forms))})(?![^\W_])", re.I)


def _body_names(body: Body, name: str, pattern: re.Pattern[str] | None) -> bool:
    if pattern is not None:
        return any(
            pattern.search(part.decode("utf-8", "replace")) for part in (body.event, body.diagnosis, body.fingerprint)
        )
    try:
        user = msgspec.json.decode(body.event).get("user")
    except (msgspec.DecodeError, AttributeError):
        return False
    return isinstance(user, dict) and any(str(value) == name for value in user.values() if value is not None)
