"""What the event and fault pages show of one event: frames folded, values cut, everything as plain text.

``event_view`` turns a stored event into values that a template walks through without asking anything of them. It
computes; it makes no HTML but the coloured source lines, and it never asks the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from fivehundred import limits
from fivehundred.console.store.base import StoredEvent
from fivehundred.console.web import code
from fivehundred.event import Breadcrumb, Event, ExceptionItem, Frame, Json, cut, parse, text


@dataclass(frozen=True, slots=True)
class Value:
    name: str
    value: str
    cut: int = 0  # characters that are not shown


@dataclass(frozen=True, slots=True)
class Line:
    number: int | None
    html: Markup
    failing: bool


@dataclass(frozen=True, slots=True)
class FrameView:
    where: str  # "shop/orders.py:41"
    function: str
    module: str
    application: bool
    lines: tuple[Line, ...]
    values: tuple[Value, ...]
    hidden_values: int
    failing_line: str  # plain, for frames that are shown without their source


@dataclass(frozen=True, slots=True)
class Fold:
    """A run of frames of one kind: one application frame, or library frames folded into one line."""

    frames: tuple[FrameView, ...]
    application: bool
    skipped: int = 0  # frames that are not shown at all


@dataclass(frozen=True, slots=True)
class ExceptionView:
    type: str
    message: str
    relation: str  # how it hangs together with the one below it: "caused by", "while handling"
    notes: tuple[str, ...]
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    at: float | None
    level: str
    logger: str
    message: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Query:
    html: Markup
    ms: str
    error: str


@dataclass(frozen=True, slots=True)
class EventView:
    event: Event
    raising: FrameView | None  # the application frame that is shown open
    raising_of: str  # the exception it belongs to, when there are several
    exceptions: tuple[ExceptionView, ...]  # the one raised last stands first
    request: tuple[Value, ...]
    headers: tuple[Value, ...]
    body: str
    body_cut: int
    logs: tuple[LogLine, ...]
    queries: tuple[Query, ...]
    tags: tuple[Value, ...]
    user: tuple[Value, ...]
    contexts: tuple[tuple[str, tuple[Value, ...]], ...]
    extra: tuple[Value, ...]
    modules: tuple[Value, ...]
    url: str


@dataclass(slots=True)
class _Sources:
    """How many frames may still be shown with their source: the page has a size to keep."""

    left: int = field(default=limits.shown_sources_max)

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def event_view(stored: StoredEvent) -> EventView:
    """Everything a page shows of the event, cut to the limits of a page."""
    event = parse(stored.payload, received_at=stored.summary.received_at, event_id=stored.summary.event_id)
    stacks = [x.frames for x in event.exceptions] or [event.frames]
    root, at = _site(stacks, stored.fingerprint)
    chosen = stacks[root][at] if stacks[root] else None
    sources = _Sources()
    raising = _frame(chosen, event.platform, sources) if chosen else None
    items = event.exceptions or [ExceptionItem(type="", value=event.message, frames=event.frames)]
    body, body_cut = _shown(event.request.data if event.request else None, limits.shown_chars_max * 10)
    return EventView(
        event=event,
        raising=raising,
        raising_of=items[root].type if len(items) > 1 else "",
        exceptions=tuple(_exception(x, items, event.platform, sources, chosen) for x in reversed(items)),
        request=_request(event),
        headers=_values(event.request.headers if event.request else {}),
        body=body,
        body_cut=body_cut,
        logs=tuple(_log(x) for x in event.breadcrumbs[-limits.shown_values_max :]),
        queries=_queries(event),
        tags=_values(event.tags),
        user=_values({k: v for k, v in _user(event).items() if v}),
        contexts=tuple((name, _values(context)) for name, context in _contexts(event)),
        extra=_values(event.extra),
        modules=_values(event.modules, limits.shown_values_max * 3),
        url=event.request.url if event.request else "",
    )


def _site(stacks: Sequence[Sequence[Frame]], fingerprint: Mapping[str, Json]) -> tuple[int, int]:
    """(exception, frame) to show open: what the fingerprint named, else the innermost application frame."""
    root, frame = fingerprint.get("root"), fingerprint.get("frame")
    if isinstance(root, int) and isinstance(frame, int) and frame >= 0:
        root = max(root, 0)
        if root < len(stacks) and frame < len(stacks[root]):
            return root, frame
    for number, frames in enumerate(stacks):
        ours = [i for i, f in enumerate(frames) if application(f)]
        if ours:
            return number, ours[-1]
    last = next((n for n in range(len(stacks) - 1, -1, -1) if stacks[n]), 0)
    return last, max(0, len(stacks[last]) - 1)


# marks of a path that is no application's; "<" begins "<frozen importlib>" and "<string>"
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python3", "node_modules/", "<")


def application(frame: Frame) -> bool:
    """Whether the frame is the application's own: what the SDK says, else what its path says."""
    if frame.in_app is not None:
        return frame.in_app
    path = (frame.abs_path or frame.filename).replace("\\", "/")
    return not any(mark in path for mark in _LIBRARIES)


def _exception(
    item: ExceptionItem, items: Sequence[ExceptionItem], platform: str, sources: _Sources, chosen: Frame | None
) -> ExceptionView:
    return ExceptionView(
        type=item.type,
        message=cut(item.value, limits.shown_chars_max * 5),
        relation=_relation(item) if item is not items[-1] else "",
        notes=_notes(item),
        folds=_folds(item.frames, platform, sources, chosen),
    )


def _relation(item: ExceptionItem) -> str:
    source = item.mechanism.source if item.mechanism else ""
    if source == "__context__":
        return "raised while handling"
    return "one of the group" if source.startswith("exceptions") else "caused by"


