"""The Guard: what stands between an application's failure and everybody who has to live with it.

``handle`` is the whole way of one 500: verdict, Event, spool, log record, answer. Nothing of it raises into the
application, waits for the network, or runs the application's code. What is heavy is imported when it is first needed.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fivehundred import limits
from fivehundred.event import Event, context_name, new_id, parse
from fivehundred.event_wire import to_wire
from fivehundred.guard import config, crumbs, deaths, doctor, hooks, log, once, user
from fivehundred.guard.capture import About, capture
from fivehundred.guard.encode import encoded
from fivehundred.guard.faults import Faults
from fivehundred.guard.flight import Flight, current, request_now
from fivehundred.guard.incoming import trace_of
from fivehundred.guard.observe import Observer
from fivehundred.guard.places import may_be_own, place_of
from fivehundred.guard.rates import Rates
from fivehundred.guard.request import RequestParts
from fivehundred.guard.ship import Shipper
from fivehundred.guard.slots import Slots
from fivehundred.guard.spool import folder_for
from fivehundred.problem import Answer, answer
from fivehundred.scrub import scrub

if TYPE_CHECKING:
    from fivehundred.diagnosis.model import Verdict
    from fivehundred.guard.asgi import AsgiGuard
    from fivehundred.guard.wsgi import WsgiGuard
    from fivehundred.problem_own import Template

_log = logging.getLogger("fivehundred.guard")


class Guard:
    """One per process, made before the application is wrapped. Every option has a default that is meant to stay.

    ``dsn``           where events go; FIVEHUNDRED_DSN or SENTRY_DSN when not given; none: answers and logs only
    ``release``       what was deployed, as text; FIVEHUNDRED_RELEASE
    ``environment``   FIVEHUNDRED_ENVIRONMENT, else the mode's name, so that no laptop counts as production
    ``mode``          "production"; "development": requests from this machine get a page that shows the failure, others
                      the answer of production; "testing": events are kept in ``events`` and nothing is sent
    ``disclose``      "nothing"; "cause" lets one general sentence about a known cause into the answer
    ``statuses``      exception classes of the application: ``{NotReady: (503, "We are starting.")}``
    ``template``      the application's own words: a function of ``problem_own.Shown`` to a page, a dict, or None
    ``app_paths``     folders whose code is the application's own although it is installed
    ``secret_names``  further names whose values never leave the process
    ``deadline``      True: work for a caller that stopped waiting (``Fivehundred-Deadline``) is not begun: 504
    ``spool``         folder for events that wait for the collector; FIVEHUNDRED_SPOOL, else one in the temporary folder
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        release: str | None = None,
        environment: str | None = None,
        mode: str = "production",
        disclose: str = "nothing",
        statuses: config.Statuses | None = None,
        template: Template | None = None,
        app_paths: Iterable[str] = (),
        secret_names: Iterable[str] = (),
        deadline: bool = False,
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        self.mode = config.checked_mode(mode)
        self.disclose = config.checked_disclose(disclose)
        self.dsn = config.dsn_of(dsn)
        self.about = config.about_of(release, environment, self.mode, app_paths, secret_names)
        self.events: deque[Event] = deque(maxlen=_kept_events_max)  # mode="testing" alone
        self.failures_inside = 0  # failures of the Guard itself: each was answered, none reached the application
        self.deadline = deadline
        self.template = template
        self._shown: dict[str, Event] = {}  # mode="development" alone: what its page shows, by reference
        self._mapped = config.mapped(statuses)
        if deadline:
            from fivehundred.guard.deadline import CallerGone

            self._mapped += (config.Mapped(CallerGone, 504, ""),)
        self._faults = Faults()
        self._observer = Observer(self.about)
        self._shipper: Shipper | None = None
        folder: Path | None = None
        if self.dsn is not None and self.mode != "testing":
            destination = f"{self.dsn.scheme}://{self.dsn.key}@{self.dsn.netloc}{self.dsn.envelope_path}"
            folder = folder_for(destination, config.spool_root(spool))
            self._observer.folder = folder
            self._shipper = Shipper(self.dsn, folder, self._observer.complete, self._deaths)
            if folder is not None and deaths.files(folder):
                self._shipper.start()
        self.rates = Rates(self.dsn if self._shipper is not None else None, _told(self.about))
        self.flights = Slots(folder, _told(self.about), self._first_request, deaths.stop_watching)
        crumbs.install()
        if self._shipper is not None:
            hooks.install(self)
            doctor.say()
        _warm_up(self.about)

    # ---- the application's way in ----

    def wsgi(self, app: Any) -> WsgiGuard:
        from fivehundred.guard.wsgi import WsgiGuard

        return WsgiGuard(self, app)

    def asgi(self, app: Any) -> AsgiGuard:
        from fivehundred.guard.asgi import AsgiGuard

        return AsgiGuard(self, app)

    def flask(self, app: Any) -> Any:
        from fivehundred.guard.flask import install

        doctor.say(app)
        return install(self, app)

    def starlette(self, app: Any) -> Any:
        from fivehundred.guard.starlette import install

        doctor.say(app)
        return install(self, app)

    def fastapi(self, app: Any) -> Any:
        from fivehundred.guard.fastapi import install

        doctor.say(app)
        return install(self, app)

    def celery(self, app: Any, *, retries: bool = False) -> Any:
        from fivehundred.guard.celery import install

        return install(self, app, retries=retries)

    def quart(self, app: Any) -> Any:
        from fivehundred.guard.quart import install

        doctor.say(app)
        return install(self, app)

    def litestar(self, app: Any) -> Any:
        from fivehundred.guard.litestar import install

        doctor.say(app)
        return install(self, app)

    def falcon(self, app: Any) -> Any:
        from fivehundred.guard.falcon import install

        return install(self, app)

    def aiohttp(self, app: Any) -> Any:
        from fivehundred.guard.aiohttp import install

        doctor.say(app)
        return install(self, app)

    def sanic(self, app: Any) -> Any:
        from fivehundred.guard.sanic import install

        doctor.say(app)
        return install(self, app)

    def tornado(self, app: Any) -> Any:
        from fivehundred.guard.tornado import install

        doctor.say(app)
        return install(self, app)

    def bottle(self, app: Any) -> Any:
        from fivehundred.guard.bottle import install

        return install(self, app)

    def pyramid(self, app: Any) -> Any:
        from fivehundred.guard.pyramid import install

        return install(self, app)

    def begin(self, method: str = "", path: str = "") -> Flight:
        """A request starts: its crumbs, statements and user are told from those of others, and a process that dies
        in the middle of it leaves word. For integrations, which say ``end()`` on what they get; a microsecond."""
        return self.flights.begin(method, path)

    def user(self, id: object = None, *, name: str = "", email: str = "") -> None:
        """Names whom the request that runs now is for, so that a fault counts its users. Nothing is looked up."""
        flight = current()
        if flight is not None:
            flight.user = user.named(id, name, email)

    def watch_loop(self, loop: Any) -> None:
        """An asyncio loop with an exception handler of its own; the default one's failures are seen anyhow."""
        hooks.watch_loop(self, loop)

    def watch(self, pool: object, name: str = "") -> None:
        """A connection pool (or SQLAlchemy engine) whose state is worth knowing when something fails."""
        self._observer.watch(pool, name)

    # ---- a failure ----

    def handle(self, exc: BaseException, parts: RequestParts) -> Answer:
        """Verdict, event, log record, answer. Never raises."""
        try:
            verdict = self._verdict(exc)
            reference = self._report(exc, parts, verdict.status, verdict)
        except BaseException as e:  # the edge: a failure of the Guard must not become the application's
            verdict, reference = _verdict("guard.failed"), self._failed_inside(e)
        return self._answer(reference, verdict, parts)

    def report(self, exc: BaseException, parts: RequestParts | None, *, status: int | None) -> str:
        """The same without an answer: broken streams, background tasks. The reference; never raises."""
        try:
            return self._report(exc, parts, status, self._verdict(exc))
        except BaseException as e:  # the edge, as above
            return self._failed_inside(e)

    def returned(self, status: int, parts: RequestParts) -> Answer:
        """A failed answer that the application returned without an exception. Never raises."""
        verdict = _verdict("returned", status)
        try:
            reference = self._report(None, parts, status, verdict)
        except BaseException as e:  # the edge, as above
            reference = self._failed_inside(e)
        return self._answer(reference, verdict, parts)

    def capture(self, exc: BaseException) -> str:
        """Reports an exception that the application caught itself, with the request that runs now, if one does.
        The reference; never raises."""
        return self.report(exc, request_now(), status=None)

    def ended(self, exc: BaseException, parts: RequestParts) -> None:
        """For integrations: an exception that ends the process goes through a request. A server's time-out is told."""
        forced = deaths.forced_exit(exc)
        if forced is not None:
            self.report(forced, parts, status=None)

    def flush(self, timeout_s: float = 5) -> bool:
        """Waits until everything is delivered; whether it was."""
        return self._shipper.flush(timeout_s) if self._shipper is not None else True

    def close(self) -> None:
        """Ends the threads. What is not delivered stays in the spool for the next process."""
        if self._shipper is not None:
            self._shipper.close()
        self.rates.close()
        hooks.remove(self)
        self._observer.close()
        if self.flights.path is not None:
            deaths.end_of_watch(self.flights.path)
        self.flights.close()

    # ---- inside ----

    def _verdict(self, exc: BaseException) -> Verdict:
        verdict = _quick(exc)
        found = self._mapping_of(exc)
        if found is None:
            return verdict
        retry_after_s = verdict.retry_after_s
        if retry_after_s is None and found.status == 503:
            retry_after_s = _mapped_retry_after_s
        transient = "yes" if found.status == 503 and verdict.transient == "unknown" else verdict.transient
        from fivehundred.diagnosis.model import Verdict

        return Verdict(verdict.cause, transient, found.status, retry_after_s, "application.mapped", found.public)

    def _mapping_of(self, exc: BaseException) -> config.Mapped | None:
        if not self._mapped:
            return None
        by_id = {id(m.kind): m for m in self._mapped}
        return next(
            (by_id[id(base)] for base in type.__dict__["__mro__"].__get__(type(exc)) if id(base) in by_id), None
        )

    def _answer(self, reference: str, verdict: Verdict, parts: RequestParts) -> Answer:
        own_words = verdict.rule == "application.mapped"
        trace = trace_of(parts).get("trace_id")
        safe = answer(
            reference=reference,
            status=verdict.status,
            transient=verdict.transient,
            retry_after_s=verdict.retry_after_s,
            accept=parts.header("accept"),
            language=parts.header("accept-language"),
            public=verdict.public if own_words or self.disclose == "cause" else "",
            trace_id=trace if isinstance(trace, str) else "",
        )
        if self.template is not None:
            from fivehundred.problem_own import in_own_words

            maybe = safe.status != 500 and verdict.transient == "unknown"
            retryable = verdict.transient in ("yes", "clears") or maybe
            safe = in_own_words(self.template, safe, retryable=retryable)
        return self._developed(safe, reference, parts) if self.mode == "development" else safe

    def _developed(self, safe: Answer, reference: str, parts: RequestParts) -> Answer:
        """The page of development for requests from this machine; the safe answer should anything go wrong with it."""
        event = self._shown.get(reference)
        if event is None:
            return safe
        try:
            from fivehundred.guard.devpage.answer import development_answer

            return development_answer(safe, event, parts)
        except Exception as e:  # the edge: the page of a failure must not fail
            self._failed_inside(e)
            return safe

    def _report(
        self, exc: BaseException | None, parts: RequestParts | None, status: int | None, verdict: Verdict
    ) -> str:
        if exc is not None and (known := once.reference_of(exc)):
            return known
        slim = self._is_slim(exc)
        event = capture(exc, parts, self.about, slim=slim)
        if exc is not None:
            once.remember(exc, event.event_id)
        self._add_answer(event, status, verdict)
        if self.flights.used:
            event.contexts[context_name]["requests_now"] = self.flights.now
        if _names_errno(event):  # descriptors may be free again a moment later; all else the observer reads in peace
            event.contexts[context_name].update(self._observer.at_once())
        if self.mode == "development":
            self._show(event)
        if self.mode == "testing":
            self.events.append(parse(to_wire(event), received_at=event.timestamp))
        elif self._shipper is not None:
            if slim and self._shipper.fullness > limits.guard_spool_count_at:
                self._shipper.drop("backpressure")  # room is kept for what nobody has seen yet
            else:
                self._observer.saw(event, slim=slim)
                self._shipper.put(encoded(event))
        log.record(event, exc, status)
        return event.event_id

    def _show(self, event: Event) -> None:
        """Keeps it for its page, scrubbed as everything that leaves the process is; the last few are enough."""
        wire = scrub(to_wire(event), self.about.secret_names)
        self._shown[event.event_id] = parse(wire, received_at=event.timestamp)
        while len(self._shown) > _shown_events_max:
            self._shown.pop(next(iter(self._shown)), None)

    def _first_request(self, path: Path) -> None:
        """Of this process: from here on its death is noticed, and that of the one before it told."""
        deaths.watch_crashes(path)
        if self._shipper is not None and len(deaths.files(path.parent)) > 1:
            self._shipper.start()

    def _deaths(self) -> Iterator[bytes]:
        folder = self._shipper.folder if self._shipper is not None else None
        for event in deaths.found(folder) if folder is not None else ():
            log.record(event, None, None)
            yield encoded(event)

    def _is_slim(self, exc: BaseException | None) -> bool:
        if exc is None:
            return False
        full = self._shipper.fullness if self._shipper is not None else 0.0
        return self._faults.seen_often(exc, strictly=full > limits.guard_spool_slim_at)

    def _add_answer(self, event: Event, status: int | None, verdict: Verdict) -> None:
        ours = event.contexts[context_name]
        if status is not None:
            ours["status"] = status
            ours["retryable"] = verdict.transient in ("yes", "clears")
            if verdict.retry_after_s is not None:
                ours["retry_after_s"] = verdict.retry_after_s

    def _failed_inside(self, e: BaseException) -> str:
        """The reference of a failure whose report failed: the client still gets one, and the log says both."""
        reference = new_id()
        self.failures_inside += 1
        try:
            kind = type.__dict__["__qualname__"].__get__(type(e))
            trace = _own_lines(e)
            _log.error("The Guard could not report a failure: %s at %s (reference %s)", kind, trace, reference)
            if self._shipper is not None:
                self._shipper.drop("internal_sdk_error")
        except Exception:  # no memory, no descriptor, a broken handler: the answer is what still matters
            return reference
        return reference


