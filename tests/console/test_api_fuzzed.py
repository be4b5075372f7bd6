"""Schemathesis asks a running Console everything that its own document says: no 500, no answer that is not described.

What fits the document is taken, but for the few operations below, whose bodies must fit something that a schema of one
body does not say. FIVEHUNDRED_FUZZ_EXAMPLES makes a longer run of it.
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


# operation -> why what fits its schema may still be refused
depends = {
    "GET /events": "a search line has terms that are known, and a cursor is the one of the page before",
    "GET /faults": "the same",
    "GET /faults/{fault}/events": "a cursor is the one of the page before",
    "GET /incidents": "the same",
    "PATCH /people/{person}": "a role goes with the act role, and with no other",
    "POST /alerts/rules": "what a rule is narrowed to are causes and levels that there are",
    "POST /channels": "which settings there are is decided by the kind",
    "POST /choices/{choice}/undo": "what was taken back already is not taken back again",
    "POST /deploys": "both times lie in one order, and the address is one",
    "POST /faults/acts": "a mute, a release and an owner go with some of the acts",
    "POST /faults/{fault}/acts": "the same",
    "POST /faults/{fault}/issues": "either a tracker or an address",
    "POST /faults/{fault}/merge": "a fault is not merged into itself",
    "POST /faults/{fault}/split": "a fault is split by what its events have",
    "POST /grouping-rules": "a fingerprint names only what there is",
    "POST /grouping-rules/test": "the same",
    "POST /owner-rules": "the pattern of a tag is name=value",
    "POST /teams": "roles are those of members",
    "POST /trackers": "the form of the target is decided by the kind",
    "POST /views": "the line of a view is a search line",
    "PUT /projects/{project}/origins": "an origin is a scheme, a host and a port",
    "PUT /projects/{project}/repository": "the path is that of a repository on this machine",
    "PUT /teams/{team}": "roles are those of members",
}


def configuration(folder: Path) -> Path:
    """Schemathesis' own: the one check is off for these operations, every other is on for all."""
    off = "checks.positive_data_acceptance.enabled = false"
    parts = [f'[[operations]]\ninclude-name = "{name}"\n{off}\n' for name in depends]
    file = folder / "schemathesis.toml"
    file.write_text("\n".join(parts))
    return file


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
        for name in ("First", "Root"):  # account number 1 is what it makes a viewer of, and that must not be itself
            command(tmp_path / "data", "users", "add", name, "--role", "owner")
        token = json.loads(command(tmp_path / "data", "tokens", "add", "Root", "--scope", "admin"))["token"]
        time.sleep(1.1)  # the Console looks for accounts once a second
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                "--config-file", configuration(tmp_path), "run", f"{console.url}/api/v1/openapi.json",
                "--url", f"{console.url}/api/v1", "--header", f"Authorization: Bearer {token}",
                "--exclude-path-regex", "^/tokens/",  # or it takes its own token away
                "--phases", "coverage,fuzzing",
                "--max-examples", examples, "--suppress-health-check", "all", "--no-color", "--seed", "7",
            ],
            capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:]
    assert "Traceback" not in console.log.read_text()
