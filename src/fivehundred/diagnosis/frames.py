"""Which frames are the application's, and what their source lines say. Reads what was captured, opens no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fivehundred.event import ExceptionItem, Frame


def in_app(frame: Frame) -> bool:
    if frame.in_app is not None:
        return frame.in_app
    path = frame.abs_path or frame.filename
    foreign = ("site-packages", "dist-packages", "/lib/python", "node_modules")
    return not (path.startswith("<frozen") or any(part in path for part in foreign))


def root(frame: Frame) -> str:
    """The root package of a frame, from its module or, when that is missing, from its path."""
    if frame.module:
        return frame.module.partition(".")[0]
    path = frame.abs_path or frame.filename
    for folder in ("site-packages/", "dist-packages/"):
        if folder in path:
            return path.rpartition(folder)[2].partition("/")[0].removesuffix(".py")
    name = path.rpartition("/")[2].removesuffix(".py")
    parent = path.rpartition("/")[0].rpartition("/")[2]
    return parent if name == "__init__" or parent in ("json", "re", "xml", "asyncio", "concurrent", "http") else name


def before(frame: Frame, lines: int = 6) -> str:
    """The lines just above the failing one, and that line itself."""
    return "\n".join([*frame.pre_context[-lines:], frame.context_line])


def where(frame: Frame) -> str:
    """ "shop/views.py:42 in checkout"."""
    return place(frame) + (f" in {name_of(frame)}" if frame.function else "")


def name_of(frame: Frame) -> str:
    """The function's name as people say it, without the functions that it stands in."""
    return frame.function.rpartition("<locals>.")[2] or "?"


def place(frame: Frame) -> str:
    """ "shop/views.py:42"."""
    name = frame.filename or frame.module or "?"
    return f"{name}:{frame.lineno}" if frame.lineno is not None else name


def application(frames: list[Frame]) -> Iterator[Frame]:
    """Frames of the application, the innermost first."""
    return (frame for frame in reversed(frames) if in_app(frame))


def is_own(raised: ExceptionItem) -> bool:
    """An exception that the application defines or raises itself: it may name it as it likes."""
    inner = raised.frames[-1] if raised.frames else None
    if inner is None or not in_app(inner):
        return False
    module = raised.module.partition(".")[0]
    return inner.context_line.lstrip().startswith(_raises) or bool(module and module == inner.module.partition(".")[0])


_raises: Final = ("raise", "throw", "panic", "die(", "return err", "fail(", "abort(")
