"""The live stream, over a real server: it speaks when something changed, and asks the store only while it is heard."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from tests.console.face import Face, wire


class Served:
    def __init__(self, face: Face) -> None:
        self._server = uvicorn.Server(uvicorn.Config(face.app, port=0, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def listen(self) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/live")
        answer = connection.getresponse()
        assert answer.readline().startswith(b"retry:")
        return connection, answer


@pytest.fixture
def face(tmp_path: Path) -> Face:
    return Face(tmp_path)


@pytest.fixture
def served(face: Face) -> Iterator[Served]:
    found = Served(face)
    yield found
    found.close()


def next_change(answer: http.client.HTTPResponse) -> bytes:
    while True:
        line = answer.readline()
        if line.startswith(b"data:"):
            return line


def test_a_listener_is_told_when_an_event_arrives(face: Face, served: Served) -> None:
    connection, answer = served.listen()
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    time.sleep(0.3)  # the first look at the version, which is no change
    face.add(wire())
    assert int(next_change(answer).split(b":")[1]) == face.store().version()
    connection.close()


def test_every_listener_is_told(face: Face, served: Served) -> None:
    listeners = [served.listen() for _ in range(3)]
    time.sleep(0.3)
    face.add(wire())
    assert len({next_change(answer) for _, answer in listeners}) == 1
    for connection, _ in listeners:
        connection.close()


def test_the_store_is_not_asked_when_nobody_listens(face: Face, served: Served) -> None:
    before = face.asked
    time.sleep(0.3)
    assert face.asked == before
    connection, answer = served.listen()
    time.sleep(0.4)
    assert face.asked > before
    answer.close()
    connection.close()
    time.sleep(0.4)  # the server sees the end of the connection by itself
    quiet = face.asked
    time.sleep(0.4)
    assert face.asked == quiet
