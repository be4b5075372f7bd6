"""Quotas: set by API and command, kept by the store, obeyed at the door, seen in the figures."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console.running import RunningConsole, an_event

from fivehundred.cli import main
from fivehundred.console.ingest.auth import Refused
from fivehundred.console.ingest.quotas import Quotas, Rules
from fivehundred.console.spool.base import Door, Received


def event(at: float, project: str = "1", door: Door = "envelope", kind: str = "event") -> Received:
    body = gzip.compress(b'{"event_id":"%s"}\n{"type":"%s"}\n{}' % (b"a" * 32, kind.encode()))
    return Received(project, door, at, {"content_encoding": "gzip"}, body)


def taken(quotas: Quotas, *records: Received) -> list[int]:
    """For each record 0, or the seconds after which the sender may come back."""

    def one(record: Received) -> int:
        try:
            quotas.take(record)
        except Refused as e:
            return int(dict(e.headers)[b"retry-after"]) if e.status == 429 else -1
        return 0

    return [one(record) for record in records]


async def ready(rules: Rules, file: Path, share: int = 1) -> Quotas:
    async def load() -> Rules:
        return rules

    quotas = Quotas(load, file, lambda: share)
    quotas.take(event(0, "0"))
    await asyncio.sleep(0.05)
    return quotas


def test_what_is_over_a_quota_waits_until_its_span_is_over(tmp_path: Path) -> None:
    async def go() -> None:
        quotas = await ready({"1": {"minute": 2}}, tmp_path / "q")
        assert taken(quotas, *(event(600 + n) for n in range(4))) == [0, 0, 58, 57]
        assert taken(quotas, event(660)) == [0]
        assert taken(quotas, event(603, "2")) == [0]

    asyncio.run(go())


def test_sessions_and_traces_are_taken_past_a_quota_of_events(tmp_path: Path) -> None:
    async def go() -> None:
        quotas = await ready({"1": {"day": 1}}, tmp_path / "q")
        assert taken(quotas, event(10), event(10, kind="session"), event(10, kind="transaction")) == [0, 0, 0]
        assert taken(quotas, event(10, door="check_in"), event(10, door="store")) == [0, 86_390]

    asyncio.run(go())


def test_counts_survive_a_restart_and_a_clock_that_is_set_back(tmp_path: Path) -> None:
    async def go() -> None:
        quotas = await ready({"1": {"hour": 2}}, tmp_path / "q")
        taken(quotas, event(7_300), event(7_301))
        await quotas.close()
        again = await ready({"1": {"hour": 2}}, tmp_path / "q")
        assert taken(again, event(7_302)) == [3_498]
        assert taken(again, event(100)) == [0]

    asyncio.run(go())


def test_two_nodes_share_a_quota(tmp_path: Path) -> None:
    async def go() -> None:
        quotas = await ready({"1": {"day": 10}}, tmp_path / "q", share=2)
        assert sum(s == 0 for s in taken(quotas, *(event(5) for _ in range(10)))) == 5

    asyncio.run(go())


@given(st.binary(max_size=300), st.sampled_from(["identity", "gzip", "br", "zstd", "deflate"]))
@settings(max_examples=30, deadline=None)
def test_whatever_a_body_holds_is_counted_or_passed(body: bytes, encoding: str) -> None:
    async def go() -> list[int]:
        quotas = await ready({"1": {"day": 5}}, Path("/nonexistent/q"))
        return taken(quotas, Received("1", "envelope", 5.0, {"content_encoding": encoding}, body))

    assert asyncio.run(go()) == [0]


def test_a_quota_is_set_by_command_obeyed_at_the_door_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunningConsole(tmp_path / "data") as console:
        assert main(["quota", "1", "--minute", "3", "--day", "1000", "--url", console.url]) == 0
        assert capsys.readouterr().out == "3 a minute, any number a hour, 1000 a day\n"
        assert main(["quota", "9", "--url", console.url]) == 1
        assert post(console)[0] == 200  # the door learns of it in the background
        time.sleep(0.5)
        if time.time() % 60 > 55:
            time.sleep(6)
        answers = [post(console) for _ in range(6)]
        assert [status for status, _ in answers].count(429) >= 2
        _, headers = answers[-1]
        assert headers["detail"].startswith("project 1 has had its 3 events of this minute")
        seconds = int(headers["Retry-After"])
        assert 0 < seconds <= 60
        assert headers["X-Sentry-Rate-Limits"] == f"{seconds}:default;error;security:project:quota"
        refused = console.json("/api/v1/stats")["refused"]
        assert [(t["project"], t["reason"]) for t in refused] == [("1", "quota")]
        assert b'refused_total{project="1",reason="quota"}' in console.get("/metrics")[1]
        assert main(["quota", "1", "--minute", "none", "--url", console.url]) == 0


def post(console: RunningConsole) -> tuple[int, dict[str, str]]:
    key, _, rest = console.dsn.removeprefix("http://").partition("@")
    host, _, project = rest.partition("/")
    request = urllib.request.Request(
        f"http://{host}/api/{project}/envelope/?sentry_key={key}",
        an_event(uuid.uuid4().hex),
        {"Content-Encoding": "gzip"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, dict(reply.headers)
    except urllib.error.HTTPError as e:
        detail = json.loads(e.read())["detail"]
        return e.code, {k.title(): v for k, v in e.headers.items()} | {"detail": detail}
