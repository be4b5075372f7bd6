"""Rule: one row of the decision list. Values only; what a rule looks at beyond codes is a function beside it.

A rule states the codes, classes and driver texts that speak for it, so that the same row serves the Guard's quick form,
the Console's full one and the reference page. ``when`` adds facts that need a whole event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

from fivehundred.diagnosis.model import Cause, Fact, Transient
from fivehundred.record import record

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case
    from fivehundred.diagnosis.told.base import Told

# What stands at the other end: "" says that the rule does not care
Peer: TypeAlias = Literal["", "database", "http", "other"]
Finder: TypeAlias = "Callable[[Case], Iterable[Fact]]"
Teller: TypeAlias = "Callable[[Case], Told]"


@record(frozen=True, slots=True)
class Veto:
    """A reason not to believe a rule, or the twin that it is told apart from."""

    twin: str  # "the database is down"
    find: Finder  # facts that speak against it; nothing: no veto
    says: str = ""  # the reason in short, where the facts' own words stand in the evidence already


@record(frozen=True, slots=True)
class Rule:
    """``because`` completes "it failed because ...", ``until`` completes "retrying helps when / not until ..."."""

    id: str
    cause: Cause
    transient: Transient
    because: str
    advice: str
    until: str
    source: str  # where the knowledge stands: a page of the software's own documentation
    told_apart: str = ""  # for the reference: what it is confused with and what decides
    sqlstates: tuple[str, ...] = ()  # five characters, or two for a whole class
    mysql: tuple[int, ...] = ()
    sqlite: tuple[str, ...] = ()  # extended names too: "SQLITE_BUSY" covers "SQLITE_BUSY_SNAPSHOT"
    errnos: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # "root module.Class"; "builtins.KeyError"; ".Class": of any module
    texts: tuple[str, ...] = ()  # "product|what the driver or server says"; an empty product is any
    replies: tuple[str, ...] = ()  # "401", "THROTTLED": a status or error code that another service answered
    peer: Peer = ""
    weak_class: bool = False  # the class alone says little: strong instead of decisive
    status: int = 500
    retry_after_s: int | None = None
    public: str = ""
    tell: Teller | None = None  # the clause, the decisive fact and the advice with this event's own names
    when: Finder | None = None
    confirms: Finder | None = None
    excludes: Finder | None = None  # what excludes the nearest twin; while it finds nothing, nothing is certain
    vetoes: tuple[Veto, ...] = ()  # one that finds something takes the rule out
    nots: tuple[Veto, ...] = ()  # twins that the found facts rule out; the rule stays
