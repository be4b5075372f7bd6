"""The same failure seen twice is one event: remembers, on the exception itself, the reference that it was given.

An exception object alone is not a failure: applications keep instances (``raise NOT_READY``) and raise them again and
again. What tells one flight of it from the next is its traceback, which grows by the callers it passes on its way up,
but by the raising frame when it is raised anew.
"""

from __future__ import annotations

import opcode
import time
from types import CodeType, FrameType, TracebackType
from typing import Final, NamedTuple

from fivehundred.guard.flight import current
from fivehundred.guard.places import may_be_own, place_of

_name: Final = "__fivehundred_seen__"
_dict_of = BaseException.__dict__["__dict__"].__get__
_traceback_of = BaseException.__dict__["__traceback__"].__get__


class Seen(NamedTuple):
    reference: str
    head: TracebackType | None  # the outermost traceback entry when it was seen
    caller: tuple[int, CodeType] | None  # the frame above that one: where the same flight comes by next
    at: float
    request: int  # which one it failed, 0 outside of one: an instance may be raised by two at the same time

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """An exception that is sent to another process or copied goes without this: tracebacks cannot be pickled."""
        return str, (self.reference,)


def remember(exc: BaseException, reference: str) -> None:
    head: TracebackType | None = _traceback_of(exc)
    above = head.tb_frame.f_back if head is not None else None
    _dict_of(exc)[_name] = Seen(reference, head, _identity(above), time.monotonic(), _request())


def _request() -> int:
    """The request that runs here, as a number; jobs are none, as they may run inside of one."""
    flight = current()
    return id(flight) if flight is not None and flight.slots is not None else 0


def reference_of(exc: BaseException) -> str:
    """The reference this flight of the exception was given; empty when it was not seen yet."""
    seen = _dict_of(exc).get(_name)
    if type(seen) is not Seen or (seen.request and (here := _request()) and here != seen.request):
        return ""
    before = _entry_before(_traceback_of(exc), seen.head)
    return seen.reference if before is not None and _same_flight(before, seen) else ""


def _entry_before(entry: TracebackType | None, head: TracebackType | None) -> TracebackType | None:
    """The entry just above ``head``; ``head`` itself when nothing was added; None when it is no longer there."""
    if entry is head:
        # never raised at all: the object is all there is to go by
        return head if head is not None else _NOT_RAISED
    for _ in range(_entries_max):
        if entry is None or entry.tb_next is head:
            return entry if head is not None else None
        entry = entry.tb_next
    return None


_entries_max: Final = 2_000


def _same_flight(before: TracebackType, seen: Seen) -> bool:
    if before is seen.head or seen.head is None:
        return True
    if before.tb_frame is seen.head.tb_frame or _identity(before.tb_frame) == seen.caller:
        return True
    # a library that carries an exception from one task to another raises it there; an application that raises
    # an instance it keeps does so in its own code
    fresh = time.monotonic() - seen.at < _flight_s_max
    return fresh and not (_raises(before) and _is_application(before.tb_frame))


_flight_s_max: Final = 30.0


def _identity(frame: FrameType | None) -> tuple[int, CodeType] | None:
    return (id(frame), frame.f_code) if frame is not None else None


def _raises(entry: TracebackType) -> bool:
    code = entry.tb_frame.f_code.co_code
    at = entry.tb_lasti
    return 0 <= at < len(code) and opcode.opname[code[at]] == "RAISE_VARARGS"


def _is_application(frame: FrameType) -> bool:
    return may_be_own(place_of(frame, ()))


def _made_here() -> TracebackType:
    try:
        raise LookupError
    except LookupError as e:
        made = e.__traceback__
    if made is None:
        raise RuntimeError("a raised exception has a traceback")
    return made


_NOT_RAISED: Final = _made_here()
