"""How the Console's processes log: lines for people, or one JSON object a line for machines.

What a sender chose never begins a line of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import traceback
from typing import Final

formats: Final = ("text", "json")
variable: Final = "FIVEHUNDRED_LOG"  # how a parent tells its children


def add_log_argument(parser: argparse.ArgumentParser) -> None:
    chosen = os.environ.get(variable, "text")
    parser.add_argument(
        "--log",
        choices=formats,
        default=chosen if chosen in formats else "text",
        help="form of the log on stderr (text)",
    )


def set_up(form: str = "", level: int = logging.WARNING) -> None:
    """``form`` "" is what the parent or the environment chose."""
    chosen = form or os.environ.get(variable, "text")
    os.environ[variable] = chosen
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if chosen == "json" else _Text())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class _Text(logging.Formatter):
    """A traceback keeps its lines; the message is one line."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _one_line(super().formatMessage(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if record.exc_info and record.exc_info[1] is not None:
            kind, error, trace = record.exc_info
            line["exception"] = {
                "type": type(error).__name__,
                "message": str(error),
                "traceback": "".join(traceback.format_exception(kind, error, trace)),
            }
        return json.dumps(line, ensure_ascii=True)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
