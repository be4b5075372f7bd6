"""The desk of what a project keeps: for how long, how many events, how many bytes. Deleting is ``retention``'s work.

Each is a bound below the installation's own; what a project does not say is the installation's to say.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass

from fivehundred import limits
from fivehundred.console.store.database import Database
from fivehundred.console.store.triage import TriageRefused


@dataclass(frozen=True, slots=True)
class ProjectRetention:
    days: int | None = None
    events: int | None = None  # whose payloads are kept; counts of faults go on
    megabytes: int | None = None  # of those payloads, as they lie on the disk

    @property
    def bytes_max(self) -> int | None:
        return None if self.megabytes is None else self.megabytes * limits.MIB

    def told(self) -> str:
        own = [f"{n} {name}" for name, n in asdict(self).items() if n is not None]
        return f"at most {', '.join(own)}" if own else "as long and as much as the installation keeps"


_most = {
    "days": limits.project_days_max,
    "events": limits.project_events_max,
    "megabytes": limits.project_megabytes_max,
}


class RetentionRules:
    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> dict[str, ProjectRetention]:
        rows = self._db.rows("SELECT project, days, events, megabytes FROM project_retention ORDER BY project")
        return {project: ProjectRetention(*rule) for project, *rule in rows}

    def of(self, project: str) -> ProjectRetention:
        return self.all().get(project, ProjectRetention())

    def set(self, project: str, rule: ProjectRetention) -> None:
        """All three at once. Raises TriageRefused."""
        for name, most in _most.items():
            value = getattr(rule, name)
            if value is not None and not 1 <= value <= most:
                raise TriageRefused(f"{value} is not a number of {name} from 1 to {most}; none takes the bound away")
        with self._db.transaction():
            self._db.execute("DELETE FROM project_retention WHERE project = ?", (project,))
            if any(value is not None for value in astuple(rule)):
                sql = "INSERT INTO project_retention (project, days, events, megabytes) VALUES (?, ?, ?, ?)"
                self._db.execute(sql, (project, *astuple(rule)))
