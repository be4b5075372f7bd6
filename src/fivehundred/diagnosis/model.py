"""The words of a diagnosis: Fact, Step, Diagnosis, Verdict, History. Values only; the rules are in the files beside."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from fivehundred.event import Json
from fivehundred.record import record

Cause: TypeAlias = Literal["misconfiguration", "overload", "bug", "database", "security", "unknown"]
Confidence: TypeAlias = Literal["certain", "likely", "possible", "unknown"]
# "yes": a later try may succeed with no change; "clears": it lasts until a resource recovers; "no": a person must act
Transient: TypeAlias = Literal["yes", "no", "clears", "unknown"]
Strength: TypeAlias = Literal["decisive", "strong", "weak"]
StepState: TypeAlias = Literal["found", "normal", "missing"]  # missing: not collected; the text says how to collect it
StepName: TypeAlias = Literal["logs", "code", "database", "resources", "security", "retry"]

causes: tuple[Cause, ...] = get_args(Cause)
confidences: tuple[Confidence, ...] = get_args(Confidence)
step_names: tuple[StepName, ...] = get_args(StepName)


@record(frozen=True, slots=True)
class Fact:
    """One checked fact for or against a cause."""

    kind: str  # from the table in docs/reference/evidence.md: "errno", "sqlstate", "taint", "probe", "pool"
    subject: str  # what it is about: "127.0.0.1:5432", "DATABASE_URL", "query.q"
    value: str  # what was seen: "ECONNREFUSED", "53300"
    strength: Strength
    source: str  # where it was seen: "exception[0].mechanism.meta.errno", "contexts.fivehundred.probes[0]"
    text: str  # one clause that a person reads: "connection to 127.0.0.1:5432 was refused (ECONNREFUSED)"
    seen_at: float | None = None  # seconds since 1970
    against: bool = False  # a veto: this speaks against the twin named in the diagnosis


@record(frozen=True, slots=True)
class Step:
    """One of the six steps of a runbook, filled in for this fault."""

    name: StepName
    state: StepState
    summary: str  # one sentence: what was found, or what is normal here, or what was not collected
    lines: tuple[str, ...] = ()  # the facts below it, one a line; may be code or SQL
    next: str = ""  # the next thing to do, as an instruction


@record(frozen=True, slots=True)
class Diagnosis:
    cause: Cause
    confidence: Confidence
    transient: Transient
    rule: str  # id of the rule that decided, such as "database.refused"
    sentence: str  # the whole verdict as a person reads it
    advice: str  # what to do, as an instruction
    retry: str  # "Retrying helps when the database is back." / "Retrying does not help until ..."
    evidence: tuple[Fact, ...] = ()  # for it, the strongest first
    ruled_out: tuple[str, ...] = ()  # "Not a wrong address: it worked 40 s ago."
    also: tuple[str, ...] = ()  # rules that matched as well
    missing: tuple[str, ...] = ()  # what would make it surer, and how to collect it
    runbook: tuple[Step, ...] = ()

    def to_json(self) -> dict[str, Json]:
        from dataclasses import asdict

        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Json]) -> Diagnosis:
        """The value that ``to_json`` made. Meant for our own stored data: wrong shapes raise TypeError or KeyError."""
        values: dict[str, Any] = dict(raw)
        return cls(
            **{
                **values,
                "evidence": tuple(Fact(**fact) for fact in values["evidence"]),
                "runbook": tuple(Step(**{**step, "lines": tuple(step["lines"])}) for step in values["runbook"]),
                **{name: tuple(values[name]) for name in ("ruled_out", "also", "missing")},
            }
        )


@record(frozen=True, slots=True)
class Verdict:
    """The quick form, for the Guard: what an exception alone says, and the status that follows from it."""

    cause: Cause
    transient: Transient
    status: int  # 500, 502, 503, 504, 507
    retry_after_s: int | None  # None: nothing to promise
    rule: str
    public: str  # the sentence for an application that discloses the cause: never a host, user, path or driver text


@record(frozen=True, slots=True)
class History:
    """What the Console knows about a fault before this event of it; every field may be unknown (None, empty)."""

    events: int = 0
    first_seen: float | None = None
    releases: tuple[str, ...] = ()  # oldest first, this event's included
    hosts: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    newest_release: str = ""
    all_hosts: int | None = None  # hosts of the project seen in the last day
    others_now: tuple[str, ...] = ()  # titles of other faults seen in the same minutes
