"""One log record per failure, at ERROR, from the logger ``fivehundred``; and a formatter that writes it as JSON.

Control characters are escaped in everything that came from outside, so nothing can start a line that looks like a
record of its own. The traceback is made of the captured Event: it costs no second walk and holds no secret.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Final

from fivehundred.event import Event, ExceptionItem, Frame, Json
from fivehundred.guard.kept import Kept
from fivehundred.guard.outgoing import traceback_of

logger = logging.getLogger("fivehundred")


def record(event: Event, exc: BaseException | None, status: int | None) -> None:
    """Writes the record. Never raises: a handler that fails is logging's own business."""
    if not logger.isEnabledFor(logging.ERROR):
        return
    made = logger.makeRecord(
        logger.name, logging.ERROR, *_where(event), "%s", (_headline(event, status),), None, extra=_extra(event, status)
    )
    if event.exceptions:
        made.exc_text = traceback_text(event)  # formatters print this and do not walk the exception again
        made.exc_info = (type(exc), exc, traceback_of(exc)) if exc is not None else None
    logger.handle(made)


def _where(event: Event) -> tuple[str, int]:
    """The failing line stands as the record's origin, so a log viewer's link leads there."""
    frames = event.exceptions[-1].frames if event.exceptions else []
    frame = next((f for f in reversed(frames) if f.in_app), frames[-1] if frames else None)
    return (frame.abs_path, frame.lineno or 0) if frame else (__file__, 0)


def _headline(event: Event, status: int | None) -> str:
    where = f" in {escaped(event.transaction)}" if event.transaction else ""
    last = event.exceptions[-1] if event.exceptions else None
    what = f"{escaped(last.type)}: {escaped(last.value)}" if last else "a failed answer without an exception"
    return f"{status or 'failed'}{where}: {what} (reference {event.event_id})"


def _extra(event: Event, status: int | None) -> dict[str, object]:
    """Fields for structured formatters; names that no LogRecord has."""
    return {
        "reference": event.event_id,
        "status": status,
        "method": escaped(event.request.method) if event.request else "",
        "path": escaped(event.request.url) if event.request else "",
        "route": escaped(str(event.ours.get("route", ""))),
    }


def escaped(text: str) -> str:
    """On one line: control and line-separating characters as ``\\n``, ``\\x1b``, ``\\u2028``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


# ---- the traceback -------------------------------------------------------------------------------


def traceback_text(event: Event) -> str:
    """As Python prints it, from the Event. Each line is escaped and indented: column 0 belongs to records."""
    lines: list[str] = []
    for number, item in enumerate(event.exceptions):
        if number:
            lines.append(_between(event.exceptions[number - 1]))
        lines.extend(_exception_lines(item))
    return "\n".join(f"  {line}" for line in lines)


def _between(before: ExceptionItem) -> str:
    source = before.mechanism.source if before.mechanism else ""
    texts = {"__cause__": "which caused:", "__context__": "and while it was handled:"}
    return texts.get(source, f"{source} of:" if source else "then:")


def _exception_lines(item: ExceptionItem) -> list[str]:
    lines = ["Traceback (most recent call last):"] if item.frames else []
    before: Frame | None = None
    repeated = 0
    for frame in item.frames:
        same = before is not None and frame.lineno == before.lineno and frame.filename == before.filename
        repeated = repeated + 1 if same else 0
        if repeated < _repeated_max:
            lines.append(_frame_text(frame) if frame.vars else _frame_texts(frame))
        elif repeated == _repeated_max:
            lines.append("  [and more calls of the same line]")
        before = frame
    lines.append(f"{escaped(item.type)}: {escaped(item.value)}" if item.value else escaped(item.type))
    notes = item.mechanism.data.get("notes") if item.mechanism else None
    return lines + ([escaped(str(note)) for note in notes] if isinstance(notes, list) else [])


_repeated_max: Final = 3


def _frame_text(frame: Frame) -> str:
    line = f"\n      {escaped(frame.context_line.strip())}" if frame.context_line else ""
    return f'  File "{escaped(frame.abs_path)}", line {frame.lineno}, in {escaped(frame.function)}{line}'


_frame_texts: Final = Kept(_frame_text)  # the frames without locals are the same from event to event


class JsonFormatter(logging.Formatter):
    """Each record as one line of JSON: time, level, logger, message, and what a failure's record adds."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        found: dict[str, Json] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("reference", "status", "method", "path", "route"):
            value = record.__dict__.get(name)
            if isinstance(value, str | int) and value != "":
                found[name] = value
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            found["traceback"] = record.exc_text
        return json.dumps(found, ensure_ascii=False)
