"""The verdict as a person reads it. Built from the rule's own words and the facts, never from the event's markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivehundred.diagnosis.confidence import origin
from fivehundred.diagnosis.frames import place
from fivehundred.diagnosis.model import Diagnosis, Fact, Step, step_names
from fivehundred.diagnosis.rules.base import Rule
from fivehundred.event import Event

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case
    from fivehundred.diagnosis.told.base import Told


def whole(case: Case, rule: Rule, diagnosis: Diagnosis, told: Told) -> str:
    """<what failed> because <cause> (<confidence>): <decisive fact>; <confirming fact>. Not <twin>: <veto>. Do: ..."""
    facts = "; ".join(_headline(diagnosis.evidence))
    because = told.because or rule.because
    parts = [f"{_subject(case.event)} because {because} ({diagnosis.confidence}): {facts}."]
    parts.extend(diagnosis.ruled_out[:1])
    parts.append(f"Do: {diagnosis.advice}.")
    parts.append(diagnosis.retry)
    return " ".join(part for part in parts if part)


def _headline(evidence: tuple[Fact, ...]) -> list[str]:
    """The decisive fact and the first that was seen elsewhere."""
    first = evidence[0]
    second = next((fact for fact in evidence[1:] if fact.strength != "weak" and origin(fact) != origin(first)), None)
    return [fact.text.rstrip(".") for fact in (first, second) if fact is not None]


def _subject(event: Event) -> str:
    route = event.ours.get("route")
    method = event.ours.get("method") or (event.request.method if event.request else "")
    if isinstance(route, str) and route and isinstance(method, str):
        return f"{method} {route} fails".strip()
    if event.transaction:
        return f"{event.transaction} fails"
    return "It fails"


def advice(case: Case, rule: Rule, evidence: tuple[Fact, ...], told: Told) -> str:
    """The rule's advice, with the names that the facts give."""
    if told.advice:
        return told.advice
    if case.app_frame is not None and "the named line" in rule.advice:
        return rule.advice.replace("the named line", place(case.app_frame))
    name = next((fact.subject for fact in evidence if fact.kind == "env" and fact.subject), "")
    if name:
        return rule.advice.replace("the named variable", name).replace("the variable's value", f"the value of {name}")
    return rule.advice


def retry(rule: Rule) -> str:
    if rule.transient in ("yes", "clears"):
        return f"Retrying helps when {rule.until}."
    if rule.transient == "no":
        return f"Retrying does not help until {rule.until}."
    return f"Whether retrying helps is not known; it may when {rule.until}."


def undecided(event: Event, reason: str, ruled_out: list[str] | None = None) -> Diagnosis:
    """Unknown, and what would make it known."""
    how = "install the Guard, which collects codes, frames, resources and probes"
    if event.ours:
        how = "look at the log lines around the event's time, and at the server's own error log"
    return Diagnosis(
        cause="unknown",
        confidence="unknown",
        transient="unknown",
        rule="unknown",
        sentence=f"{_subject(event)} for an unknown cause: {reason}. To know more: {how}.",
        advice=how,
        retry="Whether retrying helps is not known.",
        ruled_out=tuple(ruled_out or ()),
        missing=(f"{reason}; {how}",),
        runbook=tuple(Step(name, "missing", "Nothing could be read from this event.", next=how) for name in step_names),
    )
