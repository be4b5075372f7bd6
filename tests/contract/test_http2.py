"""The contract over HTTP/2: whole answers on a stream of their own, and a stream that breaks is no whole one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.contract import told
from tests.contract.conftest import Pair, running
from tests.contract.contract_points import pairs
from tests.contract.wire import Reply
from tests.contract.wire_h2 import Stream, get

internal_error = 2  # RFC 9113 section 7
speaking = ("asgi+hypercorn", "asgi+granian")
by_name = {spec.name: spec for spec in pairs}


@pytest.fixture(scope="module", params=speaking)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running(by_name[request.param], tmp_path_factory.mktemp("h2")) as found:
        yield found


def asked(server: Pair, path: str) -> Stream:
    stream = get(server.address, path)
    raw = "\r\n".join(f"{k}: {v}" for k, v in stream.headers).encode() + b"\r\n\r\n" + stream.body
    told.check(Reply(status=stream.status, headers=stream.headers, body=stream.body, raw=raw))
    assert not stream.trailers
    return stream


@pytest.mark.parametrize("path", ["/boom", "/badheader", "/sysexit", "/cancel", "/stream0", "/mw", "/handler", "/sets"])
def test_a_failure_is_a_whole_500(server: Pair, path: str) -> None:
    stream = asked(server, path)
    named = dict(stream.headers)
    assert (stream.status, stream.whole, stream.reset) == (500, True, None)
    assert json.loads(stream.body)["reference"] == named["error-reference"]
    assert named["content-length"] == str(len(stream.body))


def test_a_dependency_that_is_down_is_a_whole_503(server: Pair) -> None:
    stream = asked(server, "/db")
    assert (stream.status, stream.whole) == (503, True)
    assert dict(stream.headers)["retry-after"].isdecimal()


@pytest.mark.parametrize(("path", "first"), [("/stream1", b"id,name\n" * 3), ("/sse", b"data: 1\n\nevent: error\n")])
def test_a_stream_that_breaks_after_its_first_byte_is_reset(server: Pair, path: str, first: bytes) -> None:
    stream = asked(server, path)
    assert (stream.status, stream.whole) == (200, False)
    assert stream.body.startswith(first)
    # Hypercorn has no way to reset one stream: it ends the connection, which tells the client as well
    assert stream.reset == (None if server.name.endswith("hypercorn") else internal_error)


def test_the_server_goes_on(server: Pair) -> None:
    assert asked(server, "/stream1").status == 200
    assert asked(server, "/ok").body == b"ok"
