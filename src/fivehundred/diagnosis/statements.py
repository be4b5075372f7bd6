"""The failing SQL statement, wherever the event holds it. Parameters are left out: a value among them is harmless."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred import limits
from fivehundred.diagnosis.frames import application, before

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case
    from fivehundred.event import Frame, Json

_begins: Final = (
    r"\s*(?:--[^\n]*\n\s*)*(?:select|insert|update|delete|with|merge|replace|call|exec|create|alter|drop)\b"
)
_not_about_statements: Final = ("08", "57", "53", "28", "23", "3D", "40", "55", "58")
_sql_products: Final = frozenset({"postgresql", "mysql", "sqlite", "oracle", "odbc", "clickhouse", "cassandra"})
_sql_roots: Final = frozenset(
    {"sqlalchemy", "django", "peewee", "tortoise", "ponyorm", "duckdb", "java", "PG", "ActiveRecord"}
)


def about_a_statement(case: Case) -> bool:
    """Whether a database refused a statement for what it says, and not for the state that it is in."""
    states = [one.sqlstate for one in case.raised if one.sqlstate]
    if states:
        return not any(state.startswith(_not_about_statements) for state in states)
    if any(
        rule in case.clues for rule in ("database.refused", "overload.connections", "overload.pool", "bug.duplicate")
    ):
        return False
    known = bool(_sql_products & set(case.products)) or any(one.roots & _sql_roots for one in case.raised)
    return known or "[SQL: " in case.text or "SQL syntax" in case.text


def of(case: Case) -> Iterator[tuple[str, str]]:
    """(where it was found, the statement), the surest place first."""
    for one in case.raised:
        text = one.item.value[: limits.statement_chars_max]
        found = re.search(r"\[SQL: (.*?)\](?:\n\[parameters|\n\(Background|\Z|\n)", text, re.DOTALL)
        if found:
            yield f"exception[{one.number}].value", found[1]
    for number, entry in sent(case):
        statement = entry.get("statement")
        if isinstance(statement, str):
            yield f"contexts.fivehundred.sql[{number}]", statement[: limits.statement_chars_max]
    for one in case.raised:
        found = re.search(r"^LINE \d+: (.*)$", one.text, re.MULTILINE)
        if found:
            yield f"exception[{one.number}].value", found[1].strip(".")
    yield from _variables(case)
    yield from _crumbs(case)


def sent(case: Case) -> list[tuple[int, dict[str, Json]]]:
    """The last statements of the request with their place in the list: one that failed first, then the latest.

    Most of the list went well; only where none is known to have failed is the latest one the best guess.
    """
    entries = case.ours.get("sql")
    numbered = list(enumerate(entries))[-_statements_looked_at:] if isinstance(entries, list) else []
    found = [(number, entry) for number, entry in reversed(numbered) if isinstance(entry, dict)]
    return sorted(found, key=lambda one: not one[1].get("error"))


_statements_looked_at: Final = 5


def _variables(case: Case) -> Iterator[tuple[str, str]]:
    """Local variables of the application's innermost frames that look like a statement."""
    for depth, frame in enumerate(application(case.frames)):
        if depth >= 4:
            return
        for name, value in list(frame.vars.items())[:50]:
            if isinstance(value, str):
                text = value.strip("'\"") if value[:1] == value[-1:] else value
                if re.match(_begins, text, re.IGNORECASE):
                    yield f"the variable {name} of {frame.function}", text[: limits.statement_chars_max]


def _crumbs(case: Case) -> Iterator[tuple[str, str]]:
    for crumb in case.event.breadcrumbs[-5:]:
        if crumb.category in ("query", "sql", "db", "db.sql.query") and re.match(_begins, crumb.message, re.IGNORECASE):
            yield "breadcrumbs", crumb.message[: limits.statement_chars_max]


def built(case: Case) -> Iterator[tuple[Frame, list[str]]]:
    """Source lines that put values into a statement's text, with the expressions that they put in."""
    for depth, frame in enumerate(application(case.frames)):
        if depth >= 3:
            return
        source = before(frame)
        for found in re.finditer(_text_begins, source, re.IGNORECASE):
            rest = source[found.end() : found.end() + 400]
            inserted = [name for pattern in _insertions for name in re.findall(pattern, rest)]
            if "f" in found[1].lower():
                inserted += re.findall(r"\{([^{}]{1,100})\}", rest)
            if inserted:
                yield frame, inserted


_text_begins: Final = r"""(?<!\w)([rfb]{0,2})(?:\"{3}|'{3}|["'])\s*(?:select|insert|update|delete|with|replace)\b"""
_insertions: Final = (
    r"""["']\s*\+\s*([\w.\[\]"'()]{1,100})""",  # "... " + value
    r"""["']\s*%\s*\(?\s*([\w.\[\]"']{1,100})""",  # "... %s" % value
    r"""\.format\(([^)]{1,200})\)""",
)


def is_whole(value: str, statement: str) -> bool:
    """An application that runs whole statements of its users (a console) injects nothing."""
    return value.strip().rstrip(";") == statement.strip().rstrip(";")


def stopped_at(case: Case) -> Iterator[str]:
    """The token at which the parser gave up, as SQLite and MySQL say it."""
    for one in case.raised:
        for pattern in (
            r'near "([^"]{1,200})": syntax error',
            r"unrecognized token: \"(.{1,200})\"",
            r"syntax to use near '(.{1,200}?)' at line",
        ):
            found = re.search(pattern, one.text, re.DOTALL)
            if found:
                yield found[1]


def missing_name(case: Case) -> str:
    """The table, column or function that a database does not know; empty when it does not say."""
    patterns = (
        r'relation "([^"]{1,200})" does not exist',
        r'column "?([\w.]{1,200})"? (?:of relation "[^"]+" )?does not exist',
        r"function ([\w.]{1,200})\(.*\) does not exist",
        r'schema "([^"]{1,200})" does not exist',
        r"no such (?:table|column|index): ([\w.]{1,200})",
        r"has no column named (\w{1,200})",
        r"Table '([\w.]{1,200})' doesn't exist",
        r"Unknown column '([\w.]{1,200})'",
    )
    for one in case.raised:
        for pattern in patterns:
            found = re.search(pattern, one.text)
            if found:
                return found[1]
    return ""
