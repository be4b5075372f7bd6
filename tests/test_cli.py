"""The command line as people and scripts meet it: help, exit codes, what is said when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.console.running import RunningConsole, until

import fivehundred
from fivehundred.diagnosis.model import step_names


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fivehundred", *arguments]
    env = {**os.environ, "FIVEHUNDRED_DSN": "", "SENTRY_DSN": "", "FIVEHUNDRED_URL": "", **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command_and_needs_no_package() -> None:
    program = "import sys; from fivehundred.cli import main; sys.exit(main(['--help']))"
    source = str(Path(__file__).parents[1] / "src")
    command = [sys.executable, "-S", "-c", program]  # -S: no site-packages at all
    done = subprocess.run(command, env={"PYTHONPATH": source}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("console", "demo", "faults", "get", "doctor"):
        assert f"\n    {name} " in done.stdout


def test_no_command_shows_the_help() -> None:
    assert run().stdout == run("--help").stdout


def test_version_is_the_package_s() -> None:
    assert run("--version").stdout == f"fivehundred {fivehundred.__version__}\n"


def test_a_misspelled_command_is_met_with_the_likely_one() -> None:
    done = run("consol")
    assert (done.returncode, "did you mean 'console'?" in done.stderr) == (2, True)


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none_is_a_usage_error(port: str) -> None:
    assert run("console", f"--port={port}").returncode == 2


@pytest.mark.parametrize("wrong", [("--disk-max", "12"), ("--disk-max", "1MB"), ("--retention-days", "0")])
def test_a_limit_that_cannot_be_kept_is_a_usage_error(wrong: tuple[str, str]) -> None:
    found = run("console", *wrong)
    assert found.returncode == 2
    assert wrong[1] in found.stderr


def test_the_limits_reach_the_process_that_deletes(tmp_path: Path) -> None:
    with RunningConsole(tmp_path / "data", "--retention-days", "7", "--disk-max", "2GB") as console:
        children = Path(f"/proc/{console.process.pid}/task/{console.process.pid}/children")
        told = ["7.0", str(2 * 1024**3)]
        until(lambda: any(limits_of(child) == told for child in children.read_text().split()), console.log)


def limits_of(process: str) -> list[str]:
    return Path(f"/proc/{process}/cmdline").read_text().split("\0")[-3:-1]


def test_a_missing_extra_says_what_to_type(tmp_path: Path) -> None:
    """As on a bare install: none of the third-party packages can be found."""
    block = "import sys; sys.modules['uvicorn'] = None; from fivehundred.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", block, "console", "--data", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3, done.stderr
    assert "pip install 'fivehundred[console]'" in done.stderr


def test_no_console_is_exit_4_with_the_next_step() -> None:
    done = run("faults", "--url", "http://127.0.0.1:9")
    assert (done.returncode, "fivehundred console" in done.stderr) == (4, True)


def test_faults_and_doctor_talk_to_a_running_console(tmp_path: Path) -> None:
    with RunningConsole(tmp_path / "data") as console:
        assert "No fault matches" in run("faults", "--url", console.url).stdout
        assert json.loads(run("faults", "list", "is:any", "--json", FIVEHUNDRED_URL=console.url).stdout)["total"] == 0
        missing = run("faults", "show", "7", "--url", console.url)
        assert (missing.returncode, "no fault 7" in missing.stderr) == (1, True)
        refused = run("faults", "is:nonsense", "--url", console.url)
        assert (refused.returncode, "answers 400" in refused.stderr) == (1, True)
        assert run("doctor", "--url", console.url, FIVEHUNDRED_DSN=console.dsn).returncode == 0
        wrong = run("doctor", "--url", console.url, FIVEHUNDRED_DSN=console.dsn.replace("//", "//0", 1))
        assert (wrong.returncode, "403" in wrong.stdout) == (1, True)
        assert "\033" not in wrong.stdout


def test_a_fault_is_shown_with_its_verdict_and_six_steps(tmp_path: Path) -> None:
    with RunningConsole(tmp_path / "data") as console:
        guard = fivehundred.Guard(dsn=console.dsn, spool=tmp_path / "spool")
        try:
            print(1 / 0)
        except ZeroDivisionError as e:
            reference = guard.capture(e)
        assert guard.flush(timeout_s=10)
        until(lambda: console.json("/api/v1/faults")["total"] == 1, console.log)
        done = run("faults", "show", "1", "--url", console.url)
        guard.close()
    assert done.returncode == 0, done.stderr
    assert "fails because the code divides by zero" in done.stdout
    assert all(f"\n{n} {name}" in done.stdout for n, name in enumerate(step_names, 1))
    assert reference in done.stdout
    assert done.stdout.endswith(f"{console.url}/faults/1\n")
