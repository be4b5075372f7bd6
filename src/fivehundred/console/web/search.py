"""The search language of the faults list: text and ``name:value`` terms to a FaultQuery, and back.

One line holds everything, so that a URL holds it too: ``is:open cause:database -env:staging "connection refused"``.
What cannot be understood is said, with what to type instead; the rest of the line still works. Nothing here asks the
store: project names come in as values. What could come next is in ``suggest``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from fivehundred import limits
from fivehundred.console.store.base import FaultQuery, FaultState, Order, Project
from fivehundred.console.store.triage import Priority
from fivehundred.diagnosis.model import Cause, causes
from fivehundred.event import clean, clean_id

State: TypeAlias = Literal["review", "open", "muted", "resolved", "any"]

states: tuple[State, ...] = get_args(State)
orders: tuple[Order, ...] = get_args(Order)
priorities: Final[tuple[Priority, ...]] = ("high", "medium", "low")
# counted with every event of a fault; any other tag is written as tag:name=value
counted: Final = ("host", "route", "method", "level", "status", "sdk")
filters: Final = (
    "is", "cause", "release", "env", "project", "assigned", "priority", *counted, "tag", "events", "users", "first",
    "last",
)  # fmt: skip
negatable: Final = ("cause", "release", "env", *counted, "tag")
examples: Final = {
    "is": "is:open",
    "cause": "cause:database",
    "release": "release:2.4.0",
    "env": "env:production",
    "project": "project:1",
    "assigned": "assigned:me",
    "priority": "priority:high",
    "host": "host:web-1",
    "route": "route:/orders/{id}",
    "method": "method:POST",
    "level": "level:fatal",
    "status": "status:503",
    "sdk": "sdk:sentry.python/2.20.0",
    "tag": "tag:region=eu",
    "events": "events:>100",
    "users": "users:>10",
    "first": "first:<24h",
    "last": "last:<1h",
}
_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}

# A term is name:value, with a minus before it for "not"; a value in quotes may hold spaces. An address such as http://x
# or db:5432 is plain text, so an unknown name before a slash or a digit is none. Every non-space matches, in the end as
# a word.
_TOKEN = re.compile(
    rf"""(?P<minus>-?)(?P<name>{"|".join(filters)}|[a-z_]{{2,20}}(?=:(?![/\d]))):(?P<value>"[^"]*"|\S*)"""
    r"""|"(?P<quoted>[^"]*)"?|(?P<word>\S+)""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Search:
    """A search line, understood. ``problems`` are sentences for the person who typed it."""

    line: str = ""
    state: State = "open"
    cause: Cause | None = None
    release: str = ""
    environment: str = ""
    project: str | None = None
    assigned: str = ""  # a name, "me", or "nobody"
    priority: Priority = ""
    having: tuple[tuple[str, str], ...] = ()
    without: tuple[tuple[str, str], ...] = ()
    events_min: int = 0
    users_min: int = 0
    first: str = ""  # "24h"
    last: str = ""
    text: str = ""
    problems: tuple[str, ...] = ()

    def query(
        self, *, order: Order = "impact", cursor: str = "", limit: int = 50, me: tuple[str, ...] = ()
    ) -> FaultQuery:
        """``me``: the names of who asks, their teams among them."""
        return FaultQuery(
            project=self.project,
            state=_stored(self.state),
            cause=self.cause,
            release=self.release,
            environment=self.environment,
            text=self.text,
            having=self.having,
            without=self.without,
            owners=_owners(self.assigned, me),
            priority=self.priority,
            review=self.state == "review",
            events_min=self.events_min,
            users_min=self.users_min,
            first_within_s=_seconds(self.first),
            last_within_s=_seconds(self.last),
            order=order,
            cursor=cursor,
            limit=limit,
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the state narrows the list."""
        return self != Search(line=self.line, state=self.state)

    def with_state(self, state: State) -> str:
        """The line that asks for the same in another state."""
        return _spell(replace(self, state=state))

    @property
    def spelled(self) -> str:
        """The line in its one canonical form, for links."""
        return _spell(self)

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """(what narrows, its value, the line without it), for a row of chips."""
        return [(name, value, _spell(without)) for name, value, without in _parts(self)]


