"""Celery: a task that fails is an event, with its name, arguments and queue. By Celery's own signals.

    guard.celery(app)

A retry is no failure yet: the last attempt is. ``retries=True`` reports each. Exceptions that a task names in
``throws`` are its answer and are not reported. A worker that was killed is reported as Celery tells it.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from contextvars import Token
from typing import TYPE_CHECKING, Any, TypeVar

from celery import signals

from fivehundred.guard import duplicates
from fivehundred.guard.flight import Flight, Job, back, begin_job

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

App = TypeVar("App")


def install(guard: Guard, app: App, *, retries: bool = False) -> App:
    """Listens to the tasks of ``app`` alone. Gives it back."""
    running: dict[str, Token[Flight | None]] = {}

    def begins(sender: Any, task_id: str, **_: object) -> None:
        if sender.app is app:
            running[task_id] = begin_job(_job(sender, sender.request))

    def ended(sender: Any, task_id: str, **_: object) -> None:
        token = running.pop(task_id, None)
        if token is not None:
            back(token)

    def failed(sender: Any, task_id: str, exception: BaseException, **rest: Any) -> None:
        if sender.app is not app or isinstance(exception, tuple(sender.throws or ())):
            return
        if task_id not in running:  # the worker's main process: of what its children report it knows less than they
            if type(exception).__module__.partition(".")[0] != "billiard":
                return
            token = begin_job(Job("celery", sender.name, task_id, "", rest.get("args"), rest.get("kwargs")))
            _report(guard, exception, rest.get("traceback"))
            back(token)
            return
        _report(guard, exception, rest.get("traceback"))

    def retried(sender: Any, reason: object, **_: object) -> None:
        # the reason is a Retry, which says what made the task want another try
        exc = getattr(reason, "exc", reason)
        if sender.app is app and isinstance(exc, BaseException):
            _report(guard, exc, None)

    signals.task_prerun.connect(begins, weak=False)
    signals.task_postrun.connect(ended, weak=False)
    signals.task_failure.connect(failed, weak=False)
    if retries:
        signals.task_retry.connect(retried, weak=False)
    return app


def _report(guard: Guard, exc: BaseException, trace: Any) -> None:
    if exc.__traceback__ is None and type(trace).__name__ == "traceback":
        exc = exc.with_traceback(trace)
    guard.report(exc, None, status=None)
    duplicates.mark(exc)  # Celery logs it as well


def _job(task: Any, request: Any) -> Job:
    delivery = request.delivery_info or {}
    queue = delivery.get("routing_key") or ""
    return Job("celery", task.name, str(request.id), str(queue), request.args, request.kwargs, request.retries + 1)
