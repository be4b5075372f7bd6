"""The message of an exception, without running the application's code where that can be avoided, and bounded where not.

A built-in ``__str__`` over plain arguments is called. Arguments of other types are rendered structurally. A ``__str__``
of the application's own is called once, on a helper thread with a deadline: only so can one that hangs be left behind.
"""

from __future__ import annotations

import builtins
import contextvars
import os
import queue
import threading
from types import WrapperDescriptorType
from typing import Final

from fivehundred import limits
from fivehundred.event import clean, cut
from fivehundred.guard.render import Renderer, _type_dict, attribute, mro, type_name

_args = BaseException.__dict__["args"].__get__


def message(exc: BaseException, r: Renderer) -> str:
    owner = _owner_of_str(type(exc))
    if owner is None:
        own = _guarded(exc)
        return own if own is not None else _structural(exc, r)
    if _all_plain(exc):
        return cut(clean(str(exc)[: limits.message_chars_max + 1]), limits.message_chars_max)
    return _structural(exc, r)


def _owner_of_str(kind: type) -> type | None:
    """The built-in class whose ``__str__`` this exception class has; None when it is not a built-in one."""
    for base in mro(kind):
        found = _type_dict(base).get("__str__")
        if found is not None:
            return base if type(found) is WrapperDescriptorType and _is_builtin(base) else None
    return None


def _is_builtin(kind: type) -> bool:
    return id(kind) in _builtin_strs  # by its id: a metaclass of the application may have an __eq__ of its own


_builtin_strs: Final = frozenset(
    id(kind) for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, BaseException)
)


def _all_plain(exc: BaseException) -> bool:
    parts: list[object] = list(_args(exc))
    if issubclass(type(exc), OSError | SyntaxError | ImportError | UnicodeError):
        parts += [attribute(exc, name) for name in ("strerror", "filename", "filename2", "msg", "lineno", "reason")]
    if len(parts) > 20:
        return False
    return all(_is_plain(part) for part in parts)


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= limits.message_chars_max * 4  # type: ignore[arg-type]
    if type(value) is int:
        return value.bit_length() < 256
    if type(value) is tuple:
        return len(value) <= 20 and all(_is_short(inner) for inner in value)
    return value is None or kind is float or kind is bool


def _is_short(value: object) -> bool:
    if type(value) is str:
        return len(value) < 1_000
    return value is None or type(value) is float or (type(value) is int and value.bit_length() < 256)


def _structural(exc: BaseException, r: Renderer) -> str:
    if issubclass(type(exc), BaseExceptionGroup):
        text = attribute(exc, "message")
        count = attribute(exc, "exceptions")
        number = len(count) if type(count) is tuple else 0
        return f"{cut(str(r.value(text)), limits.message_chars_max)} ({number} sub-exceptions)"
    args = _args(exc)
    shown: list[str] = []
    for arg in args[:20]:
        value = r.text(arg, limits.message_chars_max) if type(arg) is str else r.value(arg, 1)
        shown.append(value if isinstance(value, str) else str(value))
    text = shown[0] if len(args) == 1 else f"({', '.join(shown)})" if args else ""
    return cut(clean(text), limits.message_chars_max)


# ---- a __str__ that is not ours ------------------------------------------------------------------


class _Caller(threading.Thread):
    """Calls ``str`` for others. One per process; given up and replaced when a call does not come back in time."""

    def __init__(self) -> None:
        super().__init__(name="fivehundred-message", daemon=True)
        self.work: queue.SimpleQueue[tuple[BaseException, contextvars.Context, list[str | None], threading.Lock]] = (
            queue.SimpleQueue()
        )
        self.abandoned = False

    def run(self) -> None:
        while not self.abandoned:
            self._one()

    def _one(self) -> None:
        exc, context, answer, done = self.work.get()
        try:
            answer[0] = context.run(_bounded_str, exc)
        except BaseException:  # the edge to code of which nothing is known: SystemExit, a wrong type, anything
            answer[0] = None
        finally:
            done.release()


def _bounded_str(exc: BaseException) -> str:
    text = str(exc)
    return cut(clean(str.__getitem__(text, slice(0, limits.message_chars_max + 1))), limits.message_chars_max)


_lock = threading.Lock()
_caller: _Caller | None = None
_hung: dict[str, int] = {}  # type name -> times its __str__ did not come back


def _guarded(exc: BaseException) -> str | None:
    """What ``str(exc)`` says, or None when it raised, said nothing in time, or is known to hang."""
    name = type_name(type(exc))
    if name in _hung or sum(_hung.values()) >= limits.messages_hung_max:
        return None
    answer: list[str | None] = [None]
    done = threading.Lock()
    done.acquire()
    with _lock:
        caller = _running_caller()
        if caller is None:
            return None
        caller.work.put((exc, contextvars.copy_context(), answer, done))
        if done.acquire(timeout=limits.message_ms_max / 1000):
            return answer[0]
        _give_up(caller, name)
    return None


def _running_caller() -> _Caller | None:
    global _caller
    if _caller is None or not _caller.is_alive():
        _caller = _Caller()
        try:
            _caller.start()
        except RuntimeError:  # no thread can be started: the limit is reached, or the interpreter ends
            _caller = None
    return _caller


def _give_up(caller: _Caller, name: str) -> None:
    global _caller
    caller.abandoned = True
    _caller = None
    _hung[name] = _hung.get(name, 0) + 1


def _after_fork() -> None:
    """A child has the names of its parent's threads, but not the threads."""
    global _caller, _lock
    _caller = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
