"""Alerts: what a batch did to faults becomes messages in the outbox, in the batch's own transaction.

Storm control has three parts. A fault inside an open incident is told of by its incident alone. A rule is quiet about
the same subject for a time. A channel takes so many messages an hour; what is above that is folded into one summary.
Sending is ``alerts_send``; the words are ``alerts_words``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from fivehundred.console import alerts_words as words
from fivehundred.console.store.alerts import Alerts, Kind, Narrow, Rule
from fivehundred.console.store.base import FaultNews
from fivehundred.console.store.database import Database
from fivehundred.console.store.triage import Triage

hour_s: Final = 3600.0
summary_after_s: Final = 900.0  # how long folded alerts are gathered before their summary goes out
spike_factor: Final = 5.0  # so many times what is normal for the fault
spike_age_s: Final = 3600.0  # a fault younger than this has no normal yet


def follow(database: Database, news: Sequence[FaultNews], *, now: float, in_incident: Collection[int] = ()) -> int:
    """Inside the transaction of the batch: how many messages were written or folded."""
    desk = Alerts(database)
    rules = desk.rules(enabled_only=True)
    if not rules:
        return 0
    written = 0
    for one in news:
        if any("threshold" in rule.kinds or "spike" in rule.kinds for rule in rules):
            desk.count(one.fault, one.events, now=now)
        if one.fault not in in_incident:
            team = _team_of(database, one.fault) if any(rule.narrow.team for rule in rules) else ""
            written += sum(_tell(database, desk, rule, one, now) for rule in rules if fits(rule.narrow, one, team))
    return written


@dataclass(frozen=True, slots=True)
class IncidentNews:
    """What is to be told of an incident."""

    incident: int
    kind: Kind  # "incident_opened" or "incident_closed"
    project: str
    sentence: str
    faults: int
    events: int
    environments: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


def follow_incidents(database: Database, news: Sequence[IncidentNews], *, now: float) -> int:
    """Inside the same transaction: one message an incident and rule."""
    desk = Alerts(database)
    rules = desk.rules(enabled_only=True) if news else []
    written = 0
    for one in news:
        subject = f"incident:{one.incident}:{one.kind}"
        for rule in rules:
            if (
                one.kind in rule.kinds
                and _fits_incident(database, rule.narrow, one)
                and desk.told_at(rule.id, subject) is None
            ):
                desk.tell(rule.id, subject, now=now)
                _post(desk, rule, one.kind, one.project, words.incident(database, one), now)
                written += 1
    return written


def fits(narrow: Narrow, news: FaultNews, team: str = "") -> bool:
    """Whether the newest event of the fault is what the rule is about."""
    event = news.newest.event
    cause = news.diagnosed.diagnosis.cause if news.diagnosed and news.diagnosed.diagnosis else ""
    return (
        _any(narrow.project, news.project)
        and _any(narrow.environment, event.environment)
        and _any(narrow.level, event.level)
        and (not narrow.cause or not cause or cause in narrow.cause)
        and (not narrow.team or team.lower() in {name.lower() for name in narrow.team})
        and (not narrow.tag or any(event.tags.get(name) == value for name, value in narrow.tag))
    )


def _team_of(database: Database, fault: int) -> str:
    """Whose the fault is, when it is a team's; the rules of ownership were followed before."""
    owner = Triage(database).of([fault])[fault].owner
    return owner.name if owner is not None and owner.kind == "team" else ""


def _fits_incident(database: Database, narrow: Narrow, news: IncidentNews) -> bool:
    return (
        _any(narrow.project, news.project)
        and (not narrow.environment or bool(set(narrow.environment) & set(news.environments)))
        and (not narrow.cause or bool(set(narrow.cause) & set(news.causes)))
        and (not narrow.team or bool({name.lower() for name in narrow.team} & _teams_of(database, news.incident)))
    )


def _teams_of(database: Database, incident: int) -> set[str]:
    """In small letters: whose its faults are."""
    sql = (
        "SELECT DISTINCT lower(t.owner) FROM incident_fault i JOIN triage t ON t.fault = i.fault"
        " WHERE i.incident = ? AND t.owner_kind = 'team'"
    )
    return {str(row[0]) for row in database.rows(sql, (incident,))}


def _any(wanted: tuple[str, ...], value: str) -> bool:
    return not wanted or value in wanted


def _tell(database: Database, desk: Alerts, rule: Rule, news: FaultNews, now: float) -> bool:
    """The first kind of the rule that holds makes one message; the others would say the same."""
    for kind in rule.kinds:
        if _holds(desk, rule, kind, news, now):
            subject = f"fault:{news.fault}" + (":once" if kind == "once" else "")
            if not _is_quiet(desk, rule, kind, subject, now):
                desk.tell(rule.id, subject, now=now)
                _post(desk, rule, kind, news.project, words.fault(database, kind, news, rule, now=now), now)
                return True
    return False


def _holds(desk: Alerts, rule: Rule, kind: Kind, news: FaultNews, now: float) -> bool:
    if kind == "new":
        return news.created
    if kind == "regressed":
        return news.regressed
    if kind == "once":
        return True
    if kind == "threshold":
        return desk.counted(news.fault, rule.within_s, now=now) >= rule.threshold
    if kind == "spike":
        return _is_spike(desk, rule, news, now)
    return False


def _is_spike(desk: Alerts, rule: Rule, news: FaultNews, now: float) -> bool:
    if news.created:
        return False
    counted = desk.counted(news.fault, rule.within_s, now=now)
    if counted < rule.threshold:
        return False
    if now - desk.first_seen(news.fault) < spike_age_s:
        return False
    return counted >= spike_factor * desk.normal(news.fault, rule.within_s, now=now)


def _is_quiet(desk: Alerts, rule: Rule, kind: Kind, subject: str, now: float) -> bool:
    told_at = desk.told_at(rule.id, subject)
    if told_at is None:
        return False
    if kind == "once":
        return True
    return kind in ("spike", "threshold") and now - told_at < rule.again_s


def _post(desk: Alerts, rule: Rule, kind: str, project: str, said: words.Said, now: float) -> None:
    """Into the outbox, or into the summary when the channel has had its share of this hour."""
    channel = desk.channel(rule.channel)
    if desk.recent(channel.id, since=now - hour_s) < channel.hourly_max:
        desk.add(channel.id, rule.id, kind, project, said.subject, said.body, now=now, due_at=now)
        return
    summary = desk.summary(channel.id)
    if summary is None:
        subject, body = words.summary([said.subject])
        due_at = now + summary_after_s
        desk.add(channel.id, 0, "summary", project, subject, body, now=now, due_at=due_at, folded=1)
    else:
        subject, body = words.more(summary, said.subject)
        desk.refill(summary.id, subject, body, summary.folded + 1)