def parse(line: str, projects: Sequence[Project]) -> Search:
    """Never raises: a term that makes no sense is named in ``problems`` and left out."""
    line = clean(line)[: limits.search_chars_max].strip()
    found = Search(line=line)
    words: list[str] = []
    for minus, name, value in _tokens(line):
        if name:
            found = _term(found, bool(minus), name.lower(), value.strip('"'), projects)
        elif value:
            words.append(value)
    return replace(found, text=" ".join(words))


def reference(line: str) -> str:
    """The event id when the whole line is a reference, in whatever form it was copied; else empty."""
    line = line.strip().strip("\"'<>.,;")
    for prefix in ("urn:uuid:", "reference:", "error-reference:", "error reference:"):
        if line.lower().startswith(prefix):
            line = line[len(prefix) :]
    return clean_id(line)


def fault_number(line: str) -> int | None:
    """The fault's number when the whole line is ``#12``."""
    match = re.fullmatch(r"#([0-9]{1,15})", line.strip())
    return int(match[1]) if match else None


# ---- one term ------------------------------------------------------------------------------------


def _tokens(line: str) -> list[tuple[str, str, str]]:
    """(minus, name, value) of each term, the name empty for plain text."""
    return [
        (m["minus"] or "", m["name"] or "", m["value"] or m["quoted"] or m["word"] or "") for m in _TOKEN.finditer(line)
    ]


def _term(found: Search, minus: bool, name: str, value: str, projects: Sequence[Project]) -> Search:
    if name not in filters:
        known = ", ".join(f"{f}:" for f in filters)
        return _problem(found, f"There is no filter {name}: (there are {known}). To search for the text, quote it.")
    if not value:
        return _problem(found, f"{name}: needs a value, as in {examples[name]}.")
    if minus:
        return _negated(found, name, value)
    if name == "project":
        project = next((p.id for p in projects if value in (p.id, p.name) or value.lower() == p.name.lower()), None)
        if project is None:
            return _one_of(found, name, value, [p.name for p in projects])
        return replace(found, project=project)
    return _TERMS[name](found, name, value)


def _negated(found: Search, name: str, value: str) -> Search:
    if name not in negatable:
        return _problem(found, f"-{name}: cannot be turned around; what can is {', '.join(negatable)}.")
    if name == "tag":
        pair = _tag(value)
        return _not_a_tag(found, value) if pair is None else replace(found, without=(*found.without, pair))
    if name == "cause" and value.lower() not in causes:
        return _one_of(found, name, value, causes)
    stored = {"env": "environment"}.get(name, name)
    value = value.lower() if name == "cause" else value
    return replace(found, without=(*found.without, (stored, value)))


def _is(found: Search, name: str, value: str) -> Search:
    state = next((s for s in states if s == value.lower()), None)
    return replace(found, state=state) if state else _one_of(found, name, value, states)


def _cause(found: Search, name: str, value: str) -> Search:
    cause = next((c for c in causes if c == value.lower()), None)
    return replace(found, cause=cause) if cause else _one_of(found, name, value, causes)


def _priority(found: Search, name: str, value: str) -> Search:
    priority = next((p for p in priorities if p == value.lower()), None)
    return replace(found, priority=priority) if priority else _one_of(found, name, value, priorities)


def _count(found: Search, name: str, value: str) -> Search:
    match = re.fullmatch(r"(>=|>|)([0-9]{1,9})", value)
    if match is None:
        return _problem(found, f"{name}:{value} is no count; write {examples[name]}.")
    least = int(match[2]) + (match[1] == ">")
    return replace(found, events_min=least) if name == "events" else replace(found, users_min=least)


def _span(found: Search, name: str, value: str) -> Search:
    match = re.fullmatch(r"<?([0-9]{1,4}[mhdw])", value.lower())
    if match is None:
        return _problem(found, f"{name}:{value} is no span of time; write {examples[name]} (m, h, d or w).")
    return replace(found, first=match[1]) if name == "first" else replace(found, last=match[1])


def _having(found: Search, name: str, value: str) -> Search:
    return replace(found, having=(*found.having, (name, value)))


