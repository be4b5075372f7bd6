"""Allowed origins: set by page, API and command, kept by the store, obeyed at the door."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.console.face import Face
from tests.console.running import RunningConsole, an_event, until

from fivehundred.cli import main
from fivehundred.console.ingest.auth import Refused
from fivehundred.console.ingest.origins import Origins, Rules, allows, origin_of
from fivehundred.console.store import origins as desk
from fivehundred.console.store.triage import TriageRefused

shop = "https://shop.example"


@pytest.mark.parametrize(
    ("rule", "taken", "refused"),
    [
        ("https://shop.example", ["https://shop.example", "HTTPS://Shop.Example:443"], ["http://shop.example"]),
        ("https://shop.example", [], ["https://shop.example:8443", "https://a.shop.example"]),
        ("https://shop.example", [], ["https://shop.example.evil", "null", ""]),
        ("shop.example", ["http://shop.example", "https://shop.example:8443"], ["https://evilshop.example"]),
        ("*.shop.example", ["https://a.shop.example", "http://a.b.shop.example:1"], ["https://shop.example"]),
        ("https://*.shop.example", ["https://a.shop.example"], ["http://a.shop.example", "https://a.shop.example:1"]),
        ("localhost:3000", ["http://localhost:3000"], ["http://localhost:3001", "http://localhost"]),
        ("http://[::1]:3000", ["http://[::1]:3000"], ["http://[::1]", "http://[::1]:30001"]),
    ],
)  # fmt: skip
def test_an_origin_fits_a_rule_whole_or_not_at_all(rule: str, taken: list[str], refused: list[str]) -> None:
    stored = desk.origin(rule)
    assert [o for o in taken if not allows([stored], o)] == []
    assert [o for o in refused if allows([stored], o)] == []


def test_without_rules_every_page_may_send() -> None:
    assert all(allows([], origin) for origin in ("https://anywhere.example", "null", ""))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("HTTPS://Shop.Example:443/", "https://shop.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        (" *.shop.example ", "*.shop.example"),
        ("http://localhost:80", "http://localhost"),
        ("LOCALHOST:3000", "localhost:3000"),
    ],
)
def test_an_origin_is_stored_as_browsers_write_it(text: str, stored: str) -> None:
    assert desk.origin(text) == stored


no_origins = ("ftp://a.example", "https://a.example/path", "a b", "*", "https://", "*.*.example", "x\0y", "[:::]]")


@pytest.mark.parametrize("text", [*no_origins, "https://u:p@a.example", "a.example:99999", "a" * 300, "a.example?b"])
def test_what_is_no_origin_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(TriageRefused, match=r"https://shop\.example"):
        desk.origin(text)


@given(st.text(max_size=80))
@example("https://[")
@example("\udc80.example")
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_origin_that_fits_itself_or_is_refused(text: str) -> None:
    try:
        stored = desk.origin(text)
    except TriageRefused:
        return
    assert desk.origin(stored) == stored
    bare = stored.replace("*.", "a.")
    assert allows([stored], bare if "://" in bare else f"https://{bare}")


@given(st.binary(max_size=400), st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_whatever_a_browser_says_is_decided(origin: bytes, referer: bytes) -> None:
    for headers in ({b"origin": origin}, {b"referer": referer}, {}):
        assert allows(["shop.example"], origin_of(headers)) in (True, False)


def test_a_page_without_an_origin_is_known_by_its_referer() -> None:
    assert origin_of({b"referer": b"https://shop.example/cart?x=1"}) == shop
    assert origin_of({b"origin": b"null", b"referer": b"https://shop.example/"}) == "null"
    assert origin_of({}) == ""


def test_rules_outlive_a_restart_without_the_store(tmp_path: Path) -> None:
    async def loaded() -> Rules:
        return {"1": ["shop.example"]}

    async def away() -> Rules:
        raise OSError("the store is away")

    async def go(load: Callable[[], object]) -> list[int]:
        origins = Origins(load, tmp_path / "origins.json")  # type: ignore[arg-type]
        found = []
        for page in (b"https://shop.example", b"https://evil.example"):
            try:
                await origins.check("1", {b"origin": page})
                found.append(0)
            except Refused as e:
                found.append(e.status)
        return found

    assert asyncio.run(go(loaded)) == [0, 403]
    assert asyncio.run(go(away)) == [0, 403]


def test_a_program_is_never_asked_for_its_origin(tmp_path: Path) -> None:
    async def go() -> bool:
        async def loaded() -> Rules:
            return {"1": ["shop.example"]}

        origins = Origins(loaded, tmp_path / "origins.json")
        await origins.check("1", {b"user-agent": b"sentry.python/2"})
        return origins.fits("1", {})

    assert asyncio.run(go())


# ---- a running Console -----------------------------------------------------------------------------


def sent(console: RunningConsole, origin: str = "", method: str = "POST") -> tuple[int, str, str]:
    """Status, what the answer permits, and the sentence of a refusal."""
    key, _, rest = console.dsn.removeprefix("http://").partition("@")
    host, _, project = rest.partition("/")
    request = urllib.request.Request(
        f"http://{host}/api/{project}/envelope/?sentry_key={key}",
        an_event(uuid.uuid4().hex) if method == "POST" else None,
        {"Content-Encoding": "gzip"} | ({"Origin": origin} if origin else {}),
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers.get("Access-Control-Allow-Origin", ""), ""
    except urllib.error.HTTPError as e:
        return e.code, e.headers.get("Access-Control-Allow-Origin", ""), e.read().decode()


def test_origins_set_by_command_are_obeyed_at_the_door_and_refusals_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunningConsole(tmp_path / "data") as console:
        assert main(["origins", "1", "--url", console.url]) == 0
        assert main(["origins", "1", shop, "*.Shop.Example", "--url", console.url]) == 0
        assert main(["origins", "1", "ftp://x", "--url", console.url]) == 1
        said = capsys.readouterr()
        assert said.out == "pages of every origin may send\n*.shop.example https://shop.example\n"
        assert "'ftp://x' is no origin" in said.err
        until(lambda: sent(console, "https://evil.example")[0] == 403, console.log)
        assert [sent(console, origin)[0] for origin in (shop, "http://a.shop.example:8080", "")] == [200, 200, 200]
        status, permitted, words = sent(console, "https://evil.example")
        assert (status, permitted) == (403, "*")  # the page may read why
        assert "project 1 takes nothing from 'https://evil.example'" in words
        assert sent(console, shop, "OPTIONS")[:2] == (204, "*")
        assert sent(console, "https://evil.example", "OPTIONS")[:2] == (403, "")
        refused = console.json("/api/v1/stats")["refused"]
        assert {(t["project"], t["reason"]) for t in refused} == {("1", "origin")}
        assert main(["origins", "1", "--any", "--url", console.url]) == 0
        until(lambda: sent(console, "https://evil.example")[0] == 200, console.log)


def test_the_page_of_a_project_sets_what_it_takes_and_keeps(tmp_path: Path) -> None:
    face = Face(tmp_path)
    assert "What it takes and keeps" in face.page("/projects/1")
    page = "/projects/1/rules"
    assert face.post(page, {"act": "origins", "origins": "https://shop.example\r\nlocalhost:3000, *.a.example"}) == 303
    assert face.post(page, {"act": "quotas", "minute": "", "hour": "100", "day": ""}) == 303
    assert face.post(page, {"act": "kept", "days": "14", "events": "", "megabytes": "50"}) == 303
    shown = face.page(page)
    assert "*.a.example\nhttps://shop.example\nlocalhost:3000" in shown
    assert [value in shown for value in ('value="100"', 'value="14"', 'value="50"')] == [True] * 3
    assert face.post(page, {"act": "origins", "origins": "javascript:alert(1)"}) == 400
    assert face.post(page, {"act": "kept", "days": "many"}) == 400
    assert face.post(page, {"act": "kept", "days": "0"}) == 400
    assert face.post(page, {"act": "else"}) == 400
    assert face.client.get("/api/v1/projects/1/retention").json() == {
        "project": "1", "days": 14, "events": None, "megabytes": 50,
    }  # fmt: skip
    assert face.page("/projects/9/rules", 404)


def test_what_was_typed_and_refused_stays_in_the_field(tmp_path: Path) -> None:
    face = Face(tmp_path)
    face.client.get("/help")
    typed = {"token": face.client.cookies["fivehundred_token"], "act": "origins", "origins": "<script>"}
    answer = face.client.post("/projects/1/rules", data=typed)
    assert "&lt;script&gt;</textarea>" in answer.text
    assert "<script>" not in answer.text.partition("<textarea")[2]


def test_retention_is_set_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunningConsole(tmp_path / "data") as console:
        for words in ([], ["--days", "14", "--megabytes", "500"], ["--days", "none"]):
            assert main(["retention", "1", *words, "--url", console.url]) == 0
        assert main(["retention", "9", "--url", console.url]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "as long and as much as the Console keeps",
        "at most 14 days, 500 megabytes",
        "at most 500 megabytes",
    ]
