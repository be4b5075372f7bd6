"""The desk of releases and deploys that a deploy script announces: when what went where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fivehundred.console.store.database import Database, Value

releases_a_project_max: Final = 10_000  # the oldest are forgotten
deploys_a_project_max: Final = 10_000


@dataclass(frozen=True, slots=True)
class Announced:
    project: str
    release: str
    created_at: float
    released_at: float | None
    url: str
    ref: str  # of the version control: a commit


@dataclass(frozen=True, slots=True)
class Deploy:
    id: int
    project: str
    release: str
    environment: str
    name: str
    url: str
    started_at: float | None
    finished_at: float


class Deploys:
    def __init__(self, database: Database) -> None:
        self._db = database

    def announce(
        self, project: str, release: str, *, now: float, released_at: float | None = None, url: str = "", ref: str = ""
    ) -> tuple[Announced, bool]:
        """(the release, whether it is new). What is told again adds to what is known and takes nothing away."""
        known = self.release(project, release)
        row = Announced(
            project,
            release,
            known.created_at if known else now,
            released_at if released_at is not None else known.released_at if known else None,
            url or (known.url if known else ""),
            ref or (known.ref if known else ""),
        )
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO announced (project, release, created_at, released_at, url, ref) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (project, release) DO UPDATE SET released_at = excluded.released_at, url = excluded.url,"
                " ref = excluded.ref",
                (project, release, row.created_at, row.released_at, row.url, row.ref),
            )
            if known is None:
                self._forget("announced", "created_at", project, releases_a_project_max)
            self._db.changed()
        return row, known is None

    def release(self, project: str, release: str) -> Announced | None:
        found = self._db.rows(f"{_ANNOUNCED} WHERE project = ? AND release = ?", (project, release))
        return Announced(*found[0]) if found else None

    def releases(self, project: str | None, *, limit: int = 100) -> Sequence[Announced]:
        """The newest first."""
        where, values = _of(project)
        sql = f"{_ANNOUNCED}{where} ORDER BY created_at DESC LIMIT ?"
        return [Announced(*row) for row in self._db.rows(sql, (*values, limit))]

    def deploy(
        self, project: str, release: str, environment: str, *, finished_at: float, started_at: float | None = None,
        name: str = "", url: str = ""
    ) -> Deploy:  # fmt: skip
        self.announce(project, release, now=finished_at)
        row: dict[str, Value] = {
            "project": project,
            "release": release,
            "environment": environment,
            "name": name,
            "url": url,
            "started_at": started_at,
            "finished_at": finished_at,
        }
        with self._db.transaction():
            made = self._db.insert("deploy", row)
            self._forget("deploy", "finished_at", project, deploys_a_project_max)
            self._db.changed()
        return Deploy(made, project, release, environment, name, url, started_at, finished_at)

    def deploys(self, project: str | None, *, since: float = 0.0, limit: int = 100) -> Sequence[Deploy]:
        """The newest first."""
        where, values = _of(project, "finished_at >= ?")
        sql = f"{_DEPLOY}{where} ORDER BY finished_at DESC, id DESC LIMIT ?"
        return [Deploy(*row) for row in self._db.rows(sql, (*values, since, limit))]

    def _forget(self, table: str, time: str, project: str, kept_max: int) -> None:
        self._db.execute(
            f"DELETE FROM {table} WHERE project = ? AND {time} < (SELECT {time} FROM {table} WHERE project = ?"  # noqa: S608
            f" ORDER BY {time} DESC LIMIT 1 OFFSET {kept_max - 1})",
            (project, project),
        )


def _of(project: str | None, *more: str) -> tuple[str, tuple[str, ...]]:
    conditions = [*(["project = ?"] if project is not None else []), *more]
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), ((project,) if project is not None else ())


_ANNOUNCED: Final = "SELECT project, release, created_at, released_at, url, ref FROM announced"
_DEPLOY: Final = "SELECT id, project, release, environment, name, url, started_at, finished_at FROM deploy"
