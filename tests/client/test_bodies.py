"""Whatever fails and however the body is made: no second request is empty, and no POST is sent twice without a key."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.client.conftest import Caller, Server, Step, cut, hang, problem, reply, reset

from fivehundred.client import CallFailed, Policy

content = b"content" * 300
in_memory = ("nothing", "bytes", "json", "multipart")
seekable = ("file in memory", "file on disk")
once = ("generator", "pipe")
failures: dict[str, Step] = {
    "500": problem(500),
    "503": problem(503, "true"),
    "429": problem(429),
    "reset": reset,
    "cut 500": cut(500, b'{"ref', 900),
    "cut 200": cut(200, b"half", 8),
    "silence": hang(0.5),
}


class Pipe(io.RawIOBase):
    """Can be read and cannot go back."""

    def __init__(self) -> None:
        self._parts = [content[:700], content[700:]]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def __iter__(self) -> Iterator[bytes]:
        while part := self.read():
            yield part


def parts() -> Iterator[bytes]:
    yield from (content[:700], content[700:])


async def parts_later() -> AsyncIterator[bytes]:
    for part in parts():
        yield part


def on_disk() -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the garbage collector closes it
    file.write(b"skip" + content)
    file.seek(4)
    return file


def in_a_file() -> io.BytesIO:
    file = io.BytesIO(b"skip" + content)
    file.seek(4)
    return file


def options(kind: str, is_async: bool) -> dict[str, Any]:
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "nothing": dict,
        "bytes": lambda: {"body": content},
        "json": lambda: {"json": {"content": content.decode()}},
        "multipart": lambda: {"files": {"file": ("a.txt", io.BytesIO(content))}},
        "file in memory": lambda: {"body": in_a_file()},
        "file on disk": lambda: {"body": on_disk()},
        "generator": lambda: {"body": parts_later() if is_async else parts()},
        "pipe": lambda: {"body": parts_later() if is_async else Pipe()},
    }
    return made[kind]()


def sent(kind: str, body: bytes) -> bytes:
    """What of a request's body is the content."""
    if kind == "json":
        return str(json.loads(body)["content"]).encode()
    if kind == "multipart":
        return content if body.count(content) == 1 and body.rstrip().endswith(b"--") else body
    return body


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(("GET", "PUT", "DELETE", "POST", "PATCH")),
    kind=st.sampled_from((*in_memory, *seekable, *once)),
    fails=st.lists(st.sampled_from(sorted(failures)), min_size=1, max_size=3),
    keyed=st.booleans(),
)
def test_each_request_has_the_whole_body_and_only_what_may_be_repeated_is(
    library: Caller, method: str, kind: str, fails: list[str], keyed: bool
) -> None:
    server = Server()  # of this example alone: what the last one gave up may still arrive at its own
    server.earn()
    server.plays(*(failures[name] for name in fails), reply())
    key = {"headers": {"Idempotency-Key": '"order-42"'}} if keyed else {}
    answer = (0, b"")
    try:
        made = options(kind, "async" in library.name)
        answer = library.call(method, server.url, policy=Policy(attempt_s=0.3, call_s=9), **made, **key)
    except CallFailed:
        pass
    server.listener.close()
    expected = b"" if kind == "nothing" else content
    assert [sent(kind, request.body) for request in server.seen] == [expected] * len(server.seen)
    repeatable = (keyed or method in ("GET", "PUT", "DELETE")) and kind not in once
    assert len(server.seen) <= 1 or repeatable
    assert {request.headers.get("idempotency-key") for request in server.seen} <= {'"order-42"' if keyed else None}
    assert answer == (0, b"") or (answer == (200, b"ok") and len(server.seen) > len(fails))


@pytest.mark.parametrize("kind", once)
@pytest.mark.parametrize("failure", sorted(failures))
def test_a_body_that_can_be_read_once_is_sent_once(library: Caller, server: Server, kind: str, failure: str) -> None:
    server.earn()
    server.plays(failures[failure], reply())
    with pytest.raises(CallFailed, match="read only once"):
        library.call(
            "PUT", server.url, policy=Policy(attempt_s=0.3, call_s=9), **options(kind, "async" in library.name)
        )
    assert [request.body for request in server.seen] == [content]
