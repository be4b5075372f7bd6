"""Applications as they grow: what stands between a failure and its answer in each framework changes neither."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from tests.contract.apps import failures
from tests.contract.conftest import Pair, complete, running
from tests.contract.contract_points import Spec, apps
from tests.contract.wire import Reply, request

stacks = {
    "starlette": Spec("starlette", f"{apps}.stack_starlette", "application", "uvicorn"),
    "fastapi": Spec("fastapi", f"{apps}.stack_fastapi", "application", "uvicorn-h11"),
    "flask": Spec("flask", f"{apps}.stack_flask", "application", "gunicorn"),
    "django": Spec("django", f"{apps}.stack_django", "application", "gunicorn"),
    "django-asgi": Spec("django-asgi", f"{apps}.stack_django", "asgi_application", "uvicorn-h11"),
    "quart": Spec("quart", f"{apps}.stack_quart", "application", "hypercorn"),
    "litestar": Spec("litestar", f"{apps}.stack_litestar", "application", "uvicorn"),
    "aiohttp": Spec("aiohttp", f"{apps}.stack_aiohttp", "application", "aiohttp"),
}
whole = {
    "starlette": ("/boom", "/class", "/sub/boom", "/router/boom", "/raw/x"),
    "fastapi": ("/before", "/both", "/model", "/v1/shop/items/3", "/sub/boom"),
    "flask": ("/shop/boom/3", "/class"),
    "django": ("/boom", "/async", "/transaction", "/class", "/shop/items/3", "/other"),
    "django-asgi": ("/boom", "/async", "/transaction", "/class", "/shop/items/3", "/other"),
    "quart": ("/shop/boom/3",),
    "litestar": ("/shop/items/3", "/dependency"),
    "aiohttp": ("/class", "/sub/boom/3"),
}
own = {
    "starlette": ("/own", "/sub/own"),
    "fastapi": ("/own",),
    "flask": ("/api/boom",),
    "django": ("/page", "/own"),
    "django-asgi": ("/page", "/own"),
    "quart": ("/api/boom",),
    "litestar": ("/own",),
    "aiohttp": ("/own",),
}
gone = {"starlette": "/gone", "flask": "/gone", "quart": "/gone", "litestar": "/gone", "aiohttp": "/gone"}
streams = {name: "/v1/shop/stream" if name == "fastapi" else "/stream" for name in stacks}
routes = {
    "starlette": ("/sub/boom", "/sub/boom"),
    "fastapi": ("/v1/shop/items/3", "/v1/shop/items/{number}"),
    "flask": ("/shop/boom/3", "/shop/boom/<int:number>"),
    "django": ("/shop/items/3", "shop/items/<int:number>"),
    "quart": ("/shop/boom/3", "/shop/boom/<int:number>"),
    "litestar": ("/shop/items/3", "/shop/items/{number}"),
    "aiohttp": ("/sub/boom/3", "/sub/boom/{number}"),
}


@pytest.fixture(scope="module", params=stacks)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running(stacks[request.param], tmp_path_factory.mktemp(request.param)) as found:
        yield found


browser = {"Origin": failures.allowed_origin, "Accept-Encoding": "gzip", "Accept": "application/json"}


def unpacked(reply: Reply) -> Reply:
    if reply.header("content-encoding") == "gzip":
        reply.body = gzip.decompress(reply.body)
    return reply


def test_a_failure_is_the_whole_answer_and_one_record_whatever_is_in_between(stack: Pair) -> None:
    for path in whole[stack.name]:
        before = len(stack.log())
        reply = unpacked(stack.get(path, browser))
        assert complete(reply)
        assert reply.json()["reference"] == reply.reference, path
        assert not reply.all("set-cookie")
        (record,) = stack.failures_since(before)
        assert record["reference"] == reply.reference


def test_it_grants_what_a_good_answer_grants(stack: Pair) -> None:
    good = stack.get("/ok", browser)
    for path in whole[stack.name]:
        bad = stack.get(path, browser)
        for name in ("access-control-allow-origin", "access-control-allow-credentials"):
            assert good.all(name) == bad.all(name), path
        assert (
            not good.all("access-control-allow-origin")
            or "error-reference" in bad.header("access-control-expose-headers").lower()
        )


def test_an_answer_in_own_words_keeps_them_and_carries_the_reference(stack: Pair) -> None:
    for path in own[stack.name]:
        before = len(stack.log())
        reply = unpacked(stack.get(path, browser))
        assert (complete(reply), reply.json()) == (True, {"sorry": "own"})
        (record,) = stack.failures_since(before)
        assert record["reference"] == reply.reference
        # of what its own EXCEPTION_HANDLER answers REST framework tells nobody
        assert "Traceback" in record.get("traceback", "") or (stack.name.startswith("django") and path == "/own")


def test_an_exception_that_the_application_answers_with_a_4xx_is_no_failure(stack: Pair) -> None:
    if stack.name not in gone:
        pytest.skip("n/a: tried in the others")
    before = len(stack.log())
    reply = stack.get(gone[stack.name], browser)
    assert (reply.status, reply.whole, reply.reference) == (410, True, "")
    assert stack.failures_since(before, 0.2) == []


def test_a_stream_that_breaks_is_told_through_all_of_it(stack: Pair) -> None:
    before = len(stack.log())
    connection = stack.connect()
    connection.send(request("GET", streams[stack.name], {"Accept-Encoding": "gzip"}))
    reply = connection.reply()
    assert (reply.status, reply.whole) == (200, False)
    assert len(stack.failures_since(before)) == 1


def test_the_route_is_told_with_its_prefix(stack: Pair) -> None:
    if stack.name not in routes:
        pytest.skip("n/a: as under WSGI")
    path, route = routes[stack.name]
    before = len(stack.log())
    stack.get(path)
    assert stack.failures_since(before)[0].get("route") == route


def test_the_next_request_finds_nothing_of_it(stack: Pair) -> None:
    connection = stack.connect()
    for path in (*whole[stack.name], *own[stack.name], "/ok"):
        connection.send(request("GET", path))
        reply = connection.reply()
        assert reply.whole
        if reply.header("connection").lower() == "close":
            connection = stack.connect()
    assert unpacked(reply).body.startswith(b"ok") or b"ok" in reply.body


@pytest.mark.parametrize("path", ["/after", "/after-async"])
def test_a_dependency_that_fails_when_it_cleans_up_is_reported(stack: Pair, path: str) -> None:
    if stack.name != "fastapi":
        pytest.skip("n/a: dependencies are FastAPI's")
    before = len(stack.log())
    reply = stack.get(path)
    assert reply.whole
    assert reply.status in (200, 500)
    assert len(stack.failures_since(before)) == 1


def test_work_behind_a_stream_that_fails_leaves_it_whole(stack: Pair) -> None:
    paths = {"starlette": "/task", "fastapi": "/task", "flask": "/teardown"}
    if stack.name not in paths:
        pytest.skip("n/a: tried in the others")
    before = len(stack.log())
    reply = stack.get(paths[stack.name])
    assert reply.whole
    assert reply.status == (500 if stack.name == "flask" else 200)  # Flask tears down before it answers
    assert len(stack.failures_since(before)) == 1
