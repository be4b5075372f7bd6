"""The tutorial, carried out: its programs and commands against the demo's API give what the page shows."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

page = (Path(__file__).parents[2] / "docs/tutorial/exchange-rates.md").read_text("utf-8")
block = re.compile(r"^```(python|console|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
told = "http://127.0.0.1:5501"


def blocks(kind: str) -> list[str]:
    return [text for found, text in block.findall(page) if found == kind]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The demo's API, as ``fivehundred demo`` starts it."""
    port = free_port()
    environment = {
        **os.environ,
        "PORT": str(port),
        "FIVEHUNDRED_DSN": "",
        "SENTRY_DSN": "",
        "DATABASE_URL": "sqlite://",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "fivehundred.demo.api"], env=environment, stderr=subprocess.DEVNULL
    )
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def run(command: list[str], url: str) -> str:
    """What it prints, with what differs from run to run made alike."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return alike(done.stdout.replace(url, told))


def alike(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{32}\b", "REFERENCE", text)
    return re.sub(r"\b[\d.]+ m?s\b", "TIME", text).strip()


@pytest.mark.parametrize("step", [0, 1])
def test_each_program_prints_what_the_page_shows(url: str, step: int) -> None:
    program = blocks("python")[step].replace(told, url)
    assert run([sys.executable, "-c", program], url) == alike(blocks("text")[step])


def asked(command: str, url: str) -> str:
    words = shlex.split(command.removeprefix("$ ").replace(told, url))
    return run([sys.executable, "-m", *words], url)


def test_get_shows_what_the_page_shows(url: str) -> None:
    assert asked(blocks("console")[1], url) == alike(blocks("text")[2])


def test_get_without_a_server_shows_what_the_page_shows() -> None:
    assert asked(blocks("console")[2], f"http://127.0.0.1:{free_port()}") == alike(blocks("text")[3])


def test_the_first_program_has_the_ten_lines_of_a_first_try() -> None:
    assert len(blocks("python")[0].splitlines()) == 10
