"""The words of the alerts: a subject of one line, a text for people, and the same as data for programs.

Everything of an event that stands in them is text, cut and on one line; whoever shows it must escape it. The address of
a page is stored as a path: how the Console is called from outside is known where it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fivehundred.console.channels.base import one_line
from fivehundred.console.store.alerts import Alert, Alerts, Kind, Rule
from fivehundred.console.store.base import FaultNews
from fivehundred.console.store.database import Database
from fivehundred.event import Json

if TYPE_CHECKING:
    from fivehundred.console.alerts import IncidentNews

_LINES_OF_A_SUMMARY_MAX: Final = 30
_HEADS: Final[dict[Kind, str]] = {
    "new": "New fault",
    "regressed": "It is back",
    "once": "First seen",
    "spike": "Spike",
    "threshold": "Threshold reached",
    "incident_opened": "Incident",
    "incident_closed": "Incident over",
}


@dataclass(frozen=True, slots=True)
class Said:
    subject: str
    body: dict[str, Json]


def fault(database: Database, kind: Kind, news: FaultNews, rule: Rule, *, now: float) -> Said:
    """Of a fault, as it is after the batch."""
    fp, event = news.newest.fingerprint, news.newest.event
    name = one_line(f"{fp.title}: {fp.message}" if fp.message else fp.title, 160)
    row = database.rows(_FAULT, (news.fault,))[0]
    facts: dict[str, Json] = dict(zip(_NAMES, row, strict=True))
    diagnosis = news.diagnosed.diagnosis if news.diagnosed else None
    head = f"[{project_name(database, news.project)}] {_HEADS[kind]}: "
    figures = _figures(kind, rule, Alerts(database), news, now)
    lines = [
        name,
        " ".join(str(facts[n]) for n in ("method", "route") if facts[n]) or fp.culprit,
        diagnosis.sentence if diagnosis else str(facts["sentence"]),
        figures,
        ", ".join(f"{n} {v}" for n, v in (("release", event.release), ("environment", event.environment)) if v),
    ]
    text = "\n".join(one_line(line, 600) for line in lines if line)
    facts |= {"title": fp.title, "message": fp.message, "culprit": fp.culprit, "reference": event.event_id}
    facts |= {"advice": diagnosis.advice if diagnosis else "", "release": event.release}
    facts |= {"environment": event.environment, "level": event.level}
    data: dict[str, Json] = {"project": news.project, "rule": rule.name, "fault": facts}
    return Said(one_line(head + name), {"text": text, "path": f"/faults/{news.fault}", "data": data})


def incident(database: Database, news: IncidentNews) -> Said:
    head = f"[{project_name(database, news.project)}] {_HEADS[news.kind]}: "
    text = f"{one_line(news.sentence, 600)}\n{news.faults} faults, {news.events} events"
    facts: dict[str, Json] = {
        "id": news.incident,
        "sentence": news.sentence,
        "faults": news.faults,
        "events": news.events,
        "environments": list(news.environments),
        "causes": list(news.causes),
    }
    data: dict[str, Json] = {"project": news.project, "incident": facts}
    return Said(one_line(head + news.sentence), {"text": text, "path": f"/incidents/{news.incident}", "data": data})


def summary(subjects: Sequence[str]) -> tuple[str, dict[str, Json]]:
    """(subject, body) for what a channel gets instead of more single messages."""
    return _summary(list(subjects), len(subjects))


def more(known: Alert, subject: str) -> tuple[str, dict[str, Json]]:
    """The summary with one alert more."""
    listed = known.body.get("subjects")
    subjects = [s for s in listed if isinstance(s, str)] if isinstance(listed, list) else []
    return _summary([*subjects, subject], known.folded + 1)


def test(channel: str) -> tuple[str, dict[str, Json]]:
    text = f"This is a test of the channel {channel!r}. When you read it, alerts arrive here."
    return f"A test of {one_line(channel, 80)}", {"text": text, "path": "/alerts", "data": {}}


def project_name(database: Database, project: str) -> str:
    found = database.rows("SELECT name FROM project WHERE id = ?", (project,))
    return one_line(str(found[0][0]), 60) if found else project


def _summary(subjects: list[str], folded: int) -> tuple[str, dict[str, Json]]:
    shown = subjects[:_LINES_OF_A_SUMMARY_MAX]
    rest = folded - len(shown)
    lines = [*(f"- {s}" for s in shown), *([f"and {rest} more"] if rest else [])]
    text = "This channel has had its share of messages for the hour. Since then:\n" + "\n".join(lines)
    listed: list[Json] = list(shown)
    word = "alert" if folded == 1 else "alerts"
    return f"{folded} more {word}", {"text": text, "path": "/faults", "data": {"folded": folded}, "subjects": listed}


def _figures(kind: Kind, rule: Rule, desk: Alerts, news: FaultNews, now: float) -> str:
    if kind in ("spike", "threshold"):
        counted = desk.counted(news.fault, rule.within_s, now=now)
        minutes = max(1, round(rule.within_s / 60))
        return f"{counted} events within {minutes} min, {news.users} users so far"
    return ""


_NAMES: Final = (
    "id", "method", "route", "status", "cause", "confidence", "transient", "sentence", "events", "users",
    "first_seen", "last_seen", "state",
)  # fmt: skip
_FAULT: Final = f"SELECT {', '.join(_NAMES)} FROM fault WHERE id = ?"  # noqa: S608 - our own names
