"""The desk of the saved views: a search line and an order under a name, one's own or shared by all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database
from fivehundred.console.store.triage import TriageRefused

views_max: Final = 100  # that one person sees
name_chars_max: Final = 60


@dataclass(frozen=True, slots=True)
class View:
    id: int
    name: str
    line: str
    order: str
    owner: int | None  # the member whose own it is; None: shared


class Views:
    def __init__(self, database: Database) -> None:
        self._db = database

    def views(self, member: int | None) -> list[View]:
        """Shared ones and the member's own."""
        found = self._db.rows(
            "SELECT id, name, line, sort, owner_id FROM saved_view WHERE owner_id IS NULL OR owner_id = ?"
            " ORDER BY name, id LIMIT ?",
            (-1 if member is None else member, views_max),
        )
        return [View(*row) for row in found]

    def save(self, name: str, line: str, order: str, *, member: int | None, now: float) -> int:
        """``member`` None: for all. A view of the same name and owner is replaced. Raises TriageRefused."""
        name = " ".join(name.replace("\0", "").split())
        if not name or len(name) > name_chars_max:
            raise TriageRefused(f"a view has a name of 1 to {name_chars_max} characters")
        with self._db.transaction():
            for view in self.views(member):
                if view.name == name and view.owner == member:
                    self._db.execute("DELETE FROM saved_view WHERE id = ?", (view.id,))
            if len(self.views(member)) >= views_max:
                raise TriageRefused(f"there are {views_max} views already; remove one first")
            row = {"name": name, "line": line[: limits.search_chars_max], "sort": order, "owner_id": member}
            number = self._db.insert("saved_view", {**row, "created_at": now})
            self._db.changed()
        return number

    def remove(self, view: int, *, member: int | None) -> None:
        """A shared one or one's own. Raises NotFound."""
        with self._db.transaction():
            known = {found.id for found in self.views(member)}
            if view not in known:
                raise NotFound(f"there is no saved view {view}")
            self._db.execute("DELETE FROM saved_view WHERE id = ?", (view,))
            self._db.changed()
