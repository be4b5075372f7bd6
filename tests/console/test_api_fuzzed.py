"""Schemathesis asks a running Console everything that its own document says: no 500, no answer that is not described.

What a schema cannot say (a cursor is the one of the page before, a name is free) may be refused: that check is left
out. FIVEHUNDRED_FUZZ_EXAMPLES makes a longer run of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.console.face import wire
from tests.console.running import RunningConsole

pytest.importorskip("schemathesis", reason="pip install 'schemathesis>=4,<5'")


def command(data: Path, *words: str) -> str:
    whole = [sys.executable, "-m", "fivehundred", *words, "--data", str(data), "--json"]
    return subprocess.run(whole, input="correct horse battery\n", text=True, check=True, capture_output=True).stdout


def test_the_api_is_as_its_document_says(tmp_path: Path) -> None:
    examples = os.environ.get("FIVEHUNDRED_FUZZ_EXAMPLES", "2")
    with RunningConsole(tmp_path / "data") as console:
        project = console.dsn.rpartition("/")[2]
        key = console.dsn.split("//")[1].partition("@")[0]
        body = json.dumps(wire()).encode()
        assert console.send("POST", f"/api/{project}/store/?sentry_key={key}", body)[0] == 200
        command(tmp_path / "data", "users", "add", "Root", "--role", "owner")
        token = json.loads(command(tmp_path / "data", "tokens", "add", "Root", "--scope", "admin"))["token"]
        time.sleep(1.1)  # the Console looks for accounts once a second
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"), "run", f"{console.url}/api/v1/openapi.json",
                "--url", f"{console.url}/api/v1", "--header", f"Authorization: Bearer {token}",
                "--exclude-path-regex", "^/tokens/",  # or it takes its own token away
                "--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing",
                "--max-examples", examples, "--suppress-health-check", "all", "--no-color", "--seed", "7",
            ],
            capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:]
    assert "Traceback" not in console.log.read_text()
