"""``fivehundred dev``: a real application that fails, is mended while it runs, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

wait_s = 30.0
flask = """
from flask import Flask
app = Flask(__name__)

@app.get("/mean")
def mean():
    numbers = []
    return str(1 / len(numbers))
"""
asgi = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return
    raise LookupError("no such thing")
"""


class Dev:
    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "fivehundred", "dev", *arguments, "--port", "0"]
        self.log = folder.parent / f"{folder.name}.log"
        environment = {**os.environ, "FIVEHUNDRED_DSN": "", "FIVEHUNDRED_SPOOL": str(folder.parent / "spool")}
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def said(self, pattern: str, count: int = 1) -> str:
        deadline = time.monotonic() + wait_s
        while len(found := re.findall(pattern, self.log.read_text())) < count:
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return str(found[count - 1])

    def stop(self, number: int = signal.SIGINT) -> int:
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        code = self.process.wait(wait_s)
        _, alive = psutil.wait_procs(children, timeout=wait_s)
        assert alive == [], self.log.read_text()
        return code


def get(url: str, accept: str = "text/html") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


def test_a_failure_is_shown_mended_and_in_the_console(folder: Path) -> None:
    (folder / "main.py").write_text(flask)
    dev = Dev(folder, "main:app")
    try:
        url = dev.said(r"app\s+(http://\S+)")
        status, page = get(f"{url}/mean")
        assert status == 500
        assert "return str(1 / len(numbers))" in page
        console = dev.said(r"console\s+(http://\S+)")
        deadline = time.monotonic() + wait_s
        while "ZeroDivisionError" not in get(f"{console}/api/v1/faults", "application/json")[1]:
            assert time.monotonic() < deadline, dev.log.read_text()
            time.sleep(0.1)
        (folder / "main.py").write_text(flask.replace("numbers = []", "numbers = [1]"))
        url = dev.said(r"app\s+(http://\S+)", 2)
        assert get(f"{url}/mean") == (200, "1.0")
    finally:
        assert dev.stop() == 0


def test_an_application_that_does_not_start_is_started_again_when_it_is_mended(folder: Path) -> None:
    (folder / "main.py").write_text("this is no python")
    dev = Dev(folder, "main:app", "--no-console")
    try:
        dev.said(r"ended\s+the application ended with 1")
        (folder / "main.py").write_text(asgi)
        url = dev.said(r"app\s+(http://\S+)")
        assert "LookupError: no such thing" in get(url)[1]
    finally:
        assert dev.stop(signal.SIGTERM) == 0


def test_a_killed_parent_takes_its_children_with_it(folder: Path) -> None:
    (folder / "main.py").write_text(asgi)
    dev = Dev(folder, "main:app", "--no-console")
    dev.said(r"app\s+(http://\S+)")
    dev.stop(signal.SIGKILL)


@pytest.mark.parametrize(
    ("named", "said"),
    [("main", "write module:name"), ("nosuch:app", "no module 'nosuch'"), ("main:nope", "it has create")],
)
def test_what_is_no_application_is_said(folder: Path, named: str, said: str) -> None:
    (folder / "main.py").write_text("def create(): ...\nnumber = 3\n")
    command = [sys.executable, "-m", "fivehundred", "dev", named, "--no-console", "--no-reload", "--port", "0"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=wait_s, check=False)
    assert done.returncode in (1, 2)
    assert said in done.stderr
