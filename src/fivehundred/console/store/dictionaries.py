"""Dictionaries: one trained zstd dictionary a project, made from its first kept payloads, numbered, kept for ever."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from fivehundred import limits
from fivehundred.console.store.bodies import Body, BodyError, Codec, join, train
from fivehundred.console.store.database import Database, Value


@dataclass(slots=True)
class _Training:
    """Samples of one project until there are enough; then a thread, because training takes seconds."""

    samples: list[bytes] = field(default_factory=list)
    thread: threading.Thread | None = None
    trained: bytes = b""

    def run(self) -> None:
        try:
            self.trained = train(self.samples, limits.dictionary_bytes_max)
        except BodyError:
            self.trained = b""  # too alike or too few: the next samples may do
        self.samples = []


class Dictionaries:
    """Packs and unpacks bodies with the dictionary of their project."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._plain = Codec()
        self._codecs: dict[int, Codec] = {}
        self._newest: dict[str, int] = {}
        self._training: dict[str, _Training] = {}

    def pack(self, project: str, body: Body) -> tuple[int, bytes]:
        """(number of the dictionary, frame); 0 is none."""
        number = self._newest.get(project)
        if number is None:
            number = self._db.number("SELECT max(id) FROM dictionary WHERE project = ?", (project,)) or 0
            number = self._newest[project] = number if self._is_whole(number) else 0
        if number == 0:
            self._sample(project, body)
        return number, self._codec(number).pack(body)

    def plain(self, body: Body) -> bytes:
        """A frame of number 0."""
        return self._plain.pack(body)

    def unpack(self, number: int, data: bytes) -> Body:
        """Raises BodyError when the body or its dictionary is damaged."""
        return self._codec(number).unpack(data)

    def learn(self, now: float) -> None:
        """Start trainings that have enough samples, save those that are done. Outside of a transaction."""
        for project, training in list(self._training.items()):
            if training.thread is None and len(training.samples) >= limits.dictionary_samples:
                training.thread = threading.Thread(target=training.run, name="dictionary", daemon=True)
                training.thread.start()
            elif training.thread is not None and not training.thread.is_alive():
                del self._training[project]
                if training.trained:
                    self._save(project, training.trained, now)

    def _save(self, project: str, trained: bytes, now: float) -> None:
        row: dict[str, Value] = {"project": project, "created_at": now, "bytes": trained}
        self._newest[project] = self._db.insert("dictionary", row)

    def _sample(self, project: str, body: Body) -> None:
        training = self._training.setdefault(project, _Training())
        if training.thread is None and len(training.samples) < limits.dictionary_samples:
            training.samples.append(join(body)[: limits.dictionary_sample_bytes_max])

    def _codec(self, number: int) -> Codec:
        codec = self._codecs.get(number)
        if codec is None:
            if number == 0:
                return self._plain
            found = self._db.rows("SELECT bytes FROM dictionary WHERE id = ?", (number,))
            codec = self._codecs[number] = Codec(found[0][0] if found else b"")
        return codec

    def _is_whole(self, number: int) -> bool:
        """Whether new bodies can be packed with it; with one that is damaged they would be lost as well."""
        try:
            self._codec(number)
        except BodyError:
            return False
        return True
