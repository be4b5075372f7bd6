"""Work for a caller that has gone is not begun: Guard and Client over real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from fivehundred import Guard
from fivehundred.client import DeadlineExceeded, deadline
from fivehundred.client.requests import Session
from fivehundred.guard.deadline import CallerGone, check, proxy_ms

APP = """
import time
from fivehundred import Guard
def app(environ, start_response):
    with open({seen!r}, "a") as file:
        file.write(environ["PATH_INFO"] + "\\n")
    time.sleep(0.8 if environ["PATH_INFO"] == "/slow" else 0)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
application = Guard(mode="testing", deadline={deadline}).wsgi(app)
"""

DJANGO = """
import time
from django.conf import settings
settings.configure(
    DEBUG=False, SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    MIDDLEWARE=["fivehundred.guard.django.Guard"], FIVEHUNDRED={{"mode": "testing", "deadline": {deadline}}},
)
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import re_path
def view(request):
    with open({seen!r}, "a") as file:
        file.write(request.path + "\\n")
    time.sleep(0.8 if request.path == "/slow" else 0)
    return HttpResponse("ok")
urlpatterns = [re_path("", view)]
application = get_wsgi_application()
asynchronous = get_asgi_application()
"""


def gunicorn(folder: Path, *, deadline: bool, text: str = APP) -> Iterator[tuple[str, Path]]:
    """One worker that does one thing at a time: what comes meanwhile waits in the backlog."""
    seen = folder / "seen"
    seen.touch()
    (folder / "slow_app.py").write_text(text.format(seen=str(seen), deadline=deadline))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "gunicorn", "-b", f"fd://{listener.fileno()}", "slow_app", "--keep-alive", "0"]
        process = subprocess.Popen(
            [*command, "--log-level", "error"], cwd=folder, pass_fds=(listener.fileno(),), stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            requests.get(url + "/up", timeout=20)
            yield url, seen
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    yield from gunicorn(tmp_path, deadline=True)


@pytest.fixture
def busy_without(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    yield from gunicorn(tmp_path, deadline=False)


@pytest.fixture
def django(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    yield from gunicorn(tmp_path, deadline=True, text=DJANGO)


@pytest.fixture
def django_without(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    yield from gunicorn(tmp_path, deadline=False, text=DJANGO)


def impatient(url: str, seen: Path) -> None:
    """Asks while the worker is busy, and does not wait for it."""
    slow = threading.Thread(target=requests.get, args=(url + "/slow",))
    slow.start()
    while "/slow" not in seen.read_text():
        time.sleep(0.01)
    with deadline(0.2), Session() as session, pytest.raises(DeadlineExceeded):
        session.get(url + "/late")
    slow.join()
    assert requests.get(url + "/last", timeout=5).status_code == 200  # the worker has come to the end of the queue


def test_a_request_whose_caller_gave_up_in_the_backlog_is_not_begun(busy: tuple[str, Path]) -> None:
    url, seen = busy
    impatient(url, seen)
    assert seen.read_text().split() == ["/up", "/slow", "/last"]


def test_without_the_option_it_is_begun(busy_without: tuple[str, Path]) -> None:
    url, seen = busy_without
    impatient(url, seen)
    assert seen.read_text().split() == ["/up", "/slow", "/late", "/last"]


def test_django_does_not_begin_a_request_whose_caller_gave_up(django: tuple[str, Path]) -> None:
    url, seen = django
    impatient(url, seen)
    assert seen.read_text().split() == ["/up", "/slow", "/last"]


def test_django_without_the_option_begins_it(django_without: tuple[str, Path]) -> None:
    url, seen = django_without
    impatient(url, seen)
    assert seen.read_text().split() == ["/up", "/slow", "/late", "/last"]


def test_django_answers_504_to_a_caller_that_has_gone(django: tuple[str, Path]) -> None:
    url, seen = django
    late = requests.get(url + "/late", headers={"Fivehundred-Deadline": "0"}, timeout=5)
    assert (late.status_code, len(late.json()["reference"])) == (504, 32)
    assert requests.get(url + "/good", headers={"Fivehundred-Deadline": "5000"}, timeout=5).text == "ok"
    assert seen.read_text().split() == ["/up", "/good"]


def test_django_on_asgi_answers_504_as_well(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "slow_app.py").write_text(DJANGO.format(seen=str(seen), deadline=True))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "uvicorn", "--fd", str(listener.fileno()), "slow_app:asynchronous"]
        process = subprocess.Popen(
            [*command, "--log-level", "error"], cwd=tmp_path, pass_fds=(listener.fileno(),), stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            assert requests.get(url + "/up", timeout=20).text == "ok"
            late = requests.get(url + "/late", headers={"Fivehundred-Deadline": "0"}, timeout=5)
        finally:
            process.terminate()
            process.wait()
    assert late.status_code == 504
    assert seen.read_text().split() == ["/up"]


def test_a_caller_that_still_waits_is_served(busy: tuple[str, Path]) -> None:
    with deadline(5), Session() as session:
        assert session.get(busy[0] + "/quick").text == "ok"


@pytest.fixture
def asgi() -> Iterator[tuple[str, Guard]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    guard = Guard(mode="testing", deadline=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(guard.asgi(app), log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", guard
        server.should_exit = True
        thread.join()


def test_a_proxys_time_of_arrival_tells_how_long_a_request_waited(asgi: tuple[str, Guard]) -> None:
    url, guard = asgi
    arrived = f"t={time.time() - 2:.3f}"
    late = requests.get(url, headers={"Fivehundred-Deadline": "1500", "X-Request-Start": arrived}, timeout=5)
    in_time = requests.get(url, headers={"Fivehundred-Deadline": "9000", "X-Request-Start": arrived}, timeout=5)
    assert (late.status_code, in_time.status_code) == (504, 200)
    assert late.json()["reference"] == guard.events[0].event_id
    assert [event.exceptions[-1].type for event in guard.events] == ["CallerGone"]


@given(st.text(), st.text())
def test_what_is_not_our_header_changes_nothing(told: str, begun: str) -> None:
    assert 0 <= proxy_ms(begun, time.time()) <= 600_000
    if not (told.isascii() and told.isdigit()):
        check(told, lambda: 1e9)


@pytest.mark.parametrize("value", ["t=1700000000.250", "1700000000250", "1700000000250000", "t=1700000000250000"])
def test_each_proxys_unit_is_known(value: str) -> None:
    assert proxy_ms(value, 1_700_000_001.25) == pytest.approx(1000)


def test_no_time_left_is_too_late_at_once() -> None:
    with pytest.raises(CallerGone, match="waits 0 ms"):
        check("0", lambda: 0.0)
