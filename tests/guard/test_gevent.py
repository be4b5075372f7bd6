"""gunicorn's gevent worker: everything is patched before the Guard is made; greenlets are requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.guard.conftest import Starter

from fivehundred.guard.testing import Sink

pytest.importorskip("gevent")
_app = """
import time
from fivehundred import Guard
guard = Guard()
def plain(environ, start_response):
    guard.user(environ["PATH_INFO"])
    time.sleep(0.05)
    raise LookupError(environ["PATH_INFO"])
app = guard.wsgi(plain)
"""


def test_greenlets_do_not_mix_their_requests_and_all_arrives(start: Starter, collector: Sink) -> None:
    server = start(_app, "-m", "gunicorn", "app:app", "-b", "127.0.0.1:{port}", "-k", "gevent", "-w", "1")
    server.wait_until_up()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(server.get, [f"/u{number}" for number in range(20)]))
    assert answers == [500] * 20
    assert collector.wait(20, 15), server.log.read_text()
    for event in collector.events:
        assert event.user is not None
        assert event.user.id == event.exceptions[0].value
