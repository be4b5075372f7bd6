"""The configuration of several machines: what is wrong is said with its place and value; the log's two forms."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from fivehundred.cli import main
from fivehundred.console.logs import set_up
from fivehundred.console.scale import ScaleError, read

good = """
[store]
url = "postgresql://me:secret@db/x"
[spool]
servers = ["nats://10.0.0.1:4222"]
[ingest]
data = "/var/lib/x"
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "scale.toml"
    file.write_text(text)
    return file


def test_the_file_that_is_shipped_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIVEHUNDRED_DATABASE_URL", "postgresql://db/x")
    found = read(Path(__file__).parents[2] / "deploy" / "scale.toml")
    assert found.store.url == "postgresql://db/x"
    assert (found.spool.partitions, found.spool.replicas) == (8, 3)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('data = "/var/lib/x"', 'data = "/x"\nport = "5501"', "[ingest.port], it says '5501': Expected `int`"),
        ('data = "/var/lib/x"', 'datta = "/x"', "unknown field `datta`"),
        ('data = "/var/lib/x"', "", "missing required field `data`"),
        ('data = "/var/lib/x"', 'data = "/x"\nport = 70000', "70000 is not a port"),
        ("nats://10.0.0.1:4222", "10.0.0.1:4222", "'10.0.0.1:4222' is no address"),
        ('servers = ["nats://10.0.0.1:4222"]', "servers = []", "is empty"),
        ("[ingest]", "replicas = 2\n[ingest]", "2 is not 1, 3 or 5"),
        ("[ingest]", "partitions = 0\n[ingest]", "0 is not from 1 to 64"),
        ("[ingest]", 'stream = "a b"\n[ingest]', "'a b' is no name"),
        ("postgresql://", "mysql://", "'mysql://db/x' is neither"),
        ("postgresql://me:secret@db/x", "env:NOT_SET", "names an environment variable that is not set"),
        ("[store]", "[store", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_place_and_value(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    with pytest.raises(ScaleError) as caught:
        read(written(tmp_path, good.replace(before, after)))
    assert told in str(caught.value)
    assert "scale.toml" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["ingest", "digest", "console"])
def test_each_command_refuses_a_file_that_is_not_there(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kind, "--scale", "/nowhere/scale.toml"]) == 5
    assert "/nowhere/scale.toml cannot be read: No such file" in capsys.readouterr().err


def test_a_part_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["digest", "--scale", str(written(tmp_path, good))]) == 5
    assert "has no part [digest]" in capsys.readouterr().err


def test_a_log_line_is_one_line_whatever_a_sender_put_into_it(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("fivehundred.test")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        set_up("text")
        log.warning("bad name %s", "x\nERROR root: forged\x1b[31m")
        set_up("json")
        try:
            raise ValueError("told\n")
        except ValueError:
            log.exception("failed")
    finally:
        root.handlers[:], root.level = before
    text, line = capsys.readouterr().err.splitlines()
    assert text == r"WARNING fivehundred.test: bad name x\nERROR root: forged\x1b[31m"
    found = json.loads(line)
    assert (found["level"], found["message"], found["exception"]["type"]) == ("error", "failed", "ValueError")