def _told(about: About) -> dict[str, str]:
    """What the report of a dead process says of it."""
    return {"release": about.release, "environment": about.environment, "server_name": about.server_name}


def _warm_up(about: About) -> None:
    """Tables load and patterns compile now, in the thread that starts the process, not while the first client waits.

    In a thread of its own a fork could meet it in the middle of an import, and leave the child with its lock.
    """
    import fivehundred.guard.changes  # noqa: F401 - the observer's, which would load OpenSSL while requests run

    _quick(LookupError())
    encoded(capture(ConnectionRefusedError(0, "none", {"none": [0]}), None, about))
    may_be_own(place_of(sys._getframe(), ()))


def _names_errno(event: Event) -> bool:
    return any(item.mechanism is not None and item.mechanism.meta for item in event.exceptions)


def _quick(exc: BaseException) -> Verdict:
    """A verdict that fails costs a better status, never the report."""
    try:
        from fivehundred.diagnosis.quick import quick  # 25 ms that not every importer of this module needs

        return quick(exc)
    except Exception as e:
        _say_quick_failed(type(e).__name__)
        return _verdict("guard.failed")


@functools.cache
def _say_quick_failed(kind: str) -> None:
    """Once per process: it would else stand beside every failure's record."""
    _log.warning("The quick diagnosis failed (%s); answers are plain 500s", kind)


def _verdict(rule: str, status: int = 500) -> Verdict:
    """Nothing is known but the status. Its module waits for the first failure, as ``quick`` does."""
    from fivehundred.diagnosis.model import Verdict

    return Verdict("unknown", "unknown", status, None, rule, "")


_mapped_retry_after_s: Final = 30  # a 503 of the application's own mapping: long enough to be worth a wait
_kept_events_max: Final = 1_000
_shown_events_max: Final = 20


def _own_lines(e: BaseException) -> str:
    lines: list[str] = []
    entry = e.__traceback__
    while entry is not None and len(lines) < 20:
        lines.append(f"{os.path.basename(entry.tb_frame.f_code.co_filename)}:{entry.tb_lineno}")
        entry = entry.tb_next
    return " ".join(lines[-4:])
