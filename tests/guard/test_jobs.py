"""Celery and RQ with a running Redis: a failed job is one event, a retry none, a killed process one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery  # type: ignore[import-untyped]
from redis import Redis
from rq import Queue, Retry
from tests.guard.conftest import Starter

from fivehundred import Guard
from fivehundred.guard.testing import Sink, reported

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = Redis(port=port)
    for _ in range(100):
        try:
            client.ping()
            break
        except OSError:
            time.sleep(0.05)
        except Exception:
            time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


# ---- Celery ----------------------------------------------------------------------------------------

_tasks = """
import os, signal
from celery import Celery
from fivehundred import Guard

app = Celery("shop", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
guard = Guard()
guard.celery(app)

@app.task
def divides(amount, password=""): return amount / 0

@app.task(bind=True, max_retries=2)
def again(self):
    try: raise ConnectionError("not yet")
    except ConnectionError as e: raise self.retry(exc=e, countdown=0)

@app.task(throws=(KeyError,))
def expected(): raise KeyError("a way to say no")

@app.task
def dies(): os.kill(os.getpid(), signal.SIGKILL)

@app.task
def fine(): return 1
"""
_worker = ("-m", "celery", "-A", "app", "worker", "-c", "1", "--loglevel", "ERROR", "-P")


@needs_redis
def test_a_celery_worker_reports_each_failed_task_once(start: Starter, collector: Sink, redis_url: str) -> None:
    server = start(_tasks, *_worker, "prefork", env={"REDIS": redis_url})
    client = Celery("shop", broker=redis_url, backend=redis_url)
    client.send_task("app.expected")
    client.send_task("app.again")
    client.send_task("app.divides", args=[12], kwargs={"password": "hunter2hunter2"})
    client.send_task("app.dies")
    assert client.send_task("app.fine").get(timeout=30) == 1, server.log.read_text()
    assert collector.wait(3, 15), server.log.read_text()
    time.sleep(0.3)
    found = {event.transaction: event for event in collector.events}
    assert sorted(found) == ["app.again", "app.dies", "app.divides"]
    assert len(collector.events) == 3
    divided = found["app.divides"].contexts["job"]
    assert (divided["system"], divided["args"], divided["attempt"]) == ("celery", [12], 1)
    assert divided["kwargs"] == {"password": "[scrubbed]"}
    assert found["app.again"].contexts["job"]["attempt"] == 3
    assert found["app.dies"].exceptions[-1].type == "WorkerLostError"


def test_an_eager_task_inside_a_request_gives_the_request_back() -> None:
    app = Celery("eager")
    app.conf.task_always_eager = True
    guard = Guard("", mode="testing")
    guard.celery(app)

    @app.task  # type: ignore[untyped-decorator]
    def fails() -> None:
        raise LookupError

    flight = guard.begin("GET", "/shop")
    with reported(guard) as events:
        fails.delay()
    guard.user(7)
    assert flight.user is not None
    assert [event.transaction.rpartition(".")[2] for event in events] == ["fails"]


def test_tasks_of_another_app_are_not_reported() -> None:
    app, other = Celery("one"), Celery("two")
    other.conf.task_always_eager = True
    guard = Guard("", mode="testing")
    guard.celery(app)

    @other.task  # type: ignore[untyped-decorator]
    def fails() -> None:
        raise LookupError

    with reported(guard) as events:
        fails.delay()
    assert events == []


# ---- RQ --------------------------------------------------------------------------------------------

_jobs = """
import os, signal

def divides(amount, api_key=""): return amount / 0
def dies(): os.kill(os.getpid(), signal.SIGKILL)
"""
_rq_worker = """
import os, sys
from redis import Redis
from rq import Worker
from fivehundred import Guard
from fivehundred.guard.rq import handlers

guard = Guard()
connection = Redis.from_url(os.environ["REDIS"])
Worker(["default"], connection=connection, **handlers(guard)).work(burst=True)
"""


@needs_redis
def test_an_rq_worker_reports_failed_jobs_and_killed_work_horses(
    start: Starter, collector: Sink, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(_jobs)
    queue = Queue(connection=Redis.from_url(redis_url))
    queue.enqueue("jobs.divides", 12, api_key="hunter2hunter2", retry=Retry(max=1))
    queue.enqueue("jobs.dies")
    worker = start(_rq_worker, "app.py", env={"REDIS": redis_url})
    assert worker.process.wait(30) == 0, worker.log.read_text()
    assert collector.wait(2, 10), worker.log.read_text()
    found = {event.transaction: event for event in collector.events}
    assert sorted(found) == ["jobs.dies", "jobs.divides"]
    assert len(collector.events) == 2
    assert found["jobs.divides"].contexts["job"]["kwargs"] == {"api_key": "[scrubbed]"}
    assert "SIGKILL" in found["jobs.dies"].exceptions[-1].value
