"""Deaths without an exception: what a process that was killed, crashed or left by ``os._exit`` could not report itself.

The next process, or another worker, finds the dead one's file of requests in flight (``slots.py``) and, after a crash,
the stack that Python's own ``faulthandler`` wrote beside it. Each request that was running becomes an event. Who sent
the signal is not recorded anywhere that an ordinary process may read, so an event says how far it is known.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fivehundred import __version__, limits, scrub
from fivehundred.event import Event, ExceptionItem, Frame, Json, Mechanism, Request, Sdk, clean, context_name, new_id
from fivehundred.guard.slots import InFlight, Left, every, oom_kills, suffix, take_over

fatal_suffix: Final = ".fatal"


class WorkerTimeout(Exception):
    """Stands in a report for the exit that a server forces on a worker whose request took too long."""

    __module__ = "fivehundred"


def files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob(f"*{suffix}"))
    except OSError:
        return []


def found(folder: Path) -> Iterator[Event]:
    """The events of processes that died since somebody looked last. Removes what it has read."""
    for path in files(folder):
        left = take_over(path)
        if left is None:
            continue
        crash = _crash(path)
        if left.running:
            for one in left.running:
                yield _event(left, one, crash, len(left.running))
        elif crash:
            yield _event(left, None, crash, 0)


# ---- the event -----------------------------------------------------------------------------------


def _event(left: Left, one: InFlight | None, crash: str, running: int) -> Event:
    about, now = left.about, time.time()
    how, text = _how(about, crash)
    ours: dict[str, Json] = {"status": None, "died": {"how": how, "pid": _whole(about.get("pid")), "running": running}}
    event = Event(
        event_id=new_id(),
        timestamp=now,
        platform="python",
        level="fatal",
        server_name=_text(about, "server_name"),
        release=_text(about, "release"),
        environment=_text(about, "environment") or "production",
        sdk=Sdk("fivehundred.guard", __version__),
        exceptions=[
            ExceptionItem(
                type=_types[how],
                value=text,
                module="fivehundred",
                mechanism=Mechanism(type="fivehundred.death", handled=False, data={"how": how}),
                frames=list(_frames(crash)),
            )
        ],
        contexts={context_name: {k: v for k, v in ours.items() if v is not None}},
    )
    if one is not None:
        path = scrub.scrub_url(clean(one.path))
        event.request = Request(method=clean(one.method[:32]), url=path)
        event.transaction = f"{one.method} {template(path)}"[: limits.name_chars_max]
        event.contexts[context_name]["method"] = clean(one.method[:32])
        event.contexts[context_name]["began_at"] = one.began_at
        if now - one.began_at > _long_ago_s:  # found after a longer stop: it died then, not now
            event.timestamp = one.began_at
    return event


_long_ago_s: Final = 3_600
_types: Final = {"crash": "ProcessCrashed", "oom": "ProcessKilled", "aborted": "ProcessAborted", "gone": "ProcessDied"}


def _how(about: dict[str, Any], crash: str) -> tuple[str, str]:
    """Always the same words for the same way to die, so that deaths are grouped by it."""
    if crash:
        name = _fatal.search(crash)
        reason = clean(name[1].strip()[:100]) if name else "a fatal signal"
        if reason == "Aborted":
            return "aborted", "the process was aborted (SIGABRT): by its server after a WORKER TIMEOUT, or by itself"
        return "crash", f"the process crashed: {reason}"
    killed = oom_kills() - (about["oom_kills"] if isinstance(about.get("oom_kills"), int) else 0)
    if "oom_kills" in about and killed > 0:
        return "oom", "the process ended, and the kernel's oom-kill counter of its control group went up meanwhile"
    return "gone", "the process ended without a word while requests were running: SIGKILL (a server's time-out, the" + (
        " memory limit, a person) or os._exit"
    )


_fatal: Final = re.compile(r"Fatal Python error: ([^\n]+)")


def template(path: str) -> str:
    """The path with what looks like an identifier taken out, as the route is not known before it was dispatched."""
    parts = ("{id}" if _identifier.fullmatch(part) else part for part in path.partition("?")[0].split("/"))
    return "/".join(parts)


_identifier: Final = re.compile(r"\d+|[0-9a-fA-F-]{16,}|(?=.*\d)[\w-]{20,}")


def _whole(value: object) -> Json:
    return value if type(value) is int else None


def _text(about: dict[str, Any], name: str) -> str:
    value = about.get(name)
    return clean(value[: limits.name_chars_max]) if isinstance(value, str) else ""


# ---- the stack of a crash ------------------------------------------------------------------------


def watch_crashes(path: Path) -> None:
    """Lets Python write the stack of a crash beside the file of requests, unless the application does so elsewhere."""
    global _crash_file
    if faulthandler.is_enabled() and _crash_file is None:
        return
    ours = getattr(signal, "SIGABRT", None)
    before = signal.getsignal(ours) if ours is not None else None
    if callable(before) and threading.current_thread() is not threading.main_thread():
        return  # it would take the place of the server's own handler, which only the main thread can put back
    opened = open(path.with_suffix(fatal_suffix), "wb", buffering=0)  # noqa: SIM115 - open as long as the process
    faulthandler.enable(opened, all_threads=False)
    if callable(before) and ours is not None:
        signal.signal(ours, before)
    forget_crashes()
    _crash_file = opened


def stop_watching() -> None:
    """Before the file is closed: Python would write into whatever gets its number next."""
    if _crash_file is not None:
        faulthandler.disable()
        forget_crashes()


def forget_crashes() -> None:
    global _crash_file
    if _crash_file is not None:
        with contextlib.suppress(OSError):
            _crash_file.close()
        _crash_file = None


def end_of_watch(path: Path) -> None:
    """The process ends as it should."""
    stop_watching()
    with contextlib.suppress(OSError):
        path.with_suffix(fatal_suffix).unlink(missing_ok=True)


_crash_file: Any = None


@atexit.register
def _at_exit() -> None:
    for slots in every():
        if slots.path is not None:
            end_of_watch(slots.path)
        slots.close()


def _crash(path: Path) -> str:
    """What is left beside the file of a dead process; it is removed."""
    beside = path.with_suffix(fatal_suffix)
    try:
        with open(beside, "rb") as f:
            text = f.read(limits.fatal_bytes_max).decode("utf-8", "replace")
        beside.unlink(missing_ok=True)
    except OSError:
        return ""
    return text


_line: Final = re.compile(r'^  File "([^"\n]{1,500})", line (\d{1,7}) in ([^\n]{1,200})$', re.M)


def _frames(crash: str) -> Iterator[Frame]:
    """Oldest first, as on the wire; faulthandler writes the newest first."""
    found = _line.findall(crash)[: limits.guard_frames_max]
    for name, line, function in reversed(found):
        own = "site-packages" not in name and not name.startswith((sys.prefix + "/lib", sys.base_prefix + "/lib", "<"))
        module = Path(name).stem
        yield Frame(
            filename=Path(name).name,
            abs_path=name,
            module=module,
            function=function,
            lineno=int(line),
            in_app=own,
        )


# ---- a server that ends its own worker -----------------------------------------------------------


def forced_exit(exc: BaseException) -> WorkerTimeout | None:
    """What to report for a SystemExit that the handler of SIGABRT raised in the middle of a request; else None.

    gunicorn sends that signal to a worker whose request took longer than its time-out. The traceback leads through the
    application to the line that was running.
    """
    handler = signal.getsignal(signal.SIGABRT)
    code = getattr(getattr(handler, "__func__", handler), "__code__", None)
    if code is None or not issubclass(type(exc), SystemExit):
        return None
    entry = exc.__traceback__
    while entry is not None and entry.tb_next is not None and entry.tb_next.tb_frame.f_code is not code:
        entry = entry.tb_next
    if entry is None or entry.tb_next is None:
        return None
    made = WorkerTimeout("WORKER TIMEOUT: the server ended this worker (SIGABRT) while the request was running")
    return made.with_traceback(exc.__traceback__)
