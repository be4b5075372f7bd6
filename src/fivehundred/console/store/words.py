"""The words of faults, for the search: title, message, code, URL, tags of their events, so far as payloads were kept.

A word is kept once a fault, whatever it stands in; past a bound no new ones are. Each database has its own index over
the table ``fault_words``: FTS5 in SQLite, a tsvector in PostgreSQL. What a word is, is decided here, so that both find
the same. A search is for beginnings.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import Digested
from fivehundred.console.store.database import Database, Value, among
from fivehundred.console.store.delta import Delta, summary_of

_OTHER: Final = re.compile(r"[\W_]+")  # what joins the words of one chunk: shop.orders, /orders/5, order_total
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")
_turns_at_once: Final = 10  # batches whose words of one fault are saved at once; then
_again_s: Final = 60.0  # so much later the next ones are
_told_max: Final = 50_000  # texts of which it is known that their words are kept


class Words:
    """Keeps the words of what is written. Remembers which texts it has seen, so that most events cost no look-up."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._told: set[tuple[int, int]] = set()  # (fault, hash of a text)
        self._telling: set[tuple[int, int]] = set()  # of the transaction in hand
        self._turns: dict[int, tuple[int, float]] = {}  # fault -> times its words were saved, when they may be again

    def save(self, deltas: Sequence[Delta]) -> None:
        """Within the transaction of the batch."""
        self._telling = set()
        new: dict[int, list[str]] = {}
        at = time.monotonic()
        for delta in deltas:
            if self._turns.get(delta.fault, (0, 0.0))[1] > at:
                continue  # messages with numbers in them would make new words of every event
            for text in texts_of(delta.diagnosed) if delta.diagnosed is not None else ():
                mark = (delta.fault, hash(text))
                if mark not in self._told and mark not in self._telling:
                    self._telling.add(mark)
                    new.setdefault(delta.fault, []).append(text)
        for fault in new:
            turns = self._turns.get(fault, (0, 0.0))[0] + 1
            self._turns[fault] = (turns, at + _again_s if turns >= _turns_at_once else 0.0)
        self.add(new)

    def add(self, new: Mapping[int, Sequence[str]]) -> None:
        """The words of these texts to those of their faults."""
        if not new:
            return
        sql = "SELECT fault, words FROM fault_words WHERE fault IN ({keys})"
        known: dict[int, str] = dict(among(self._db, sql, [(fault,) for fault in new]))
        rows: list[tuple[Value, ...]] = []
        for fault, texts in sorted(new.items()):
            words = dict.fromkeys(known.get(fault, "").split())
            before = len(words)
            for word in words_of(texts):
                if len(words) >= limits.words_a_fault_max:
                    break
                words[word] = None
            if len(words) > before:
                rows.append((fault, " ".join(words)))
        self._db.many(_save, rows)

    def done(self) -> None:
        """The transaction was committed."""
        if len(self._told) > _told_max:
            self._told.clear()
            self._turns.clear()
        self._told |= self._telling


_save = "INSERT INTO fault_words (fault, words) VALUES (?, ?) ON CONFLICT (fault) DO UPDATE SET words = excluded.words"


def texts_of(digested: Digested) -> Iterable[str]:
    """What can be searched of one event, piece by piece."""
    event, s = digested.event, summary_of(digested)
    yield digested.fingerprint.title
    yield s.message
    yield digested.fingerprint.culprit
    yield f"{s.method} {s.route}"
    yield s.url
    for name, value in event.tags.items():
        yield f"{name} {value}"
    yield s.host
    yield s.release
    for item in event.exceptions[:10]:
        yield f"{item.type} {item.module}"
        yield item.value[: limits.word_text_chars_max]
        for frame in item.frames[-limits.word_frames_max :]:
            yield f"{frame.module} {frame.function} {frame.filename}"


def words_of(texts: Iterable[str]) -> Iterable[str]:
    """What a search may begin with: each chunk without spaces, and what is left of it from each word and hump on.

    Of "shop.OrderError": shop_ordererror, ordererror, error. So "shop.order" is found, and what stands apart is not.
    """
    for text in texts:
        for chunk in text[: limits.word_text_chars_max].split():
            word = _OTHER.sub("_", chunk).strip("_")
            if word:
                yield word[: limits.word_chars_max].casefold()
                for hump in _HUMP.finditer(word):
                    yield word[hump.end() : hump.end() + limits.word_chars_max].casefold()


def condition(db: Database, term: str) -> tuple[str, str]:
    """For a WHERE over ``fault``, with its value: faults that have a term without spaces.

    What has no letter or digit is looked for in the title, message and route alone.
    """
    word = _OTHER.sub("_", term).strip("_").casefold()[: limits.word_chars_max]
    if not word:
        return "instr(search, ?) > 0", term.casefold()
    if db.dialect == "postgresql":
        return "id IN (SELECT fault FROM fault_words WHERE lexemes @@ CAST(? AS tsquery))", f"'{word}':*"
    return "id IN (SELECT rowid FROM fault_text WHERE fault_text MATCH ?)", f'"{word}"*'
