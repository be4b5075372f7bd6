"""Docs are held by tests: examples compile or run, links lead somewhere, commands and options are all described."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).parents[1]
pages = sorted([*(root / "docs").rglob("*.md"), root / "README.md", root / "CONTRIBUTING.md"])
block = re.compile(r"^( *)```python[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
link = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
runs = "<!-- examples: run -->"  # on a page whose Python blocks are run, in order, as one program


def blocks(page: Path) -> list[str]:
    found = []
    for indent, code in block.findall(page.read_text("utf-8")):
        found.append("".join(line.removeprefix(indent) for line in code.splitlines(keepends=True)))
    return found


def name(page: Path) -> str:
    return str(page.relative_to(root))


@pytest.mark.parametrize("page", [p for p in pages if blocks(p)], ids=name)
def test_python_examples_compile(page: Path) -> None:
    for number, code in enumerate(blocks(page), 1):
        compile(code, f"{name(page)}, example {number}", "exec")


@pytest.mark.parametrize("page", [p for p in pages if runs in p.read_text("utf-8")], ids=name)
def test_python_examples_run(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text("\n".join(blocks(page)), "utf-8")
    environment = {**os.environ, "FIVEHUNDRED_DSN": "", "SENTRY_DSN": ""}
    command = [sys.executable, script.name]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_example_of_the_readme_answers_as_the_readme_says() -> None:
    program = "\n".join(blocks(root / "README.md"))
    request = (
        "print(answer.status_code, answer.headers['Error-Reference'] == answer.json['reference'], answer.json['error'])"
    )
    call = "answer = app.test_client().get('/cause-error', headers={'Accept': 'application/json'})"
    environment = {**os.environ, "FIVEHUNDRED_DSN": "", "SENTRY_DSN": ""}
    command = [sys.executable, "-c", "\n".join([program, call, request])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "500 True Internal Server Error", done.stderr


@pytest.mark.parametrize("page", pages, ids=name)
def test_links_between_pages_lead_to_a_file(page: Path) -> None:
    for target, _ in link.findall(page.read_text("utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def commands() -> dict[str, set[str]]:
    """Each command of the CLI and its long options, as ``--help`` prints them."""
    top = _help()
    found = {}
    for command in re.findall(r"^    (\w+)  ", top, re.MULTILINE):
        found[command] = set(re.findall(r"(--[a-z][a-z-]+)", _help(command))) - {"--help"}
    return found


def _help(*command: str) -> str:
    arguments = [sys.executable, "-m", "fivehundred", *command, "--help"]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True).stdout


def test_every_command_and_option_is_described_in_the_reference() -> None:
    text = (root / "docs" / "reference" / "cli.md").read_text("utf-8")
    found = commands()
    assert {"console", "demo"} <= set(found)
    for command, options in found.items():
        assert f"fivehundred {command}" in text, f"docs/reference/cli.md does not describe fivehundred {command}"
        for option in options:
            assert option in text, f"docs/reference/cli.md does not describe {option} of fivehundred {command}"


def test_every_page_is_reachable_from_the_navigation() -> None:
    navigation = (root / "mkdocs.yml").read_text("utf-8")
    for page in (root / "docs").rglob("*.md"):
        assert str(page.relative_to(root / "docs")) in navigation, f"mkdocs.yml does not list {name(page)}"
