"""The desk of allowed origins: which web pages may send events to a project. Obeying them is the ingest's work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from fivehundred import limits
from fivehundred.console.store.database import Database
from fivehundred.console.store.triage import TriageRefused

_HOST: Final = re.compile(
    r"(?:\*\.)?(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
    r"|\[[0-9a-f:.]{2,45}\]"
)
_example: Final = "write it as https://shop.example, *.shop.example or localhost:3000"


class Origins:
    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> dict[str, list[str]]:
        """project -> its origins, sorted."""
        found: dict[str, list[str]] = {}
        for project, origin in self._db.rows("SELECT project, origin FROM project_origin ORDER BY project, origin"):
            found.setdefault(project, []).append(origin)
        return found

    def of(self, project: str) -> list[str]:
        sql = "SELECT origin FROM project_origin WHERE project = ? ORDER BY origin"
        return [row[0] for row in self._db.rows(sql, (project,))]

    def set(self, project: str, origins: Iterable[str]) -> list[str]:
        """In place of those before; none at all, or a ``*`` among them: every page may. Raises TriageRefused."""
        texts = [text for text in origins if text.strip()]
        rules = [] if "*" in (text.strip() for text in texts) else sorted({origin(text) for text in texts})
        if len(rules) > limits.origins_a_project_max:
            raise TriageRefused(
                f"a project allows at most {limits.origins_a_project_max} origins; *.HOST stands for many"
            )
        with self._db.transaction():
            self._db.execute("DELETE FROM project_origin WHERE project = ?", (project,))
            sql = "INSERT INTO project_origin (project, origin) VALUES (?, ?)"
            self._db.many(sql, [(project, rule) for rule in rules])
        return rules


def origin(text: str) -> str:
    """As browsers write it: lower case, ASCII, without the scheme's own port. Raises TriageRefused."""
    given = text.strip()
    scheme, found, address = given.lower().rpartition("://")
    try:
        parts = urlsplit(f"//{address}")
        host, port = _ascii(parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc), parts.port
    except ValueError:
        raise TriageRefused(f"{given[:80]!r} is no origin; {_example}") from None
    if (found and scheme not in ("http", "https")) or not _HOST.fullmatch(host):
        raise TriageRefused(f"{given[:80]!r} is no origin of a web page; {_example}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise TriageRefused(f"{given[:80]!r} has a path; an origin is a scheme, a host and a port: {_example}")
    own = {"http": 80, "https": 443}.get(scheme)
    return f"{scheme}{found}{host}" + (f":{port}" if port is not None and port != own else "")


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")  # raises UnicodeError, a ValueError
