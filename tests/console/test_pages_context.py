"""A fault's circumstances on its page and in the API: rates with a denominator, what differs, suspect commits."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from tests.console.face import Face, wire

from fivehundred.console.digest_rates import read
from fivehundred.console.store.rates import Rates
from fivehundred.event import Json


@pytest.fixture
def face(tmp_path: Path) -> Face:
    face = Face(tmp_path / "data")
    face.add(*(wire() for _ in range(6)))
    counts: list[Json] = [["/orders/{id}", "POST", "2", 194], ["/orders/{id}", "POST", "5", 6]]
    report = read({"server_name": "web-2", "release": "2.4.0", "counts": counts}, "1", time.time())
    assert report
    with face.store().database.transaction():
        Rates(face.store().database).add([report])
    return face


def test_a_fault_says_how_often_its_route_fails_and_what_differs(face: Face) -> None:
    shown = face.page("/faults/1")
    assert "6 of 200 requests in 24 hours failed with a 5xx (3.00 %)" in shown
    assert "100% of what fails has host web-1, and 0% of what goes well" in shown


def test_the_api_gives_rates_and_context(face: Face) -> None:
    (rate,) = face.client.get("/api/v1/rates?project=1&minutes=60").json()["rates"]
    assert (rate["requests"], rate["share_failed"]) == (200, 0.03)
    assert face.client.get("/api/v1/rates?minutes=0").status_code == 400
    context = face.client.get("/api/v1/faults/1/context").json()
    assert context["differences"][0]["name"] == "host"
    assert context["suspects"] is None


def test_a_repository_that_is_named_is_looked_into(face: Face, tmp_path: Path) -> None:
    assert face.client.post("/api/v1/projects/1/repository", json={"path": str(tmp_path)}).status_code == 422
    repository = tmp_path / "shop"
    (repository / "shop").mkdir(parents=True)
    (repository / "shop/prices.py").write_text("x\n" * 50)
    who = ["-c", "user.name=Ann <b>", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Prices & <script>"]):
        subprocess.run(["git", "-C", str(repository), *who, *words], check=True)
    assert face.post("/projects/1/repository", {"path": str(repository)}) == 303
    shown = face.page("/faults/1")
    assert "Prices &amp; &lt;script&gt;" in shown
    assert "it last changed the failing line" in shown
    assert face.client.get("/api/v1/faults/1/context").json()["suspects"]["file"] == "shop/prices.py"