def _tagged(found: Search, _: str, value: str) -> Search:
    pair = _tag(value)
    return _not_a_tag(found, value) if pair is None else replace(found, having=(*found.having, pair))


_TERMS: Final[dict[str, Callable[[Search, str, str], Search]]] = {
    "is": _is,
    "cause": _cause,
    "priority": _priority,
    "release": lambda found, _, value: replace(found, release=value),
    "env": lambda found, _, value: replace(found, environment=value),
    "assigned": lambda found, _, value: replace(found, assigned=value),
    "events": _count,
    "users": _count,
    "first": _span,
    "last": _span,
    "tag": _tagged,
    **dict.fromkeys(counted, _having),
}


def _tag(value: str) -> tuple[str, str] | None:
    name, equals, rest = value.partition("=")
    return (name, rest) if equals and name and rest else None


def _not_a_tag(found: Search, value: str) -> Search:
    return _problem(found, f"tag:{value} is no tag with a value; write {examples['tag']}.")


def _one_of(found: Search, name: str, value: str, known: Sequence[str]) -> Search:
    return _problem(found, f"{name}:{value} is not known; {name}: is one of {', '.join(known[:12]) or '(none yet)'}.")


def _problem(found: Search, sentence: str) -> Search:
    return replace(found, problems=(*found.problems, sentence))


def _stored(state: State) -> FaultState | None:
    """What the store calls it; what is for review is open."""
    return None if state == "any" else "open" if state == "review" else state


def _owners(assigned: str, me: tuple[str, ...]) -> tuple[str, ...] | None:
    if not assigned:
        return None
    if assigned.lower() in ("nobody", "none"):
        return ()
    return me if assigned.lower() == "me" and me else (assigned,)


def _seconds(span: str) -> float | None:
    return float(int(span[:-1]) * _UNITS[span[-1]]) if span else None


# ---- and back ------------------------------------------------------------------------------------


def _parts(s: Search) -> list[tuple[str, str, Search]]:
    """(term, value, the search without it), in the order in which they are spelled; the text last."""
    found: list[tuple[str, str, Search]] = []
    for name, value, without in (
        ("cause", s.cause or "", replace(s, cause=None)),
        ("release", s.release, replace(s, release="")),
        ("env", s.environment, replace(s, environment="")),
        ("project", s.project or "", replace(s, project=None)),
        ("assigned", s.assigned, replace(s, assigned="")),
        ("priority", s.priority, replace(s, priority="")),
        ("events", f">={s.events_min}" if s.events_min else "", replace(s, events_min=0)),
        ("users", f">={s.users_min}" if s.users_min else "", replace(s, users_min=0)),
        ("first", f"<{s.first}" if s.first else "", replace(s, first="")),
        ("last", f"<{s.last}" if s.last else "", replace(s, last="")),
    ):
        if value:
            found.append((name, value, without))
    for n, (name, value) in enumerate(s.having):
        rest = replace(s, having=s.having[:n] + s.having[n + 1 :])
        found.append((name, value, rest) if name in counted else ("tag", f"{name}={value}", rest))
    for n, (name, value) in enumerate(s.without):
        rest = replace(s, without=s.without[:n] + s.without[n + 1 :])
        shown = "env" if name == "environment" else name
        found.append((f"-{shown}", value, rest) if shown in negatable else ("-tag", f"{name}={value}", rest))
    if s.text:
        found.append(("text", s.text, replace(s, text="")))
    return found


def _spell(search: Search) -> str:
    terms = [f"is:{search.state}"] if search.state != "open" else []
    terms += [f"{name}:{_quoted(value)}" for name, value, _ in _parts(search) if name != "text"]
    if search.text:
        terms.append(search.text if not _tokens_differ(search.text) else f'"{search.text}"')
    return " ".join(terms)


def _quoted(value: str) -> str:
    return f'"{value}"' if any(c.isspace() for c in value) else value


def _tokens_differ(text: str) -> bool:
    """Whether the text would be read as something else than plain words when it is typed again."""
    return any(name for _, name, _ in _tokens(text)) or "  " in text
