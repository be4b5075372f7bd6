"""Records what services in other languages raise when they fail for real, into ``recorded.jsonl``.

``python -m tests.diagnosis.abroad.record [ruby php node go java python]``; needs the runtimes and their drivers:
Debian's ruby-*, php-*, golang-*-dev and lib*-java packages, and for Node and Python folders with the packages that the
programs import (NODE_FOLDER, PYTHON_FOLDER). The suite reads the recording, so it needs none of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.scenarios import servers

from fivehundred.demo.ports import free_port

here = Path(__file__).parent
recording = here / "recorded.jsonl"
jars = ":".join(
    f"/usr/share/java/{name}.jar"
    for name in ("postgresql", "mariadb-java-client", "HikariCP", "slf4j-api", "slf4j-nop")
)


def main() -> int:
    wanted = sys.argv[1:] or list(programs)
    old = [line for line in lines() if line["language"] not in wanted]
    with surroundings() as environment:
        for language in wanted:
            for line in run(language, environment):
                if line["event"] is None:
                    sys.stderr.write(f"{line['name']} did not fail\n")
                else:
                    old.append({"language": language, **short(line)})
    recording.write_text("".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in old))
    return 0


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in recording.read_text().splitlines()] if recording.exists() else []


@contextmanager
def surroundings() -> Iterator[dict[str, str]]:
    """Real servers, and the environment that says where they are."""

    def answer(path: str) -> servers.Answer:
        if path == "/slow":
            time.sleep(3)
        status = int(path[1:4]) if path[1:4].isdigit() else 200
        return status, "text/plain", b"no"

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tls = servers.certificate(folder, "127.0.0.1")
        yield {
            **os.environ,
            "PG": str(servers.postgres().port),
            "MY": str(servers.mariadb()),
            "RD": str(stack.enter_context(servers.redis())),
            "UP": str(stack.enter_context(servers.upstream(answer))),
            "TLS": str(stack.enter_context(servers.upstream(answer, tls))),
            "CLOSED": str(free_port()),
        }


def run(language: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        command, more = programs[language](folder)
        done = subprocess.run(
            command, env={**environment, **more}, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    sys.stderr.write("\n".join(done.stderr.splitlines()[-5:]) + "\n")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def short(line: dict[str, Any]) -> dict[str, Any]:
    """Without the middle of deep stacks, and without the sources of libraries."""
    for value in line["event"]["exception"]["values"]:
        stack = value.get("stacktrace")
        if stack:
            frames = stack["frames"]
            stack["frames"] = frames if len(frames) <= 24 else [*frames[:4], *frames[-20:]]
            for frame in stack["frames"]:
                if not frame.get("in_app"):
                    for name in ("pre_context", "context_line", "post_context"):
                        frame.pop(name, None)
    return line


# ---- how each is started -------------------------------------------------------------------------

Start = tuple[list[str], dict[str, str]]


def _java(folder: str) -> Start:
    subprocess.run(["javac", "-cp", jars, "-d", folder, str(here / "java" / "Shop.java")], check=True)
    return ["java", "-Xmx64m", "-cp", f"{folder}:{jars}", "com.shop.Shop"], {}


def _go(folder: str) -> Start:
    return ["go", "run", str(here / "go" / "main.go")], {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}


def _node(folder: str) -> Start:
    return ["node", str(here / "shop.js")], {"NODE_PATH": f"{os.environ.get('NODE_FOLDER', folder)}/node_modules"}


def _python(folder: str) -> Start:
    return [f"{os.environ.get('PYTHON_FOLDER', sys.prefix)}/bin/python", str(here / "shop.py")], {}


programs = {
    "ruby": lambda folder: (["ruby", str(here / "shop.rb")], {}),
    "php": lambda folder: (["php", "-d", "include_path=/usr/share/php", str(here / "shop.php")], {}),
    "node": _node,
    "go": _go,
    "java": _java,
    "python": _python,
}

if __name__ == "__main__":
    sys.exit(main())
