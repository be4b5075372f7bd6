"""The bell between request threads and the background: no ring is lost, whether the other dozes, sleeps or works."""

from __future__ import annotations

import os
import threading
import time

import pytest

from fivehundred.event import new_id
from fivehundred.guard import bell
from fivehundred.guard.bell import Bell


def waits(tested: Bell, timeout_s: float) -> float:
    started = time.monotonic()
    tested.wait(timeout_s)
    return time.monotonic() - started


def test_a_ring_that_came_before_is_kept() -> None:
    tested = Bell()
    tested.ring()
    assert waits(tested, 30) < 10


def test_a_ring_is_heard_by_one_that_dozes() -> None:
    tested = Bell()
    threading.Timer(0.05, tested.ring).start()
    assert waits(tested, 30) < 10


def test_a_ring_wakes_one_that_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_doze_s", 0.0)
    tested = Bell()
    threading.Timer(0.05, tested.ring).start()
    assert waits(tested, 30) < 10


def test_nobody_rings_and_the_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_doze_s", 0.02)
    assert waits(Bell(), 0.05) < 10


def test_no_ring_of_many_threads_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_doze_s", 0.0)
    tested, waiting, done = Bell(), list(range(200)), list[int]()

    def work() -> None:
        while len(done) < 200:
            tested.wait(10)
            while arrived:
                done.append(arrived.pop())

    arrived: list[int] = []
    worker = threading.Thread(target=work)
    worker.start()
    for number in waiting:
        arrived.append(number)
        tested.ring()
        time.sleep(number % 7 / 5_000)
    worker.join(20)
    assert sorted(done) == waiting


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_ids_of_its_own() -> None:
    new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100).decode() not in {new_id() for _ in range(200)}
    os.close(reading)
    os.close(writing)
