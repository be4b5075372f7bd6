"""RQ: a job that fails is an event, with its function, arguments and queue. By RQ's own hooks.

    Worker(queues, connection=redis, **handlers(guard))         in code
    rq worker --worker-class fivehundred.guard.rq.GuardedWorker  on the command line

A job that RQ will run again is no failure yet; ``retries=True`` reports each try. A work horse that was killed leaves
no exception: its job is reported with the signal.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import os
import signal
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rq import Worker

from fivehundred import limits
from fivehundred.guard.flight import Job, back, begin_job

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


class WorkHorseKilled(RuntimeError):
    """The process that ran the job is gone, and the job with it."""

    __module__ = "fivehundred"


def handlers(guard: Guard, *, retries: bool = False) -> dict[str, Any]:
    """Arguments for RQ's ``Worker``."""

    def failed(job: Any, kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> bool:
        if retries or not _comes_again(job):
            _report(guard, job, exc if exc.__traceback__ is not None else exc.with_traceback(trace))
        return True  # the next handler is asked as well

    def killed(job: Any, pid: int, status: int, usage: object) -> None:
        _report(guard, job, WorkHorseKilled(f"the work horse {_ending(status)} while it ran this job"))

    return {"exception_handlers": [failed], "work_horse_killed_handler": killed}


class GuardedWorker(Worker):
    """For ``rq worker --worker-class``: its Guard is made from the environment (FIVEHUNDRED_DSN ...)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        from fivehundred.guard.guard import Guard

        self.guard = Guard()
        mine = handlers(self.guard)
        named = options.get("exception_handlers") or []
        both = [*mine["exception_handlers"], *(named if isinstance(named, list | tuple) else [named])]
        super().__init__(*args, **{**mine, **options, "exception_handlers": both})


def _report(guard: Guard, job: Any, exc: BaseException) -> None:
    token = begin_job(_job(job))
    guard.report(exc, None, status=None)
    back(token)
    guard.flush(limits.job_flush_s)  # a work horse ends by os._exit; what does not arrive now is in the spool


def _comes_again(job: Any) -> bool:
    """Handlers are asked before RQ puts the job back or, in some versions, after."""
    status = str(getattr(job.get_status(refresh=False), "value", ""))
    return bool(job.should_retry) or status in ("queued", "scheduled")


def _job(job: Any) -> Job:
    try:
        name, args, kwargs = job.func_name, job.args, job.kwargs
    except Exception:  # the edge to what was stored: it may not be readable any more, which is then the failure itself
        name, args, kwargs = "", (), None
    return Job("rq", name or "unknown", str(job.id), str(job.origin), args, kwargs)


def _ending(status: int) -> str:
    if status is None or not os.WIFSIGNALED(status):
        return f"ended with status {os.waitstatus_to_exitcode(status)}" if isinstance(status, int) else "ended"
    number = os.WTERMSIG(status)
    known = next((one.name for one in signal.Signals if one == number), str(number))
    return f"was killed by {known}"
