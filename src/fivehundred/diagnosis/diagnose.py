"""Diagnose: an Event and what surrounds it become a Diagnosis, by the ordered decision list in ``rules``.

Deterministic, offline, without weights: the first rule with a match and without a veto decides, the rest become "also
seen". It never raises: whatever an event holds, there is a Diagnosis, if need be one that says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fivehundred import limits
from fivehundred.diagnosis import sentence
from fivehundred.diagnosis.case import Case, case_of
from fivehundred.diagnosis.confidence import confidence, origin
from fivehundred.diagnosis.model import Confidence, Diagnosis, Fact, History
from fivehundred.diagnosis.rules.base import Finder, Rule, Veto
from fivehundred.diagnosis.rules.order import rules
from fivehundred.diagnosis.runbook import runbook
from fivehundred.diagnosis.seen import past
from fivehundred.diagnosis.told import peers
from fivehundred.diagnosis.told.base import Told, nothing
from fivehundred.event import Event

no_history: Final = History()


def diagnose(event: Event, history: History = no_history) -> Diagnosis:
    try:
        case = case_of(event, history)
        decided = _decide(case)
        return replace(decided, runbook=runbook(case, decided))
    except Exception as e:  # the edge: an event that trips a rule must not be lost for it
        return sentence.undecided(event, f"the rules failed on this event with {type(e).__name__}")


@dataclass(slots=True)
class _Match:
    rule: Rule
    facts: list[Fact]
    confirming: Sequence[Fact] = ()


def _decide(case: Case) -> Diagnosis:
    matches: list[_Match] = []
    ruled_out: list[str] = []
    clues, found = case.clues, case.found
    for rule, when in _asked:  # some hundred for every event: written out for its speed
        facts = clues.get(rule.id)
        if when is not None:
            more = found.get(when)
            if more is None:
                more = found[when] = tuple(when(case))
            if more:
                facts = [*facts, *more] if facts else list(more)
        if not facts:
            continue
        vetoed = _vetoes(rule, case)
        if vetoed:
            ruled_out.extend(vetoed)
            continue
        matches.append(_Match(rule, facts))
    if not matches:
        return sentence.undecided(case.event, _missing_for_anything(case), ruled_out)
    chosen = _chosen(matches, case)
    chosen.confirming = _found(chosen.rule.confirms, case)
    return _diagnosis(chosen, matches, ruled_out, case)


_asked: Final = tuple((rule, rule.when) for rule in rules)


def _found(finder: Finder | None, case: Case) -> Sequence[Fact]:
    """What a finder finds, asked once per case."""
    if finder is None:
        return ()
    found = case.found.get(finder)
    if found is None:
        found = case.found[finder] = tuple(finder(case))
    return found


def _vetoes(rule: Rule, case: Case) -> list[str]:
    return _said(rule.vetoes, case)


def _said(vetoes: tuple[Veto, ...], case: Case) -> list[str]:
    """The vetoes that hold, each as a sentence."""
    held = ((veto, _found(veto.find, case)) for veto in vetoes)
    return [f"Not {veto.twin}: {veto.says or facts[0].text}." for veto, facts in held if facts]


def _chosen(matches: list[_Match], case: Case) -> _Match:
    """The first in order; but one that rests on weak words alone gives way to a later one that a code states."""
    first = matches[0]
    if any(fact.strength != "weak" for fact in first.facts):
        return first
    return next((match for match in matches if any(fact.strength == "decisive" for fact in match.facts)), first)


# ---- the answer ----------------------------------------------------------------------------------

_order: Final = {"decisive": 0, "strong": 1, "weak": 2}


def _diagnosis(match: _Match, matches: list[_Match], ruled_out: list[str], case: Case) -> Diagnosis:
    rule = match.rule
    told = rule.tell(case) if rule.tell is not None else nothing
    evidence = _evidence([*match.facts, *match.confirming, *past.context(case)], told, case)
    own = [told.veto] if told.veto else []
    out = list(dict.fromkeys([*_said(rule.nots, case), *own, *ruled_out]))
    decided = Diagnosis(
        cause=rule.cause,
        confidence=_confidence(match, case),
        transient=rule.transient,
        rule=rule.id,
        sentence="",
        advice=sentence.advice(case, rule, evidence, told),
        retry=sentence.retry(rule),
        evidence=evidence,
        ruled_out=tuple(out[: limits.facts_shown_max]),
        also=tuple(other.rule.id for other in matches if other.rule is not rule)[: limits.also_shown_max],
        missing=tuple(_missing(case, rule)),
    )
    return replace(decided, sentence=sentence.whole(case, rule, decided, told))


def _confidence(match: _Match, case: Case) -> Confidence:
    found = confidence([*match.facts, *match.confirming])
    twin_open = match.rule.excludes is not None and not _found(match.rule.excludes, case)
    return "likely" if found == "certain" and twin_open else found


def _evidence(facts: Iterable[Fact], told: Told, case: Case) -> tuple[Fact, ...]:
    """The strongest first, each once however many exceptions of the chain say it; last the messages as they came."""
    found: dict[tuple[str, str], Fact] = {}
    for fact in sorted(facts, key=lambda fact: _order[fact.strength]):
        # several known words of one message are one fact
        found.setdefault((fact.kind, fact.source if fact.kind == "message" else fact.value), fact)
    kept = list(found.values())
    place = next((number for number, fact in enumerate(kept) if origin(fact) == "exception"), None)
    if told.fact and place is not None:
        kept[place] = replace(kept[place], text=told.fact)
    shown = {fact.text: fact for fact in reversed(kept)}
    kept = [fact for fact in kept if shown[fact.text] is fact]
    raw = [Fact("message", "as raised", "", "weak", "exception", text) for text in peers.said(case)]
    return (*kept[: limits.facts_shown_max - len(raw[:3])], *raw[:3])


def _missing(case: Case, rule: Rule) -> list[str]:
    if case.ours:
        missing = []
        if rule.peer == "database" or rule.id.startswith(("database.", "overload.pool")):
            if not case.ours.get("pools"):
                missing.append("pool states and past successes: show the pool to the Guard with guard.watch(engine)")
            if not case.ours.get("probes") and case.address:
                missing.append(f"a probe of {case.address}: the Guard asks the peers that the exception names")
        return missing
    return ["resources, probes and pool states at that moment: install the Guard beside the present SDK"]


def _missing_for_anything(case: Case) -> str:
    if not case.event.exceptions:
        return "the event holds no exception, only a message"
    if not case.frames:
        return "no code, class or text in it is known, and it has no stack"
    return "no code, class or text in it is known, and no frame of the application stands in its stack"
