"""What a dead process could not report: told by the next one, with real servers, signals and crashes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.guard.conftest import Starter

from fivehundred.guard import deaths
from fivehundred.guard.slots import Slots, take_over
from fivehundred.guard.testing import Sink

_app = """
import ctypes, os, signal, time
from fivehundred import Guard

guard = Guard(release="7.1")

def slow(): time.sleep(30)
def exits(): os._exit(9)
def killed(): os.kill(os.getpid(), signal.SIGKILL)
def crashes(): ctypes.string_at(0)
def eats():
    kept = []
    while True:
        kept.append(b"x" * 10_000_000)
routes = {"/slow": slow, "/exits": exits, "/killed": killed, "/crashes": crashes, "/eats": eats}

def plain(environ, start_response):
    route = "/" + environ["PATH_INFO"].split("/")[1]
    routes.get(route, lambda: None)()
    start_response("200 OK", [])
    return [b"fine"]

app = guard.wsgi(plain)
"""
_gunicorn = ("-m", "gunicorn", "app:app", "-b", "127.0.0.1:{port}", "-w", "1", "--log-level", "error")


@pytest.mark.parametrize("more", [(), ("--preload",)])
@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("/exits/17", "ProcessDied", "without a word"),
        ("/killed/17", "ProcessDied", "SIGKILL"),
        ("/crashes/17", "ProcessCrashed", "Segmentation fault"),
    ],
)
def test_a_worker_that_dies_in_a_request_is_reported_by_the_next(
    start: Starter, collector: Sink, path: str, kind: str, says: str, more: tuple[str, ...]
) -> None:
    server = start(_app, *_gunicorn, *more)
    server.wait_until_up()
    assert server.get(path) == 0
    server.get("/fine")  # the next worker's first request
    assert collector.wait(1, 10)
    event = collector.events[0]
    assert event.exceptions[0].type == kind
    assert says in event.exceptions[0].value
    assert event.transaction == f"GET {path.replace('17', '{id}')}"
    assert event.release == "7.1"
    if kind == "ProcessCrashed":
        assert "crashes" in [frame.function for frame in event.exceptions[0].frames]


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with 400 MB of memory, where this machine lets us make one."""
    memory = Path("/sys/fs/cgroup/memory") if Path("/sys/fs/cgroup/memory").is_dir() else Path("/sys/fs/cgroup")
    group = memory / f"fivehundred-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if memory.name == "memory" else "memory.max")
    try:
        group.mkdir()
        limit.write_text("400000000")
    except OSError:
        group.rmdir() if group.is_dir() else None
        pytest.skip("n/a: this machine lets nobody make a control group with a limit of memory")
    yield group
    until = time.monotonic() + 10
    while group.is_dir() and time.monotonic() < until:
        try:
            group.rmdir()
        except OSError:  # its last process is still ending
            time.sleep(0.05)


def test_a_worker_that_the_kernel_kills_for_its_memory_is_told_apart(
    small_group: Path, start: Starter, collector: Sink, tmp_path: Path
) -> None:
    joins = "import os\nopen(os.environ['GROUP'] + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
    (tmp_path / "conf.py").write_text(joins)
    server = start(_app, *_gunicorn, "-c", "conf.py", env={"GROUP": str(small_group)})
    server.wait_until_up()
    assert server.get("/eats/17", 60) == 0
    server.get("/fine")
    assert collector.wait(1, 20), server.log.read_text()
    event = collector.events[0]
    assert event.exceptions[0].type == "ProcessKilled", event.exceptions[0].value
    assert "oom-kill counter" in event.exceptions[0].value
    assert event.transaction == "GET /eats/{id}"


def test_a_worker_that_gunicorn_ends_for_its_time_out_is_reported_with_the_line_it_stood_in(
    start: Starter, collector: Sink
) -> None:
    server = start(_app, *_gunicorn, "--timeout", "1")
    server.wait_until_up()
    assert server.get("/slow") in (0, 500)
    assert collector.wait(1, 10)
    (last,) = collector.events[0].exceptions
    assert last.type == "WorkerTimeout"
    assert "slow" in [frame.function for frame in last.frames]
    assert "WORKER TIMEOUT" in last.value


def test_a_uvicorn_worker_whose_loop_hangs_is_reported_with_the_line_it_stood_in(
    start: Starter, collector: Sink
) -> None:
    source = _app.replace("guard.wsgi(plain)", "guard.asgi(blocks)").replace(
        "app = ", "async def blocks(scope, receive, send):\n    if scope['type'] == 'http': time.sleep(30)\n\napp = "
    )
    server = start(source, *_gunicorn, "-k", "uvicorn.workers.UvicornWorker", "--timeout", "2")
    server.wait_until_up()
    assert server.get("/blocked") == 0
    assert collector.wait(1, 15), server.log.read_text()
    event = collector.events[0]
    assert event.exceptions[0].type == "ProcessAborted"
    assert "blocks" in [frame.function for frame in event.exceptions[0].frames]


def test_a_server_that_stops_as_it_should_leaves_nothing(start: Starter, collector: Sink, tmp_path: Path) -> None:
    server = start(_app, *_gunicorn)
    server.wait_until_up()
    assert server.get("/fine") == 200
    server.stop()
    left = [path.name for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert [name for name in left if name.endswith((".flight", ".fatal"))] == []
    assert collector.events == []


def test_a_living_owner_keeps_its_file(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.begin("GET", "/now")
    assert slots.path is not None
    assert take_over(slots.path) is None
    assert list(deaths.found(tmp_path)) == []
    slots.close()


def test_more_requests_than_slots_are_counted(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    flights = [slots.begin("GET", "/x") for _ in range(300)]
    assert slots.now == 300
    for flight in flights:
        flight.end()
        flight.end()
    assert slots.now == 0
    slots.close()


def test_a_forked_child_does_not_hold_the_file_of_its_parent(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.begin("GET", "/x")
    child = os.fork()
    if child == 0:
        os._exit(0 if slots.path is None and slots.now == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    slots.close()


@given(data=st.binary(max_size=1_000))
def test_any_file_is_read_without_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("flights")
    (folder / "1-1-a.flight").write_bytes(b"5HFLIGHT" + data)
    (folder / "1-1-a.fatal").write_bytes(data)
    for event in deaths.found(folder):
        json.dumps(event.contexts)


@pytest.mark.parametrize(
    ("path", "template"),
    [("/users/17/mail", "/users/{id}/mail"), ("/a/3f2a-9b", "/a/3f2a-9b"), ("/t/" + "a1" * 12, "/t/{id}"), ("/", "/")],
)
def test_identifiers_are_taken_out_of_the_path(path: str, template: str) -> None:
    assert deaths.template(path) == template
