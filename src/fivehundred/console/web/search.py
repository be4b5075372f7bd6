"""The search language of the faults list: text and ``name:value`` terms to a FaultQuery, and back.

One line holds everything, so that a URL holds it too: ``is:open cause:database release:2.4 "connection refused"``.
What cannot be understood is said, with what to type instead; the rest of the line still works. Nothing here asks the
store: project names come in as values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from fivehundred import limits
from fivehundred.console.store.base import FaultQuery, Order, Project
from fivehundred.diagnosis.model import Cause, causes
from fivehundred.event import clean, clean_id

State: TypeAlias = Literal["open", "muted", "resolved", "any"]

states: tuple[State, ...] = get_args(State)
orders: tuple[Order, ...] = get_args(Order)
filters: Final = ("is", "cause", "release", "env", "project")

# A term is name:value; a value in quotes may hold spaces. An address such as http://x or db:5432 is plain text, so an
# unknown name before a slash or a digit is none. Every non-space matches, in the end as a word.
_TOKEN = re.compile(
    rf"""(?P<name>{"|".join(filters)}|[a-z_]{{2,20}}(?=:(?![/\d]))):(?P<value>"[^"]*"|\S*)"""
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
    text: str = ""
    problems: tuple[str, ...] = ()

    def query(self, *, order: Order = "impact", cursor: str = "", limit: int = 50) -> FaultQuery:
        return FaultQuery(
            project=self.project,
            state=None if self.state == "any" else self.state,
            cause=self.cause,
            release=self.release,
            environment=self.environment,
            text=self.text,
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


def parse(line: str, projects: Sequence[Project]) -> Search:
    """Never raises: a term that makes no sense is named in ``problems`` and left out."""
    line = clean(line)[: limits.search_chars_max].strip()
    found = Search(line=line)
    words: list[str] = []
    for name, value in _tokens(line):
        if name:
            found = _term(found, name.lower(), value.strip('"'), projects)
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


def _tokens(line: str) -> list[tuple[str, str]]:
    """(name, value) of each term, the name empty for plain text."""
    return [(m["name"] or "", m["value"] or m["quoted"] or m["word"] or "") for m in _TOKEN.finditer(line)]


def _term(found: Search, name: str, value: str, projects: Sequence[Project]) -> Search:
    if name not in filters:
        known = ", ".join(f"{f}:" for f in filters)
        return _problem(found, f"There is no filter {name}: (there are {known}). To search for the text, quote it.")
    if not value:
        return _problem(found, f"{name}: needs a value, as in {_example(name)}.")
    if name == "is":
        state = next((s for s in states if s == value.lower()), None)
        return replace(found, state=state) if state else _one_of(found, name, value, states)
    if name == "cause":
        cause = next((c for c in causes if c == value.lower()), None)
        return replace(found, cause=cause) if cause else _one_of(found, name, value, causes)
    if name == "release":
        return replace(found, release=value)
    if name == "env":
        return replace(found, environment=value)
    project = next((p.id for p in projects if value in (p.id, p.name) or value.lower() == p.name.lower()), None)
    return replace(found, project=project) if project else _one_of(found, name, value, [p.name for p in projects])


def _one_of(found: Search, name: str, value: str, known: Sequence[str]) -> Search:
    return _problem(found, f"{name}:{value} is not known; {name}: is one of {', '.join(known[:12]) or '(none yet)'}.")


def _problem(found: Search, sentence: str) -> Search:
    return replace(found, problems=(*found.problems, sentence))


def _example(name: str) -> str:
    return {"is": "is:open", "cause": "cause:database", "release": "release:2.4.0", "env": "env:production"}.get(
        name, "project:1"
    )


def _spell(search: Search) -> str:
    terms = [f"is:{search.state}"] if search.state != "open" else []
    for name, value in (
        ("cause", search.cause or ""),
        ("release", search.release),
        ("env", search.environment),
        ("project", search.project or ""),
    ):
        if value:
            terms.append(f"{name}:{_quoted(value)}")
    if search.text:
        terms.append(search.text if not _tokens_differ(search.text) else f'"{search.text}"')
    return " ".join(terms)


def _quoted(value: str) -> str:
    return f'"{value}"' if any(c.isspace() for c in value) else value


def _tokens_differ(text: str) -> bool:
    """Whether the text would be read as something else than plain words when it is typed again."""
    return any(name for name, _ in _tokens(text)) or "  " in text
