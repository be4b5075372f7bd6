"""What the page and its text form show: the event as plain values, library frames folded. Everything is text here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import Event, ExceptionItem, Frame, Json, context_name, text

value_chars_max: Final = 400
_frames_max: Final = 60
_editors: Final = {
    "vscode": "vscode://file{path}:{line}",
    "cursor": "cursor://file{path}:{line}",
    "zed": "zed://file{path}:{line}",
    "pycharm": "pycharm://open?file={path}&line={line}",
    "idea": "idea://open?file={path}&line={line}",
    "sublime": "subl://open?url=file://{path}&line={line}",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One failure, ready to be laid out."""

    event: Event
    diagnosis: Diagnosis
    status: int
    title: str  # "ZeroDivisionError: division by zero", once
    asked: str  # "GET /orders/{id}"
    failing: Frame | None  # the raising frame of the application, else the raising one
    traceback: str


def shown(event: Event, diagnosis: Diagnosis, status: int) -> Shown:
    last = event.exceptions[-1] if event.exceptions else None
    title = headline(last) if last else event.message or f"The application answered {status} without an exception"
    return Shown(event, diagnosis, status, title, event.transaction, failing_frame(event), traceback(event))


def why(diagnosis: Diagnosis) -> str:
    """The sentence without what to do and whether to retry, which stand on lines of their own."""
    return diagnosis.sentence.partition(" Do: ")[0].removesuffix(diagnosis.retry).strip()


def advice(diagnosis: Diagnosis) -> str:
    return diagnosis.advice[:1].upper() + diagnosis.advice[1:]


def headline(item: ExceptionItem) -> str:
    return f"{item.type}: {item.value}" if item.value else item.type


def failing_frame(event: Event) -> Frame | None:
    """Of the exception that began it all, when that one has a frame of the application; else of any that has."""
    for item in event.exceptions:
        own = next((f for f in reversed(item.frames) if f.in_app), None)
        if own is not None:
            return own
    frames = event.exceptions[-1].frames if event.exceptions else event.frames
    return frames[-1] if frames else None


def runs(frames: list[Frame]) -> list[tuple[bool, list[Frame]]]:
    """(of the application, frames) of each run, the raising frame first."""
    found: list[tuple[bool, list[Frame]]] = []
    for frame in list(reversed(frames))[:_frames_max]:
        own = bool(frame.in_app)
        if found and found[-1][0] == own and not own:
            found[-1][1].append(frame)
        else:
            found.append((own, [frame]))
    return found


def place(frame: Frame) -> str:
    return f"{frame.filename or frame.module or '?'}:{frame.lineno if frame.lineno is not None else '?'}"


def editor_link(frame: Frame) -> str:
    """By FIVEHUNDRED_EDITOR: a known name, an address with {path} and {line}, or "none"; empty when there is none."""
    named = os.environ.get("FIVEHUNDRED_EDITOR", "vscode")
    template = _editors.get(named, named if "{path}" in named and "://" in named else "")
    if not template or not os.path.isabs(frame.abs_path) or template.lower().startswith(("javascript:", "data:")):
        return ""
    return template.replace("{path}", quote(frame.abs_path)).replace("{line}", str(frame.lineno or 1))


def value(found: Json) -> str:
    """Text stays as it is rendered in the event, anything else as JSON; cut."""
    plain = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)
    return plain if len(plain) <= value_chars_max else plain[:value_chars_max] + "…"


def request_lines(event: Event) -> list[tuple[str, str]]:
    request = event.request
    if request is None:
        return []
    lines = [("", f"{request.method} {request.url}{'?' + request.query_string if request.query_string else ''}")]
    lines += [(name, content) for name, content in request.headers.items()]
    if request.data not in (None, "", {}):
        lines.append(("body", value(request.data)))
    return lines


def log_lines(event: Event) -> list[tuple[str, str, str]]:
    """(level, logger, message), the oldest first."""
    return [(c.level, c.category, c.message) for c in event.breadcrumbs if c.message]


def sql_lines(event: Event) -> list[tuple[str, str, str]]:
    """(statement, how long, error)."""
    found = event.contexts.get(context_name, {}).get("sql")
    rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
    return [(text(r.get("statement")), _ms(r.get("ms")), text(r.get("error"))) for r in rows]


def traceback(event: Event) -> str:
    """As the interpreter prints it, the oldest exception first."""
    parts = []
    for item in event.exceptions:
        lines = ["Traceback (most recent call last):"] if item.frames else []
        for frame in item.frames:
            lines.append(f'  File "{frame.abs_path or frame.filename}", line {frame.lineno}, in {frame.function}')
            if frame.context_line.strip():
                lines.append(f"    {frame.context_line.strip()}")
        name = f"{item.module}.{item.type}" if item.module not in ("", "builtins") else item.type
        parts.append("\n".join([*lines, f"{name}: {item.value}" if item.value else name]))
    return "\n\n".join(parts)


def _ms(found: Json) -> str:
    return f"{found:.1f} ms" if isinstance(found, int | float) else ""
