"""The words of the alerts: a subject of one line, a text for people, and the same as data for programs.

Everything of an event that stands in them is text, cut and on one line; whoever shows it must escape it. The address of
a page is stored as a path: how the Console is called from outside is known where it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        _where(facts, fp.culprit, event.environment, event.release),
        diagnosis.sentence if diagnosis else str(facts["sentence"]),
        figures or _so_far(kind, facts),
        f"Reference {event.event_id}",
    ]
    text = "\n".join(one_line(line, 600) for line in lines if line)
    facts |= {"title": fp.title, "message": fp.message, "culprit": fp.culprit, "reference": event.event_id}
    facts |= {"advice": diagnosis.advice if diagnosis else "", "release": event.release}
    facts |= {"environment": event.environment, "level": event.level}
    data: dict[str, Json] = {"project": news.project, "rule": rule.name, "fault": facts}
    return Said(one_line(head + name), {"text": text, "path": f"/faults/{news.fault}", "data": data})


def incident(database: Database, news: IncidentNews) -> Said:
    head = f"[{project_name(database, news.project)}] {_HEADS[news.kind]}: "
    text = f"{one_line(news.sentence, 600)}\n{_more(news)}"
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


def _more(news: IncidentNews) -> str:
    """What the sentence of an incident does not say."""
    parts = [f"Environments: {', '.join(news.environments[:4])}." if news.environments else ""]
    parts.append(f"Cause: {' and '.join(news.causes[:3])}." if news.causes else "")
    parts.append("It is over." if news.kind == "incident_closed" else "")
    return one_line(" ".join(part for part in parts if part), 600)


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


def _where(facts: Mapping[str, Json], culprit: str, environment: str, release: str) -> str:
    """ "POST /checkout → 500 in production, release 2.4.0"."""
    asked = " ".join(str(facts[n]) for n in ("method", "route") if facts[n]) or culprit
    answered = f" → {facts['status']}" if facts["status"] and asked else ""
    place = f" in {environment}" if environment else ""
    return f"{asked}{answered}{place}{f', release {release}' if release else ''}".strip(" ,")


def _so_far(kind: Kind, facts: Mapping[str, Json]) -> str:
    """Nothing for what is new: its figures are those of one event."""
    if kind in ("new", "once"):
        return ""
    events, users = (n if isinstance(n := facts[name], int) else 0 for name in ("events", "users"))
    return f"{_count(events, 'event')}, {_count(users, 'user')} so far"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _figures(kind: Kind, rule: Rule, desk: Alerts, news: FaultNews, now: float) -> str:
    if kind in ("spike", "threshold"):
        counted = desk.counted(news.fault, rule.within_s, now=now)
        minutes = max(1, round(rule.within_s / 60))
        return f"{_count(counted, 'event')} within {minutes} min, {_count(news.users, 'user')} so far"
    return ""


_NAMES: Final = (
    "id", "method", "route", "status", "cause", "confidence", "transient", "sentence", "events", "users",
    "first_seen", "last_seen", "state",
)  # fmt: skip
_FAULT: Final = f"SELECT {', '.join(_NAMES)} FROM fault WHERE id = ?"  # noqa: S608 - our own names
