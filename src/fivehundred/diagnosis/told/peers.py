"""Databases and other services: named by product and address, with the code they answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis import statements
from fivehundred.diagnosis.conditions import name_of
from fivehundred.diagnosis.frames import name_of as function_of
from fivehundred.diagnosis.frames import place
from fivehundred.diagnosis.told import language
from fivehundred.diagnosis.told.base import Told, plain

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case


def named(case: Case, other: str = "the database") -> str:
    """ "PostgreSQL at 127.0.0.1:5432"."""
    product = case.product or other
    return f"{product} at {case.address}" if case.address and "sqlite" not in case.products else product


def server_down(case: Case) -> Told:
    who = named(case)
    code = next((one.errno for one in reversed(case.raised) if one.errno), "")
    said = f"it {_refusals[code]} ({code})" if code in _refusals else ""
    because = f"{who} is down" if code == "ECONNREFUSED" else f"{who} cannot be reached"
    advice = f"start {who} or repair the way to it; nothing in the code needs to change"
    return Told(because, said, advice, f"Not a bug in {_function(case)}: the connection itself failed.")


_refusals: Final = {
    "ECONNREFUSED": "refuses connections",
    "EHOSTUNREACH": "has no route to it",
    "ENETUNREACH": "lies in a network that cannot be reached",
    "ETIMEDOUT": "does not answer",
    "ECONNRESET": "resets connections",
    "ENOENT": "has no socket file",
}


def _function(case: Case) -> str:
    frame = case.app_frame
    return function_of(frame) if frame is not None and frame.function else "the code that opened the connection"


def server_state(case: Case) -> Told:
    """What a database answered, by its code."""
    return Told(fact=answered(case))


def denied(case: Case) -> Told:
    """Who is not let in, or what is not allowed."""
    text = "\n".join(one.text for one in case.raised)
    who = named(case)
    for pattern, clause, advice in _denials:
        found = re.search(pattern, text)
        if found:
            return Told(clause.format(who, found[1]), answered(case), advice.format(found[1]))
    return Told(fact=answered(case))


_denials: Final = (
    (r'role "([^"]{1,80})" does not exist', "{0} has no role {1}", "create the role {0}, or correct the user's name"),
    (r'role "([^"]{1,80})" is not permitted', "{0} does not let the role {1} log in", "give {0} the right to log in"),
    (r'authentication failed for user "([^"]{1,80})"', "{0} refuses {1}'s password", "correct the password for {0}"),
    (r"Access denied for user '([^']{1,80})'", "{0} refuses the user {1}", "correct the password or rights of {0}"),
    (r"permission denied for (?:table|relation|schema|sequence|function|view) (\S{1,80})",
     "{0} does not let this user touch {1}", "grant this user the right to {0}"),
    (r'no pg_hba.conf entry for host "([^"]{1,80})"', "{0} lets nobody in from {1}",
     "allow {0} in pg_hba.conf, or connect through an allowed address"),
    (r"(NOAUTH|Authentication required)", "{0} wants a password and got none", "set the password of the data store"),
)  # fmt: skip


def answered(case: Case) -> str:
    """ "PostgreSQL at db:5432 answered 42P01 (undefined_table)"; empty when no code came."""
    for one in reversed(case.raised):
        if one.sqlstate:
            name = name_of(one.sqlstate)
            return f"{named(case)} answered {one.sqlstate}" + (f" ({name})" if name else "")
    return ""


def schema(case: Case) -> Told:
    name = statements.missing_name(case)
    if not name:
        return server_state(case)
    frame = case.app_frame
    at = f"; {place(frame)} uses it" if frame is not None else ""
    return Told(
        f"{named(case)} does not know {name}, which this release expects",
        answered(case) or f"{case.product or 'the database'} reports that {name} does not exist",
        f"run the migration that creates {name}, or finish the roll-out when an older release meets a newer schema{at}",
    )


def constraint(case: Case) -> Told:
    """The constraint and the line that broke it."""
    text = "\n".join(one.text for one in case.raised)
    found = re.search(
        r'constraint "([^"]{1,120})"|constraint failed: ([\w., ]{1,120})|for key \'([^\']{1,120})\'', text
    )
    name = next((group for group in found.groups() if group), "") if found else ""
    fact = answered(case)
    if name:
        fact = f"{fact or named(case) + ' refused the row'}, by {name}"
    return Told(fact=fact)


def statement(case: Case) -> Told:
    found = re.search(r'(?:at or )?near [\'"](.{1,40}?)[\'"]', "\n".join(one.text for one in case.raised))
    fact = answered(case) or f"{named(case)} cannot parse it"
    return Told(fact=f"{fact} near {found[1]!r}" if found else fact)


def pool(case: Case) -> Told:
    text = "\n".join(one.text for one in case.raised)
    found = re.search(r"QueuePool limit of size (\d+) overflow (-?\d+).{0,60}?timeout ([\d.]+)", text)
    if found:
        most = int(found[1]) + max(0, int(found[2]))
        fact = f"SQLAlchemy waited {float(found[3]):g} s in vain for one to be returned"
        all_of_them = "the only connection" if most == 1 else f"all {most} connections"
        return Told(f"{all_of_them} of the application's pool {'is' if most == 1 else 'are'} in use", fact)
    waited = re.search(r"after ([\d.]+) sec", text)
    kind = next((one.type for one in case.raised if one.type), "it")
    return Told(fact=f"{kind}: no connection became free" + (f" within {waited[1]} s" if waited else ""))


def upstream(case: Case) -> Told:
    code = next((one.errno for one in reversed(case.raised) if one.errno), "")
    who = case.address or "another service"
    if code == "ECONNREFUSED":
        return Told(f"{who}, which it calls, is down", f"it refuses connections ({code})", f"look whether {who} runs")
    return Told(f"{who}, which it calls, cannot be reached") if case.address else Told()


def upstream_contract(case: Case) -> Told:
    code = _reply(case)
    one = language.decisive(case)
    frame = case.app_frame
    who = case.address or "another service"
    at = f" at {place(frame)}" if frame is not None else ""
    fact = f"{who} answered {code}" if code else language.fact_of(one, case) if one is not None else ""
    because = f"{who} answered {code}, which the code does not expect" if code else ""
    said = because or f"{who} answered in a form that the code does not expect"
    return Told(said, fact, f"validate the answer of {who} (status, content type, fields){at} before using it")


def upstream_busy(case: Case) -> Told:
    code, who = _reply(case), case.address or "another service"
    return Told(f"{who}, which it calls, answered {code}: it is overloaded or failing itself") if code else Told()


def _reply(case: Case) -> str:
    found = (fact for facts in case.clues.values() for fact in facts if fact.kind == "reply")
    return next((fact.value for fact in found), "")


def upstream_slow(case: Case) -> Told:
    who = case.address
    return Told(f"{who}, which it calls, did not answer in time") if who else Told()


def credentials(case: Case) -> Told:
    who = case.address
    return Told(f"{who} does not accept our credentials") if who else Told()


def said(case: Case) -> list[str]:
    """The messages themselves, each once however many classes wrap it."""
    found: dict[str, str] = {}
    for one in reversed(case.raised):
        text = plain(one.text)
        if text.strip("()") and not any(text in known or known in text for known in found):
            found[text] = f"{one.type}: {text}" if one.type else text
    return list(found.values())
