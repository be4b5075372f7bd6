"""Act: one thing that a person does with faults, as a form, the API or a command says it. The desk does it.

The words of a form's button: ``resolve``, ``resolve this``, ``resolve next``, ``resolve 2.5.0``, ``reopen``, ``mute``,
``mute 1h``, ``mute 100 events``, ``mute 10 users``, ``assign Ann``, ``assign-team billing``, ``assign`` (to nobody),
``priority high``, ``review``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from fivehundred.console.store.triage import (
    FixedIn,
    Owner,
    Priority,
    Triage,
    TriageRefused,
    Until,
    faults_at_once_max,
    priorities,
)

ActKind: TypeAlias = Literal["resolve", "reopen", "mute", "assign", "priority", "review"]
act_kinds: Final[tuple[ActKind, ...]] = get_args(ActKind)
fixed_ins: Final[tuple[FixedIn, ...]] = get_args(FixedIn)
_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_release_chars_max: Final = 200
_PAST: Final = {
    "resolve": "resolved",
    "reopen": "reopened",
    "mute": "muted",
    "assign": "assigned",
    "priority": "prioritised",
    "review": "reviewed",
}


@dataclass(frozen=True, slots=True)
class Act:
    kind: ActKind
    fixed_in: FixedIn = ""
    release: str = ""
    until: Until = field(default_factory=Until)
    owner: Owner | None = None
    priority: Priority = ""


def perform(desk: Triage, act: Act, faults: Sequence[int], *, by: str, now: float) -> int:
    """How many faults are not as they were. Raises TriageRefused."""
    if len(faults) > faults_at_once_max:
        raise TriageRefused(f"at most {faults_at_once_max} faults at once; nothing was changed")
    if act.kind == "resolve":
        return desk.resolve(faults, by=by, now=now, fixed_in=act.fixed_in, release=act.release)
    if act.kind == "reopen":
        return desk.reopen(faults, by=by, now=now)
    if act.kind == "mute":
        return desk.mute(faults, by=by, now=now, until=act.until)
    if act.kind == "assign":
        return desk.assign(faults, act.owner, by=by, now=now)
    if act.kind == "priority":
        return desk.prioritise(faults, act.priority, by=by, now=now)
    desk.review(faults, now=now)
    return len(faults)


def told(words: str, faults: Sequence[int]) -> str:
    """The act as the audit log says it: "muted #1, #2 (1h)"."""
    name, _, rest = " ".join(words.split()).partition(" ")
    rest = {"this": "in this release", "next": "in the next release"}.get(rest, rest)
    done = _PAST.get(name.removesuffix("-team"), name)
    return f"{done} {', '.join(f'#{n}' for n in faults[:50])}" + (f" ({rest})" if rest else "")


def parse(words: str) -> Act:
    """Raises TriageRefused for what is no act."""
    name, _, rest = " ".join(words.replace("\0", "").split()).partition(" ")
    if name == "assign-team":
        return Act("assign", owner=Owner(rest, "team"))
    kind = next((k for k in act_kinds if k == name), None)
    if kind is None:
        raise TriageRefused(f"an act is one of {', '.join(act_kinds)}, not {name[:40]!r}")
    if kind == "resolve":
        return resolve(rest)
    if kind == "mute":
        return Act("mute", until=until(rest))
    if kind == "assign":
        return Act("assign", owner=Owner(rest) if rest and rest != "nobody" else None)
    if kind == "priority":
        priority = next((p for p in priorities if p == rest), None)
        if priority is None:
            raise TriageRefused(f"a priority is high, medium or low, not {rest[:40]!r}")
        return Act("priority", priority=priority)
    return Act(kind)


def resolve(rest: str) -> Act:
    """``""``, ``this``, ``next``, or the name of a release."""
    if len(rest) > _release_chars_max:
        raise TriageRefused(f"the name of a release has at most {_release_chars_max} characters")
    known: FixedIn | None = next((f for f in fixed_ins if f == rest), None)
    return Act("resolve", fixed_in=known) if known is not None else Act("resolve", fixed_in="this", release=rest)


def until(rest: str) -> Until:
    """``""``, ``30m``, ``1h``, ``7d``, ``100 events``, ``10 users``."""
    span = re.fullmatch(r"([0-9]{1,5})([mhdw])", rest)
    if span:
        return Until(seconds=float(int(span[1]) * _UNITS[span[2]]))
    count = re.fullmatch(r"([0-9]{1,9}) (event|user)s?", rest)
    if count:
        more = int(count[1])
        return Until(events=more) if count[2] == "event" else Until(users=more)
    if rest:
        raise TriageRefused(f"a fault is muted for 30m, 1h or 7d, or until 100 events or 10 users, not {rest[:40]!r}")
    return Until()
