"""What users of requests and httpx do with a session or a client goes on working with ours."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from tests.client.conftest import Caller, Server, problem, reply

import fivehundred.client.httpx as ours_httpx
import fivehundred.client.httpx2 as ours_httpx2
import fivehundred.client.requests as ours_requests
from fivehundred.client import CallFailed, NoAnswer, ServerError, Unavailable

modules: list[Any] = [ours_httpx, ours_httpx2]
each = pytest.mark.parametrize("module", modules, ids=lambda module: module.__name__.rpartition(".")[2])
verbs = ("get", "head", "options", "put", "post", "patch", "delete")
digest = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'

# ---- requests -------------------------------------------------------------------------------------


@pytest.fixture
def session() -> ours_requests.Session:
    return ours_requests.Session()


@pytest.mark.parametrize(
    "again", [lambda it: pickle.loads(pickle.dumps(it)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"]
)
def test_a_session_can_be_pickled_and_copied(session: ours_requests.Session, server: Server, again: Any) -> None:
    server.plays(reply(), problem(500), reply())
    session.headers["X-Mine"] = "1"
    assert session.get(server.url).ok
    assert again(session).get(server.url).ok  # it tries again as well
    assert [request.headers["x-mine"] for request in server.seen] == ["1"] * 3


@pytest.mark.parametrize("verb", verbs)
def test_a_session_has_every_verb(session: ours_requests.Session, server: Server, verb: str) -> None:
    server.plays(reply())
    assert getattr(session, verb)(server.url).status_code == 200
    assert server.seen[0].method == verb.upper()


def test_cookies_are_kept_and_sent_at_each_attempt(session: ours_requests.Session, server: Server) -> None:
    server.plays(problem(500), reply(200, b"", Set_Cookie="k=v"), problem(500), reply())
    session.get(server.url)
    session.get(server.url)
    assert [request.headers.get("cookie") for request in server.seen] == [None, None, "k=v", "k=v"]


def test_digest_authentication_takes_its_two_requests(session: ours_requests.Session, server: Server) -> None:
    server.plays(reply(401, b"", WWW_Authenticate=digest), problem(500), reply())
    assert session.get(server.url, auth=requests.auth.HTTPDigestAuth("a", "b")).ok
    assert [("authorization" in request.headers) for request in server.seen] == [False, True, True]


def test_response_hooks_hear_of_the_final_answer(session: ours_requests.Session, server: Server) -> None:
    heard: list[int] = []
    server.plays(problem(500), reply())
    session.hooks["response"].append(lambda response, *args, **options: heard.append(response.status_code))
    session.get(server.url)
    assert heard == [200]


@pytest.mark.parametrize("timeout", [3, 2.5, (1, 2), (None, 2), urllib3.Timeout(3)])
def test_each_form_of_a_time_out_is_taken(session: ours_requests.Session, server: Server, timeout: Any) -> None:
    server.plays(problem(500), reply())
    assert session.get(server.url, timeout=timeout).ok


def test_prepared_requests_are_sent(session: ours_requests.Session, server: Server) -> None:
    server.plays(problem(500), reply(200, b"a\nb"))
    answer = session.send(session.prepare_request(requests.Request("GET", server.url)), stream=True)
    assert list(answer.iter_lines()) == [b"a", b"b"]


def test_a_subclass_may_have_a_request_of_its_own(server: Server) -> None:
    class Based(ours_requests.Session):
        def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
            return super().request(method, f"{server.url}/api{url}", *args, **options)

    server.plays(problem(500), reply())
    assert Based().post("/x", json={}, idempotent=True).ok
    assert [request.path for request in server.seen] == ["/api/x"] * 2


def test_a_session_finds_its_pool_again_after_it_was_closed(session: ours_requests.Session, server: Server) -> None:
    server.plays(reply())
    for _ in range(2):
        assert session.get(server.url).ok
        session.close()
    assert session.get(server.url + "?x=//a#f").ok
    assert server.seen[2].path == "/?x=//a"


def test_without_errors_the_last_answer_is_returned(server: Server) -> None:
    server.plays(problem(503, "false"))
    answer = ours_requests.Session(raises=False).get(server.url)
    assert answer.json()["status"] == 503
    with pytest.raises(requests.HTTPError):
        answer.raise_for_status()


# ---- httpx and httpx2 -----------------------------------------------------------------------------


@each
@pytest.mark.parametrize("verb", verbs)
def test_a_client_has_every_verb(module: Any, server: Server, verb: str) -> None:
    server.plays(reply())
    with module.Client() as client:
        assert getattr(client, verb)(server.url).status_code == 200
    assert server.seen[0].method == verb.upper()


@each
def test_what_a_client_is_made_with_is_sent_at_each_attempt(module: Any, server: Server) -> None:
    server.plays(problem(500), reply())
    given = {"cookies": {"c": "1"}, "headers": {"X-Mine": "2"}, "params": {"q": "3"}, "auth": ("u", "p")}
    with module.Client(base_url=server.url + "/api", **given) as client:
        client.get("/x")
    for request in server.seen:
        assert (request.path, request.headers["cookie"], request.headers["x-mine"]) == ("/api/x?q=3", "c=1", "2")
        assert request.headers["authorization"].startswith("Basic ")


@each
def test_event_hooks_hear_of_the_call_and_may_raise(module: Any, server: Server) -> None:
    heard: list[object] = []
    hooks = {
        "request": [lambda request: heard.append(request.method)],
        "response": [lambda response: heard.append(response.status_code), lambda it: it.raise_for_status()],
    }
    server.plays(problem(500), reply(), reply(404, b""))
    with module.Client(event_hooks=hooks) as client:
        client.get(server.url)
        with pytest.raises(module.Transport.library.module.HTTPStatusError):
            client.get(server.url)
    assert heard == ["GET", 200, "GET", 404]


@each
def test_an_authentication_of_several_requests_is_carried_out(module: Any, server: Server) -> None:
    class Token(module.Transport.library.module.Auth):  # type: ignore[misc]
        requires_response_body = True

        def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
            response = yield request
            if response.status_code == 401:
                request.headers["X-Token"] = response.text
                yield request

    server.plays(reply(401, b"token"), problem(500), reply())
    with module.Client(auth=Token()) as client:
        assert client.get(server.url).status_code == 200
    assert server.seen[2].headers["x-token"] == "token"


@each
def test_a_body_is_streamed_in_each_of_the_librarys_ways(module: Any, server: Server) -> None:
    server.plays(problem(500), reply(200, b"a\nb"))
    with module.Client() as client:
        for way in ("iter_raw", "iter_bytes", "iter_text", "iter_lines"):
            with client.stream("GET", server.url) as response:
                assert len(list(getattr(response, way)())) in (1, 2)
            assert response.elapsed.total_seconds() > 0
        assert client.get(server.url).elapsed.total_seconds() > 0


@each
def test_mounts_and_transports_of_others_are_wrapped(module: Any) -> None:
    library = module.Transport.library.module
    answers = [library.Response(503), library.Response(200, text="mock")]
    mock = library.MockTransport(lambda request: answers.pop(0))
    with module.Client(mounts={"all://api.test": mock}) as client:
        assert client.get("http://api.test/x").text == "mock"
    with module.Client(
        transport=library.WSGITransport(app=lambda _, start: [start("200 OK", []), b"wsgi"][1:])
    ) as client:
        assert client.get("http://app.test/").text == "wsgi"


@each
def test_requests_built_by_the_library_are_sent(module: Any, server: Server) -> None:
    server.plays(problem(500), reply())
    with module.Client() as client:
        assert client.send(module.Transport.library.module.Request("GET", server.url)).status_code == 200
        assert client.send(client.build_request("POST", server.url, json=1, idempotent="k")).status_code == 200
    assert server.seen[2].headers["idempotency-key"] == '"k"'


@each
def test_a_subclass_may_send_in_its_own_way(module: Any, server: Server) -> None:
    class Counting(module.Client):  # type: ignore[misc]
        sent = 0

        def send(self, request: Any, **options: Any) -> Any:
            self.sent += 1
            return super().send(request, **options)

    server.plays(problem(500), reply())
    with Counting() as client:
        client.get(server.url)
    assert (client.sent, len(server.seen)) == (1, 2)


# ---- errors ---------------------------------------------------------------------------------------

again = {"pickle": lambda it: pickle.loads(pickle.dumps(it)), "copy": copy.copy, "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("way", again)
def test_a_copied_error_is_still_the_librarys_own(library: Caller, server: Server, way: str) -> None:
    server.plays(problem(503, "false"))
    with pytest.raises(Unavailable) as raised:
        library.call("GET", server.url)
    copied = again[way](raised.value)
    assert (type(copied), copied.facts, str(copied)) == (type(raised.value), raised.value.facts, str(raised.value))
    assert copied.response is None


@pytest.mark.parametrize("way", again)
def test_an_error_without_an_answer_is_copied_as_well(library: Caller, way: str) -> None:
    with pytest.raises(NoAnswer) as raised:
        library.call("GET", "http://127.0.0.1:1/")
    copied = again[way](raised.value)
    assert (type(copied), copied.facts) == (type(raised.value), raised.value.facts)
    own = requests.ConnectionError if library.name == "requests" else library.library.ConnectError
    assert isinstance(copied, own)


def test_an_error_keeps_what_the_library_has_raised_as_its_cause(library: Caller) -> None:
    with pytest.raises(NoAnswer) as raised:
        library.call("GET", "http://127.0.0.1:1/")
    error: Any = raised.value
    assert type(error.__cause__).__module__.partition(".")[0] == library.library.__name__
    assert error.request.method == "GET"


def test_an_errors_repr_names_class_call_and_reference(library: Caller, server: Server) -> None:
    server.plays(problem(500, "false"))
    with pytest.raises(ServerError) as raised:
        library.call("GET", server.url + "/x?secret=1")
    shown = repr(raised.value)
    assert shown.startswith(f"ServerError('GET {server.url}/x answered 500")
    assert "ab" * 16 in shown
    assert "secret" not in shown


def test_all_names_can_be_imported_and_nothing_else_is() -> None:
    names: dict[str, Any] = {"requests": requests}
    exec("from fivehundred.client import *", names)
    assert names["CallFailed"] is CallFailed
    assert names["requests"] is requests


# ---- types ----------------------------------------------------------------------------------------

program = """
from fivehundred.client import CallFailed, Policy, ServerError, Unavailable, deadline, retrying
from fivehundred.client.httpx import AsyncClient, Client
from fivehundred.client.requests import Session
import httpx
import requests


def blocking(url: str) -> tuple[int, int]:
    with Session(Policy(call_s=2)) as session, Client(policy=Policy(attempts_max=2), timeout=3) as client:
        first: requests.Response = session.post(url, json={}, idempotent=True)
        second: httpx.Response = client.get(url, params={"a": "b"})
        return first.status_code, second.status_code


async def asynchronous(url: str) -> str:
    async with AsyncClient() as client:
        with deadline(2):
            try:
                return (await client.post(url, content=b"x", idempotent="order-42")).text
            except Unavailable as error:
                return f"{error.retry_after or 0:.1f} {error.reference}"
            except ServerError as error:
                return error.problem.title
            except CallFailed as error:
                return ", ".join(attempt.failure for attempt in error.attempts)


@retrying("payments")
def pay(amount: int) -> str:
    return str(amount)


reveal_type(pay(3))
"""


def test_a_users_program_is_typed(tmp_path: Path) -> None:
    """With the cache of this project's own check, which is as strict: without it this takes half a minute."""
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", str(tmp_path / "program.py")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout
    assert 'Revealed type is "str"' in done.stdout.replace("builtins.", "")
