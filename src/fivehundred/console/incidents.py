"""Incidents: which faults that fail beyond normal belong together, as a pure decision over values.

It reads no clock and no database: the desk (``store.incidents``) brings the signals and writes what is decided. The
most telling thing that faults share decides, in this order: one exception group, one resource, one new release, one
host, and at last the minute alone. A fault is part of one open incident at most, so an outage is one incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fivehundred.console.store.incidents import Closed, Continued, Kind, Known, Opened, Signal, Surroundings

window_s: Final = 900.0  # faults that fail within it may belong together
quiet_s: Final = 600.0  # so long back to normal, and it is over
again_s: Final = 900.0  # within it the same thing is the old incident, not a new one
longest_s: Final = 86_400.0  # what shares no resource and lasts longer is how things are now
events_min: Final = 5  # of a fault, before its rate means anything
factor: Final = 5.0  # times its normal rate
resource_faults_min: Final = 2
release_faults_min: Final = 3
host_faults_min: Final = 3
time_faults_min: Final = 5


@dataclass(frozen=True, slots=True)
class Decision:
    opened: tuple[Opened, ...] = ()
    continued: tuple[Continued, ...] = ()
    closed: tuple[Closed, ...] = ()


def decide(
    known: Sequence[Known], signals: Sequence[Signal], projects: Mapping[str, Surroundings], *, now: float
) -> Decision:
    """``known`` are the open incidents and those that were resolved within ``again_s``; now is the events' own time."""
    burning = [s for s in signals if is_beyond_normal(s) and s.last_at > now - window_s]
    continued, taken = _continued(known, burning)
    return Decision(opened=tuple(_opened([s for s in burning if s.fault not in taken], projects)), continued=continued)


def over(known: Iterable[Known], *, now: float) -> tuple[Closed, ...]:
    """Those that are over: asked when nothing waits to be digested, so that what is late is no silence."""
    found = []
    for one in known:
        if one.resolved_at is not None:
            continue
        if not one.unresolved:
            found.append(Closed(one.id, "all of its faults are resolved or muted", now))
        elif now - one.last_at >= quiet_s:
            found.append(Closed(one.id, "its faults are back to normal", now))
        elif one.kind != "resource" and now - one.opened_at >= longest_s:
            found.append(Closed(one.id, "it lasted a day: this is how things are now", now))
    return tuple(found)


def is_beyond_normal(signal: Signal) -> bool:
    return signal.began or signal.events >= max(events_min, factor * signal.normal)


def _continued(known: Sequence[Known], burning: Sequence[Signal]) -> tuple[tuple[Continued, ...], set[int]]:
    """What belongs to incidents that there are, and the faults that are spoken for."""
    joined: dict[int, list[Signal]] = {}
    taken: set[int] = set()
    newest_first = sorted(known, key=lambda k: (k.resolved_at is not None, -k.opened_at, -k.id))
    for signal in burning:
        home = next((k for k in newest_first if signal.fault in k.faults), None) or next(
            (k for k in newest_first if _fits(k, signal)), None
        )
        if home is not None:
            joined.setdefault(home.id, []).append(signal)
            taken.add(signal.fault)
    subjects = {k.id: k.subject for k in known}
    return (
        tuple(
            Continued(
                number,
                tuple(sorted(s.fault for s in found)),
                max(s.last_at for s in found),
                _more_exact(subjects[number], found),
            )
            for number, found in sorted(joined.items())
        ),
        taken,
    )


def _more_exact(subject: str, found: Iterable[Signal]) -> str:
    """The address, where the incident had none so far."""
    return next((s.resource for s in found if _vague in subject and is_same(s.resource, subject)), "")


def is_same(one: str, other: str) -> bool:
    """Whether two resources are one: an ended session names no address, so it is any such server of its machine."""
    if one == other:
        return True
    if _vague in one:
        one, other = other, one
    family, vague, host = other.partition(_vague)
    if not vague or not one.startswith(f"{family} at "):
        return False
    machine = one.partition(" on ")[2]
    return machine in ("", host)


_vague: Final = " used by "


def _fits(known: Known, signal: Signal) -> bool:
    if known.kind == "resource":
        same_place = _vague not in known.subject + signal.resource or signal.project in known.projects
        return same_place and is_same(signal.resource, known.subject)
    if known.kind == "group":
        return signal.twin == known.subject
    if signal.project not in known.projects or not signal.began:
        return False
    if known.kind == "release":
        return signal.release == known.subject
    if known.kind == "host":
        return signal.host == known.subject
    return signal.last_at - known.last_at < window_s


def _opened(burning: Sequence[Signal], projects: Mapping[str, Surroundings]) -> Iterable[Opened]:
    rest = list(burning)
    for subject, found in _shared((s.twin, s) for s in rest):
        if len(found) > 1:
            yield _open("group", subject, found)
            rest = _without(rest, found)
    for subject, found in _shared((_exact(s, rest), s) for s in rest):
        if len(found) >= resource_faults_min or sum(s.events for s in found) >= events_min:
            yield _open("resource", subject, found)
            rest = _without(rest, found)
    for project in dict.fromkeys(s.project for s in rest):
        yield from _opened_in([s for s in rest if s.project == project], projects.get(project, Surroundings()))


def _opened_in(rest: list[Signal], around: Surroundings) -> Iterable[Opened]:
    for subject, found in _shared((s.release, s) for s in rest if s.began and s.release in around.new_releases):
        if len(found) >= release_faults_min:
            yield _open("release", subject, found)
            rest = _without(rest, found)
    for subject, found in _shared((s.host, s) for s in rest):
        if len(found) >= host_faults_min and around.hosts > 1:
            yield _open("host", subject, found)
            rest = _without(rest, found)
    if len(rest) >= time_faults_min and around.settled:
        yield _open("time", "", rest)


def _exact(signal: Signal, others: Sequence[Signal]) -> str:
    """Its resource, by its address where another fault of the project names the only one that it can be."""
    if _vague not in signal.resource:
        return signal.resource
    named = {s.resource for s in others if s.project == signal.project and is_same(s.resource, signal.resource)}
    exact = named - {signal.resource}
    return next(iter(exact)) if len(exact) == 1 else signal.resource


def _shared(named: Iterable[tuple[str, Signal]]) -> list[tuple[str, list[Signal]]]:
    found: dict[str, list[Signal]] = {}
    for name, signal in named:
        if name:
            found.setdefault(name, []).append(signal)
    return sorted(found.items())


def _without(rest: Sequence[Signal], taken: Sequence[Signal]) -> list[Signal]:
    gone = {s.fault for s in taken}
    return [s for s in rest if s.fault not in gone]


def _open(kind: Kind, subject: str, found: Sequence[Signal]) -> Opened:
    heaviest = max(found, key=lambda s: (s.events, -s.fault))
    return Opened(
        kind=kind,
        subject=subject,
        project=heaviest.project,
        faults=tuple(sorted(s.fault for s in found)),
        opened_at=min(s.first_at for s in found),
        last_at=max(s.last_at for s in found),
    )
