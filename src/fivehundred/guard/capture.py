"""From an exception to an Event: bounded in time and size, and without running the application's code.

The Event that leaves here has named secrets hidden already; ``guard.py`` scrubs by shape before it stores anything.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from fivehundred import __version__, limits, scrub
from fivehundred.event import Event, ExceptionItem, Frame, Json, Mechanism, Sdk, clean, context_name, new_id
from fivehundred.guard import crumbs, facts, statements, user
from fivehundred.guard.flight import Job, current
from fivehundred.guard.frames import stacks_of, walked, with_locals
from fivehundred.guard.incoming import request_of, trace_of
from fivehundred.guard.message import message
from fivehundred.guard.render import Renderer, learn_stdlib, module_name, plain_name
from fivehundred.guard.request import RequestParts
from fivehundred.record import field, record


@record(frozen=True, slots=True)
class About:
    """What is the same for every event of a process."""

    release: str = ""
    environment: str = "production"
    server_name: str = field(default_factory=lambda: _host_name())
    app_paths: tuple[str, ...] = ()
    secret_names: frozenset[str] = frozenset()


def capture(exc: BaseException | None, parts: RequestParts | None, about: About, *, slim: bool = False) -> Event:
    """The Event of an exception, or of a failed request without one. ``slim``: no locals, no source around."""
    learn_stdlib(sys.modules)
    r = Renderer(about.secret_names)
    event = _blank(about)
    ours: dict[str, Json] = {}
    if parts is not None:
        event.request = request_of(parts, r)
        event.transaction = f"{parts.method} {parts.route or parts.path}"[: limits.name_chars_max]
        ours.update({"method": parts.method[:32], "route": parts.route[: limits.name_chars_max]})
        trace = trace_of(parts)
        if trace:
            event.contexts["trace"] = trace
    if exc is not None:
        links = chain_of(exc, r)
        r.renew()
        event.exceptions = _items(links, r, about, slim)
        ours.update(_application_facts(links))
    flight = current()
    if flight is not None:
        event.user = flight.user or user.of(parts)
        if flight.job is not None:
            _add_job(event, flight.job, r)
        if flight.statements and not slim:
            ours["sql"] = statements.told(flight.statements, ours.get("sql"))
    if not slim:
        r.renew()
        event.breadcrumbs = crumbs.collected(r)
    if r.cut:
        ours["cut"] = dict(r.cut)
    event.contexts[context_name] = ours
    return event


def _add_job(event: Event, job: Job, r: Renderer) -> None:
    """Arguments are rendered as locals are: structurally, bounded, and without what a name calls secret."""
    event.transaction = clean(job.name[: limits.name_chars_max])
    event.tags = {"job.system": job.system, "job.queue": clean(job.queue[: limits.tag_chars_max])}
    found: dict[str, Json] = {
        "system": job.system,
        "name": event.transaction,
        "id": clean(job.id[: limits.tag_chars_max]),
        "queue": clean(job.queue[: limits.tag_chars_max]),
        "attempt": job.attempt,
    }
    for name, value in (("args", job.args), ("kwargs", job.kwargs)):
        if value is not None and value != () and value != {}:
            found[name] = r.local(name, value)
    event.contexts["job"] = found


def _blank(about: About) -> Event:
    return Event(
        event_id=new_id(),
        timestamp=time.time(),
        platform="python",
        server_name=about.server_name,
        release=about.release,
        environment=about.environment,
        contexts={"runtime": dict(_runtime)},
        sdk=Sdk("fivehundred.guard", __version__),
    )


_runtime: Final[dict[str, Json]] = {
    "name": "CPython" if sys.implementation.name == "cpython" else sys.implementation.name,
    "version": ".".join(map(str, sys.version_info[:3])),
}


def _host_name() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename[: limits.name_chars_max]
    return os.environ.get("COMPUTERNAME", "")[: limits.name_chars_max]


def _application_facts(links: list[Link]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    statements: list[Json] = []
    for link in links:
        statement = facts.statement_of(link.exc)
        if statement is not None and not any(s == {"statement": statement} for s in statements):
            statements.append({"statement": statement})
        name = _missing_variable(link.exc)
        if name:
            found["env_missing"] = [name]
    if statements:
        found["sql"] = statements
    return found


def _missing_variable(exc: BaseException) -> str:
    """The name of the environment variable that ``os.environ[name]`` did not find."""
    if type(exc) is not KeyError:
        return ""
    traceback: TracebackType | None = exc.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code if traceback else None
    # os.environ's own __getitem__: "raise KeyError(key) from None"
    if code is None or code.co_qualname != "_Environ.__getitem__" or not exc.args or type(exc.args[0]) is not str:
        return ""
    return exc.args[0][: limits.name_chars_max]


# ---- chains and groups ---------------------------------------------------------------------------


@record(slots=True)
class Link:
    """One exception and how it hangs on another."""

    exc: BaseException
    parent: int | None
    source: str


def chain_of(exc: BaseException, r: Renderer) -> list[Link]:
    """The raised exception first, then what it hangs on: causes, contexts, members of groups; each one once."""
    found: list[Link] = []
    seen: set[int] = set()
    waiting: list[tuple[BaseException, int | None, str, int]] = [(exc, None, "", 0)]
    while waiting:
        current, parent, source, depth = waiting.pop(0)
        if id(current) in seen:
            continue
        if len(found) >= limits.chain_max or depth > limits.chain_depth_max:
            r.count("exceptions")
            continue
        seen.add(id(current))
        found.append(Link(current, parent, source))
        waiting.extend(_next(current, len(found) - 1, depth))
    return found


def _next(exc: BaseException, number: int, depth: int) -> list[tuple[BaseException, int | None, str, int]]:
    cause, context = _cause_of(exc), _context_of(exc)
    # a chain is walked as deep as the number of exceptions allows; only groups within groups are bounded by depth
    waiting: list[tuple[BaseException, int | None, str, int]] = []
    if cause is not None:
        waiting.append((cause, number, "__cause__", depth))
    elif context is not None and not _suppresses_context(exc):
        waiting.append((context, number, "__context__", depth))
    if issubclass(type(exc), BaseExceptionGroup):
        some = _members_of(exc)[: limits.chain_max]
        waiting.extend((inner, number, f"exceptions[{i}]", depth + 1) for i, inner in enumerate(some))
    return waiting


# By the base classes' own descriptors: an exception class may have put code of the application in their place.
_traceback_of: Final[Callable[[BaseException], TracebackType | None]] = vars(BaseException)["__traceback__"].__get__
_cause_of: Final[Callable[[BaseException], BaseException | None]] = vars(BaseException)["__cause__"].__get__
_context_of: Final[Callable[[BaseException], BaseException | None]] = vars(BaseException)["__context__"].__get__
_suppresses_context: Final[Callable[[BaseException], bool]] = vars(BaseException)["__suppress_context__"].__get__
_members_of: Final[Callable[[BaseException], tuple[BaseException, ...]]] = vars(BaseExceptionGroup)[
    "exceptions"
].__get__


def _items(links: list[Link], r: Renderer, about: About, slim: bool) -> list[ExceptionItem]:
    frames_left = limits.frames_all_max
    walks: list[list[TracebackType]] = []
    for link in links:
        walks.append(walked(_traceback_of(link.exc), r, min(limits.guard_frames_max, max(frames_left, 1))))
        frames_left -= len(walks[-1])
    stacks = stacks_of(walks, about.app_paths, slim=slim)
    items = [_item(number, link, list(stacks[number].frames), r) for number, link in enumerate(links)]
    if not slim:
        r.renew()
        for item, stack, entries in zip(items, stacks, walks, strict=True):
            item.frames = with_locals(stack, entries, r)
    items.reverse()  # on the wire the oldest is first
    return items


def _item(number: int, link: Link, frames: list[Frame], r: Renderer) -> ExceptionItem:
    kind = type(link.exc)
    return ExceptionItem(
        type=plain_name(kind),
        value=scrub.scrub_text(message(link.exc, r)),
        module=module_name(kind),
        mechanism=Mechanism(
            type="chained" if number else "fivehundred",
            handled=False if number == 0 else None,
            source=link.source,
            exception_id=number,
            parent_id=link.parent,
            is_exception_group=issubclass(kind, BaseExceptionGroup),
            meta=facts.errno_of(link.exc),
            data=facts.data_of(link.exc, r),
        ),
        frames=frames,
    )
