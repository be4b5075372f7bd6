"""The runbook: the six steps that a person takes at a 500, each already filled in with what this event says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fivehundred import limits
from fivehundred.diagnosis import replay, statements, taint
from fivehundred.diagnosis.frames import place, where
from fivehundred.diagnosis.model import Diagnosis, Step
from fivehundred.diagnosis.seen.resources import cpu_measured, full_share, number
from fivehundred.diagnosis.told.peers import named, said
from fivehundred.event import Json, cut

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case


def runbook(case: Case, diagnosis: Diagnosis) -> tuple[Step, ...]:
    return (
        _logs(case),
        _code(case, diagnosis),
        _database(case, diagnosis),
        _resources(case, diagnosis),
        _security(case, diagnosis),
        _retry(case, diagnosis),
    )


def _cut(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(cut(line, limits.runbook_line_chars_max) for line in lines)[: limits.runbook_lines_max]


def _facts(diagnosis: Diagnosis, *kinds: str) -> list[str]:
    return [fact.text for fact in diagnosis.evidence if fact.kind in kinds]


# ---- 1 logs --------------------------------------------------------------------------------------


def _logs(case: Case) -> Step:
    event = case.event
    lines = [
        f"{_clock(c.timestamp)} {c.level.upper()} {c.category}: {c.message}" for c in event.breadcrumbs if c.message
    ]
    search = f"search the server's log for the reference {event.event_id}"
    if lines:
        newest = _cut(lines[-limits.runbook_lines_max :])
        return Step("logs", "found", f"{_count(len(lines), 'log record')} before the failure.", newest, search)
    if event.ours:
        return Step("logs", "normal", "The request logged nothing before it failed.", (), search)
    return Step(
        "logs", "missing", "No log records came with this event.", (), f"{search}; the Guard sends them as breadcrumbs"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _clock(timestamp: float | None) -> str:
    if timestamp is None:
        return "--:--:--"
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "--:--:--"


# ---- 2 code --------------------------------------------------------------------------------------


def _code(case: Case, diagnosis: Diagnosis) -> Step:
    frame = case.app_frame
    if frame is None:
        how = "send the stack with the event; the Guard marks the application's frames"
        return Step("code", "missing", "No frame of the application is in this event.", (), how)
    lines = [where(frame), f"    {frame.context_line.strip()}"] if frame.context_line else [where(frame)]
    lines += [f"raised: {message}" for message in said(case)][:4]
    values = [f"{name} = {_short(value)}" for name, value in list(frame.vars.items())[:4]]
    release = _release(case)
    if release:
        lines.append(release)
    if diagnosis.cause in ("bug", "security"):
        return Step(
            "code", "found", f"The failing line is {where(frame)}.", _cut([*lines, *values]), f"{diagnosis.advice}"
        )
    summary = f"It came out of {where(frame)}; the code is not the cause."
    return Step("code", "normal", summary, _cut(lines), "leave the code as it is until the cause is gone")


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _release(case: Case) -> str:
    history = case.history
    if len(history.releases) == 1 and history.newest_release == case.event.release and case.event.release:
        return f"first seen in the newest release {case.event.release}"
    if case.event.release:
        return f"release {case.event.release}"
    return ""


# ---- 3 database ----------------------------------------------------------------------------------


def _database(case: Case, diagnosis: Diagnosis) -> Step:
    lines = _facts(diagnosis, "probe", "worked", "pool", "sqlstate", "mysql", "sqlite", "schema", "statement", "sql")
    lines += [line for line in (*_probes(case), *_pools(case)) if line not in lines]
    statement = next((text for _, text in statements.of(case)), "")
    if statement:
        lines.append(f"statement: {' '.join(statement.split())}")
    concerned = diagnosis.cause == "database" or diagnosis.rule.startswith(
        (
            "overload.pool",
            "overload.connections",
            "overload.statement",
            "misconfiguration.database",
            "bug.connection",
            "bug.statement",
        )
    )
    if concerned:
        lines = lines or _facts(diagnosis, "errno", "class", "message")[:2]
        return Step(
            "database",
            "found",
            f"The trouble is at {named(case)}.",
            _cut(lines),
            _database_next(case, diagnosis),
        )
    if lines:
        return Step("database", "normal", "The database answered; nothing there explains the failure.", _cut(lines))
    if case.ours:
        return Step("database", "normal", "No database took part in the failing operation.")
    how = "the Guard probes the database at the moment of the failure; show it the pool with guard.watch(engine)"
    return Step("database", "missing", "The state of the database at that moment is not known.", (), how)


def _probes(case: Case) -> list[str]:
    probes = case.ours.get("probes")
    found = [p for p in probes[:5] if isinstance(p, dict)] if isinstance(probes, list) else []
    return [f"probe of {p.get('peer')}: {p.get('state')} {p.get('code') or ''}".strip() for p in found]


def _pools(case: Case) -> list[str]:
    pools = case.ours.get("pools")
    found = [p for p in pools[:5] if isinstance(p, dict)] if isinstance(pools, list) else []
    return [f"pool {p.get('name')}: {p.get('checked_out')} of {p.get('size')} in use" for p in found]


# What shows who holds the connections or the time, by product.
_sessions: Final = {
    "postgresql": (
        "SELECT pid, state, application_name, now() - xact_start, left(query, 80) FROM pg_stat_activity "
        "ORDER BY 4 DESC NULLS LAST"
    ),
    "mysql": "SHOW FULL PROCESSLIST",
    "redis": "redis-cli CLIENT LIST, and INFO memory",
    "mongodb": "db.currentOp({active: true})",
}


def _database_next(case: Case, diagnosis: Diagnosis) -> str:
    asked = next((_sessions[product] for product in case.products if product in _sessions), "")
    return asked if asked and diagnosis.cause == "overload" else diagnosis.advice


# ---- 4 resources ---------------------------------------------------------------------------------


def _resources(case: Case, diagnosis: Diagnosis) -> Step:
    facts = _facts(diagnosis, "resource")
    resources = case.ours.get("resources")
    if not isinstance(resources, dict):
        how = "the Guard takes them once a second: memory, descriptors, disk, load, pressure, control group"
        if facts:
            return Step("resources", "found", "A resource was used up.", _cut(facts), diagnosis.advice)
        return Step("resources", "missing", "The resources at that moment are not known.", (), how)
    lines = [line for line in _measured(resources) if line]
    if facts or (
        diagnosis.rule.startswith(("overload.", "bug.memory", "bug.descriptor"))
        and diagnosis.cause == "overload"
        and facts
    ):
        return Step("resources", "found", "A resource was at its limit.", _cut([*facts, *lines]), diagnosis.advice)
    strained = _strained(case)
    if strained:
        summary = f"{' and '.join(strained)}; that did not decide this failure."
        return Step("resources", "found", summary[:1].upper() + summary[1:], _cut(lines))
    return Step("resources", "normal", "Nothing was near its limit.", _cut(lines))


def _strained(case: Case) -> list[str]:
    """What was near its limit, though it is not the cause."""
    found = [fact.text for fact in cpu_measured(case)]
    fds, most = number(case, "fds_open"), number(case, "fds_max")
    if fds is not None and most and fds >= full_share * most:
        found.append(f"{fds:.0f} of {most:.0f} file descriptors were open")
    free, total = number(case, "disk_free_bytes"), number(case, "disk_total_bytes")
    if free is not None and total and free <= (1 - full_share) * total:
        found.append(f"{free / total:.0%} of the disk was free")
    return found[:2]


def _measured(resources: dict[str, Json]) -> list[str]:
    def number(name: str) -> float | None:
        value = resources.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    lines = []
    rss, fds, most = number("rss_bytes"), number("fds_open"), number("fds_max")
    free, total, load, cpus = number("disk_free_bytes"), number("disk_total_bytes"), number("load_1m"), number("cpus")
    if rss is not None:
        lines.append(f"memory of the process: {rss / (1 << 20):.0f} MiB")
    if fds is not None:
        lines.append(f"file descriptors: {fds:.0f}" + (f" of {most:.0f}" if most else ""))
    if free is not None:
        lines.append(f"disk: {free / (1 << 30):.1f} GiB free" + (f" of {total / (1 << 30):.1f}" if total else ""))
    if load is not None:
        lines.append(f"load: {load:.1f}" + (f" on {cpus:.0f} processors" if cpus else ""))
    for name, words in (("psi_cpu", "processor"), ("psi_memory", "memory"), ("psi_io", "disk")):
        value = number(name)
        if value is not None:
            lines.append(f"pressure on {words}: {value:.0f} %")
    return lines


# ---- 5 security ----------------------------------------------------------------------------------

_signs: Final = (
    (taint.template_signature, "template marks"),
    (taint.path_signature, "path marks"),
    (taint.sql_signature, "SQL marks"),
)


def _security(case: Case, diagnosis: Diagnosis) -> Step:
    found = _facts(diagnosis, "taint", "request") if diagnosis.cause == "security" else []
    if found:
        return Step(
            "security", "found", "A value of the request reached a place where it acts.", _cut(found), diagnosis.advice
        )
    if case.event.request is None:
        return Step("security", "missing", "No request came with this event.", (), "the Guard sends it, scrubbed")
    if diagnosis.cause == "security":
        return Step(
            "security", "found", "The failing operation is one that must not see foreign input.", (), diagnosis.advice
        )
    hints = _built(case)
    if hints:
        return Step("security", "found", _injectable, _cut(hints), "pass the values as parameters")
    for one in case.inputs:
        if one.where in ("query", "body"):
            signs = next((words for pattern, words in _signs if pattern.search(one.value[:1_000])), "")
            if signs:
                hints.append(f"{one.label} carries {signs}; it does not stand in the failing operation")
    if hints:
        return Step(
            "security",
            "normal",
            "Suspicious values, but none in the failing operation.",
            _cut(hints),
            "watch the sender",
        )
    return Step("security", "normal", "No value of the request stands in the failing operation.")


_injectable: Final = "No attack, but values are put into the text of a statement: with foreign ones it is injectable."


def _built(case: Case) -> list[str]:
    """Lines that build a statement out of values, whatever this failure came from."""
    for frame, inserted in statements.built(case):
        names = [name for name in inserted if not name.isupper()]  # a constant, such as a table's name
        if names:
            return [f"{place(frame)} puts {', '.join(names)[:100]} into the statement"]
    return []


# ---- 6 retry -------------------------------------------------------------------------------------


def _retry(case: Case, diagnosis: Diagnosis) -> Step:
    ours, lines = case.ours, []
    status = ours.get("status")
    if isinstance(status, int):
        told = "may retry" if ours.get("retryable") else "should not retry"
        after = ours.get("retry_after_s")
        lines.append(f"clients were told: {status}, {told}" + (f", after {after} s" if after else ""))
    lines += [diagnosis.retry, *replay.curl(case.event), *replay.pytest(case.event)]
    summary = {
        "yes": "Passing: a later try may succeed with no change.",
        "clears": "It lasts until the resource recovers, then retrying helps.",
        "no": "Retrying does not help: something must be changed first.",
    }.get(diagnosis.transient, "Whether retrying helps is not known.")
    if case.event.request is None:
        how = "send the request with the event, then it can be replayed"
        return Step("retry", "missing", summary, tuple(lines), how)
    return Step(
        "retry", "found", summary, tuple(lines), "replay the request against a test system when the cause is gone"
    )
