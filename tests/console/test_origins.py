"""Allowed origins: set by page, API and command, kept by the store, obeyed at the door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
