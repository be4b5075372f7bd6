"""The desk of objectives: what share of requests should not fail, how much of the error budget is left, how it burns.

A budget is what an objective allows to fail in 30 days. It burns at rate 1 when it would just last; several windows
together tell a short peak from a real fire: a long one that it matters, a short one that it still goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from fivehundred import limits
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database
from fivehundred.console.store.rates import Rates
from fivehundred.console.store.triage import TriageRefused

Burning: TypeAlias = Literal["", "slow", "fast", "spent"]

_day_s: Final = 86_400.0
_hour_s: Final = 3_600.0
# (long window, short window, burn rate that both must exceed, what that is): after the workbook on SRE, chapter 5
_windows: Final[tuple[tuple[float, float, float, Burning], ...]] = (
    (_hour_s, _hour_s / 12, 14.4, "fast"),
    (6 * _hour_s, _hour_s / 2, 6.0, "fast"),
    (3 * _day_s, 6 * _hour_s, 1.0, "slow"),
)
objectives_max: Final = 200


@dataclass(frozen=True, slots=True)
class Objective:
    id: int
    project: str
    route: str  # empty: all of the project
    share: float  # 0.999: of a thousand requests one may fail


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget burns over one window; 1.0 would just last."""

    hours: float
    rate: float
    requests: int
    failed: int


@dataclass(frozen=True, slots=True)
class Budget:
    objective: Objective
    requests: int  # in 30 days
    failed: int
    burns: tuple[Burn, ...]  # the shortest window first
    burning: Burning

    @property
    def allowed(self) -> float:
        """How many of those requests could have failed."""
        return self.requests * (1.0 - self.objective.share)

    @property
    def left(self) -> float:
        """The share of the budget that is left; below 0 it is spent."""
        return 1.0 - self.failed / self.allowed if self.allowed else 1.0


class Objectives:
    def __init__(self, database: Database) -> None:
        self._db = database

    def objectives(self, project: str | None = None) -> list[Objective]:
        where, values = (" WHERE project = ?", [project]) if project is not None else ("", [])
        sql = f"SELECT id, project, route, share FROM objective{where} ORDER BY project, route"  # noqa: S608 - ours
        return [Objective(n, of, route, share) for n, of, route, share in self._db.rows(sql, values)]

    def set(self, project: str, route: str, share: float) -> int:
        """Raises TriageRefused for a share that is none."""
        if not 0.5 <= share <= 0.99999:
            raise TriageRefused("an objective is a share from 50 to 99.999 percent of the requests")
        with self._db.transaction():
            if (self._db.number("SELECT count(*) FROM objective") or 0) >= objectives_max:
                raise TriageRefused(f"there are {objectives_max} objectives already; remove one first")
            self._db.execute(
                "INSERT INTO objective (project, route, share) VALUES (?, ?, ?)"
                " ON CONFLICT (project, route) DO UPDATE SET share = excluded.share",
                (project, route[: limits.rates_route_chars_max], share),
            )
            self._db.changed()
            found = self._db.number("SELECT id FROM objective WHERE project = ? AND route = ?", (project, route))
        return found or 0

    def remove(self, objective: int) -> None:
        """Raises NotFound."""
        with self._db.transaction():
            if not self._db.execute("DELETE FROM objective WHERE id = ?", (objective,)):
                raise NotFound(f"there is no objective {objective}")
            self._db.changed()

    def budget(self, objective: Objective, *, now: float) -> Budget:
        minutes = Rates(self._db).by_minute(
            objective.project, objective.route or None, since=now - limits.rates_days * _day_s, until=now
        )
        spans = sorted({span for long, short, _, _ in _windows for span in (long, short)})
        burns = {span: _burn(minutes, span, objective.share, now) for span in spans}
        requests, failed = sum(r for _, r, _ in minutes), sum(f for _, _, f in minutes)
        budget = Budget(objective, requests, failed, tuple(burns[span] for span in spans), _burning(burns))
        return Budget(objective, requests, failed, budget.burns, "spent") if budget.left < 0 else budget


def _burn(minutes: Sequence[tuple[int, int, int]], span: float, share: float, now: float) -> Burn:
    since = (now - span) // 60
    requests = sum(r for minute, r, _ in minutes if minute > since)
    failed = sum(f for minute, _, f in minutes if minute > since)
    rate = failed / requests / (1.0 - share) if requests else 0.0
    return Burn(span / _hour_s, rate, requests, failed)


def _burning(burns: dict[float, Burn]) -> Burning:
    for long, short, least, name in _windows:
        if burns[long].rate > least and burns[short].rate > least:
            return name
    return ""
