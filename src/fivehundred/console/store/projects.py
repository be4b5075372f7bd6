"""The desk of what a project is called and which key its events are sent with."""

from __future__ import annotations

import secrets
from typing import Final

from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.triage import TriageRefused

name_chars_max: Final = 60


class Projects:
    def __init__(self, database: Database) -> None:
        self._db = database

    def rename(self, project: str, name: str) -> None:
        """Raises TriageRefused for a name that is none, NotFound."""
        self._set(project, "name", project_name(name))

    def rotate_key(self, project: str) -> str:
        """The new key. Events that are sent with the old one are refused from now on. Raises NotFound."""
        key = secrets.token_hex(16)
        self._set(project, "key", key)
        return key

    def _set(self, project: str, column: str, value: Value) -> None:
        with self._db.transaction():
            if not self._db.execute(f"UPDATE project SET {column} = ? WHERE id = ?", (value, project)):  # noqa: S608
                raise NotFound(f"there is no project {project[:40]}")
            self._db.changed()


def project_name(text: str) -> str:
    """Raises TriageRefused."""
    name = " ".join(text.replace("\0", "").split())
    if not name or len(name) > name_chars_max:
        raise TriageRefused(f"a project has a name of 1 to {name_chars_max} characters")
    return name