def _notes(item: ExceptionItem) -> tuple[str, ...]:
    notes = item.mechanism.data.get("notes") if item.mechanism else None
    return tuple(text(n, limits.shown_chars_max) for n in notes[:10]) if isinstance(notes, list) else ()


def _folds(frames: Sequence[Frame], platform: str, sources: _Sources, chosen: Frame | None) -> tuple[Fold, ...]:
    """Innermost first, as one reads a failure. The frame that is open above is not shown a second time."""
    ordered = list(reversed(frames))
    skipped = max(0, len(ordered) - limits.shown_frames_max)
    half = limits.shown_frames_max // 2
    parts = [ordered[:half], ordered[-half:]] if skipped else [ordered]
    found: list[Fold] = []
    for number, part in enumerate(parts):
        if number:
            found.append(Fold((), application=False, skipped=skipped))
        found += _runs(part, platform, sources, chosen)
    return tuple(found)


def _runs(frames: Sequence[Frame], platform: str, sources: _Sources, chosen: Frame | None) -> list[Fold]:
    found: list[Fold] = []
    library: list[FrameView] = []
    for frame in frames:
        if not application(frame) and frame is not chosen:
            library.append(_bare(frame))
            continue
        if library:
            found.append(Fold(tuple(library), application=False))
            library = []
        found.append(Fold((_bare(frame) if frame is chosen else _frame(frame, platform, sources),), application=True))
    return [*found, Fold(tuple(library), application=False)] if library else found


def _bare(frame: Frame) -> FrameView:
    """The frame in one line."""
    return FrameView(
        where=_where(frame),
        function=cut(frame.function, 200),
        module=cut(frame.module, 200),
        application=application(frame),
        lines=(),
        values=(),
        hidden_values=0,
        failing_line=cut(frame.context_line.strip(), 200),
    )


def _frame(frame: Frame, platform: str, sources: _Sources) -> FrameView:
    if not sources.take():
        return _bare(frame)
    bare = _bare(frame)
    return FrameView(
        where=bare.where,
        function=bare.function,
        module=bare.module,
        application=bare.application,
        lines=_lines(frame, platform),
        values=_values(frame.vars),
        hidden_values=max(0, len(frame.vars) - limits.shown_values_max),
        failing_line=bare.failing_line,
    )


def _lines(frame: Frame, platform: str) -> tuple[Line, ...]:
    if not frame.context_line and not frame.pre_context and not frame.post_context:
        return ()
    before, after = frame.pre_context[-5:], frame.post_context[:5]
    source = [cut(line, limits.shown_chars_max) for line in (*before, frame.context_line, *after)]
    margin = min((len(s) - len(s.lstrip()) for s in source if s.strip()), default=0)
    source = [s[margin:] for s in source]
    html = code.lines(source, filename=frame.filename or frame.abs_path, platform=frame.platform or platform)
    first = None if frame.lineno is None else frame.lineno - len(before)
    return tuple(Line(None if first is None else first + i, h, i == len(before)) for i, h in enumerate(html))


def _where(frame: Frame) -> str:
    path = cut(frame.filename or frame.abs_path or frame.module or "?", 200)
    return f"{path}:{frame.lineno}" if frame.lineno is not None else path


def _request(event: Event) -> tuple[Value, ...]:
    request = event.request
    if request is None:
        return ()
    found: dict[str, Json] = {
        "method": request.method,
        "URL": request.url,
        "query": request.query_string,
        **{f"cookie {k}": v for k, v in request.cookies.items()},
        **request.env,
    }
    return _values({k: v for k, v in found.items() if v not in ("", None)})


def _user(event: Event) -> dict[str, Json]:
    user = event.user
    return {"id": user.id, "name": user.username, "mail": user.email, "address": user.ip_address} if user else {}


def _contexts(event: Event) -> list[tuple[str, Mapping[str, Json]]]:
    # ours is shown where it belongs: SQL, resources and probes are in the runbook
    return [(cut(name, 80), values) for name, values in list(event.contexts.items())[:20] if values]


def _log(crumb: Breadcrumb) -> LogLine:
    return LogLine(
        at=crumb.timestamp,
        level=crumb.level,
        logger=cut(crumb.category, 80),
        message=cut(crumb.message, limits.shown_chars_max * 2),
        values=_values(crumb.data, 8),
    )


def _queries(event: Event) -> tuple[Query, ...]:
    found = event.ours.get("sql")
    entries = [x for x in found if isinstance(x, dict)] if isinstance(found, list) else []
    queries = [
        Query(
            html=code.sql(text(x.get("statement"), limits.shown_chars_max * 3)),
            ms=text(x.get("ms"), 20),
            error=text(x.get("error"), limits.shown_chars_max),
        )
        for x in entries[-20:]
    ]
    crumbs = [
        Query(code.sql(cut(c.message, limits.shown_chars_max * 3)), "", "")
        for c in event.breadcrumbs[-20:]
        if c.category in ("query", "sql", "db", "db.sql.query")
    ]
    return tuple(queries or crumbs)


def _values(raw: Mapping[str, Json], values_max: int = limits.shown_values_max) -> tuple[Value, ...]:
    found: list[Value] = []
    for name, value in list(raw.items())[:values_max]:
        shown, rest = _shown(value, limits.shown_chars_max)
        found.append(Value(cut(name, 100), shown, rest))
    return tuple(found)


def _shown(value: Json, chars_max: int) -> tuple[str, int]:
    """The value as text, and how many characters of it are left out."""
    if value is None:
        return "", 0
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return (plain, 0) if len(plain) <= chars_max else (plain[:chars_max], len(plain) - chars_max)
