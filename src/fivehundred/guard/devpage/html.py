"""The development page as HTML: the failing line first, why beside it, everything else folded below.

Every text goes through ``_e``; nothing from the failure is markup. No console and no eval: the page shows and copies.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from fivehundred.diagnosis import replay
from fivehundred.event import Event, ExceptionItem, Frame
from fivehundred.guard.devpage import style
from fivehundred.guard.devpage.shown import (
    Shown,
    advice,
    editor_link,
    headline,
    log_lines,
    place,
    request_lines,
    runs,
    sql_lines,
    value,
    why,
)


def page(shown: Shown, reference: str) -> str:
    event = shown.event
    parts = [
        f'<p class="asked"><b>{shown.status}</b> {_e(shown.asked)}</p><h1>{_e(shown.title)}</h1><p class="asked">'
        f"{_e(_raised_at(shown))}</p>",
        f'<div class="top">{_failing(shown)}{_why(shown)}</div>',
        _exceptions(event),
        _panel("Request", _pairs(request_lines(event))),
        _panel("SQL before it", _rows(" · ".join(x for x in row if x) for row in sql_lines(event))),
        _panel("Log before it", _logs(event)),
        _copies(shown, reference),
        f'<p class="foot">Reference <code>{_e(reference)}</code>. This page is shown on this machine only, and only'
        " because the Guard is in development mode; others get the safe answer.</p>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"<title>{shown.status} {_e(shown.title[:120])}</title>\n<style>{style.css}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + f"\n</main>\n<script>{style.script}</script>\n</body>\n</html>\n"
    )


def _failing(shown: Shown) -> str:
    frame = shown.failing
    if frame is None:
        return '<section class="panel"><p class="why">No stack came with this failure.</p></section>'
    return f'<section class="panel"><h2>{_where(frame)}</h2>{_code(frame)}{_locals(frame)}</section>'


def _why(shown: Shown) -> str:
    d = shown.diagnosis
    evidence = "".join(f"<li>{_e(fact.text)}</li>" for fact in d.evidence[:5])
    do = f'<p class="do">{_e(advice(d))}</p>' if d.advice else ""
    return (
        f'<section class="panel why"><p><b>{_e(d.cause)}</b> <span class="mute">({_e(d.confidence)})</span></p>'
        f"<p>{_e(why(d))}</p>{do}{f'<p class=mute>{_e(d.retry)}</p>' if d.retry else ''}"
        f"{f'<ul>{evidence}</ul>' if evidence else ''}</section>"
    )


def _exceptions(event: Event) -> str:
    """The chain with its frames, the one raised last first; a group as a tree before it."""
    if not event.exceptions:
        return ""
    stacks = "".join(_exception(item) for item in reversed(event.exceptions))
    return _panel("Stack", _tree(event) + stacks)


def _exception(item: ExceptionItem) -> str:
    frames = "".join(_frame(own, run) for own, run in runs(item.frames))
    return f'<div class="exc"><b>{_e(headline(item))}</b></div>{frames}'


def _frame(own: bool, run: list[Frame]) -> str:
    if own:
        frame = run[0]
        title = f"<b>{_e(frame.function)}</b> {_e(place(frame))}"
        return f'<details class="frame"><summary>{title}</summary>{_code(frame)}{_locals(frame)}</details>'
    rows = _rows(f"{place(frame)} {frame.function}" for frame in run)
    return f'<details class="frame"><summary>{len(run)} of libraries</summary>{rows}</details>'


def _tree(event: Event) -> str:
    """The members of exception groups below their group."""
    items = {item.mechanism.exception_id: item for item in event.exceptions if item.mechanism}
    if not any(item.mechanism and item.mechanism.is_exception_group for item in items.values()):
        return ""

    def branch(parent: int | None, depth: int) -> str:
        inner = [(n, i) for n, i in sorted(items.items(), key=lambda p: p[0] or 0) if _parent(i) == parent]
        if not inner or depth > 20:
            return ""
        rows = "".join(
            f"<li>{_e(headline(item))}{branch(n, depth + 1) if n != parent else ''}</li>" for n, item in inner
        )
        return f'<ul class="tree">{rows}</ul>'

    return branch(None, 0)


def _parent(item: ExceptionItem) -> int | None:
    return item.mechanism.parent_id if item.mechanism else None


def _where(frame: Frame) -> str:
    link = editor_link(frame)
    words = f"{_e(place(frame))} in {_e(frame.function)}"
    return f'{words} <a href="{_e(link)}">open</a>' if link else words


def _code(frame: Frame) -> str:
    if not frame.context_line and not frame.pre_context:
        return '<p class="why mute">Its source is not there.</p>'
    number = frame.lineno or 0
    lines = [(number - len(frame.pre_context) + n, line, False) for n, line in enumerate(frame.pre_context)]
    lines.append((number, frame.context_line, True))
    lines += [(number + 1 + n, line, False) for n, line in enumerate(frame.post_context)]
    rows = "".join(
        f"<li{' class=fails' if fails else ''}><span>{n if n > 0 else ''}</span>{_e(line) or ' '}</li>"
        for n, line, fails in lines
    )
    return f'<ol class="code">{rows}</ol>'


def _locals(frame: Frame) -> str:
    if not frame.vars:
        return ""
    pairs = _pairs([(name, value(found)) for name, found in frame.vars.items()])
    return f'<div class="masked"><label><input type="checkbox"> show the values of its variables</label>{pairs}</div>'


def _pairs(found: list[tuple[str, str]]) -> str:
    if not found:
        return ""
    rows = "".join(f"<div><dt>{_e(name)}</dt><dd>{_e(content)}</dd></div>" for name, content in found)
    return f'<dl class="vals">{rows}</dl>'


def _logs(event: Event) -> str:
    lines = log_lines(event)
    rows = "".join(f"<li><span>{_e(a)}</span><span>{_e(b)}</span><span>{_e(c)}</span></li>" for a, b, c in lines)
    return f'<ul class="rows log">{rows}</ul>' if rows else ""


def _rows(lines: Iterable[str]) -> str:
    rows = "".join(f"<li>{_e(line)}</li>" for line in lines)
    return f'<ul class="rows">{rows}</ul>' if rows else ""


def _panel(title: str, body: str) -> str:
    return f'<section class="panel"><h2>{title}</h2>{body}</section>' if body else ""


def _copies(shown: Shown, reference: str) -> str:
    texts = {
        "Markdown": markdown(shown, reference),
        "curl": "\n".join(replay.curl(shown.event)),
        "pytest": "\n".join(replay.pytest(shown.event)),
        "Traceback": shown.traceback,
    }
    boxes = "".join(
        f'<details><summary><b>{name}</b></summary><div class="copy"><button type="button" data-copy="c-{name}">Copy'
        f'</button><textarea id="c-{name}" aria-label="{name}" readonly>{_e(content)}</textarea></div></details>'
        for name, content in texts.items()
        if content
    )
    return _panel("Copy as", boxes)


def markdown(shown: Shown, reference: str) -> str:
    """For a ticket or an agent; what the failure says stands in fences."""
    d = shown.diagnosis
    mark = "`" * 4
    while mark in shown.traceback or mark in d.sentence:
        mark += "`"
    where = _raised_at(shown)
    return (
        f"# {shown.status} {shown.asked}\n\n{mark}text\n{shown.title}\n{where}\n{mark}\n\n"
        f"Why: {d.cause} ({d.confidence})\n\n{mark}text\n{d.sentence}\n{d.advice}\n{mark}\n\n"
        f"{mark}text\n{shown.traceback}\n{mark}\n\nReference: {reference}\n"
    )


def _raised_at(shown: Shown) -> str:
    frame = shown.failing
    return f"{place(frame)} in {frame.function}" if frame is not None else ""


def _e(content: str) -> str:
    """Escaped, with what cannot be seen written out."""
    plain = "".join(c if c.isprintable() or c in "\t\n" else f"\\u{ord(c):04x}" for c in content)
    return html.escape(plain)
