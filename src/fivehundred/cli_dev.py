"""``fivehundred dev app:app``: the application under a server that starts again when its code changes, with the Guard
in development mode, and a Console beside it.

Three processes: this one watches files; one Console, which outlives restarts; one server (``cli_dev_server``). All end
with this one. Files are watched by their times, which needs no package and works on every file system.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fivehundred.cli import Exit
from fivehundred.cli_text import style

_poll_s: Final = 0.4
_stop_s: Final = 5.0
_console_s: Final = 30.0
_skipped: Final = frozenset((".git", ".venv", "venv", "node_modules", "__pycache__", "site-packages", ".tox"))
_suffixes: Final = (".py", ".toml", ".ini", ".env", ".html", ".jinja", ".j2", ".sql")
_files_max: Final = 20_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "APP is module:name, such as main:app; a function that makes the application is called (main:create_app). "
        "Flask, FastAPI, Starlette, Django and any WSGI or ASGI application are known."
    )
    parser.add_argument("app", metavar="APP", help="module:name of the application")
    parser.add_argument("--host", default="127.0.0.1", help="of the application (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="of the application (8000; 0 takes a free one)")
    parser.add_argument("--no-console", action="store_true", help="no Console beside it")
    parser.add_argument("--no-reload", action="store_true", help="do not start again when a file changes")


def main(args: argparse.Namespace) -> int:
    module, _, name = args.app.partition(":")
    if not module or not name:
        print(
            f"fivehundred dev: {args.app!r} names no application; write module:name, such as main:app", file=sys.stderr
        )
        return Exit.usage
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.ExitStack() as ending:
        environment = dict(os.environ)
        if not args.no_console:
            console = ending.enter_context(_console())
            environment |= {"FIVEHUNDRED_DSN": console["dsn"]}
            print(f"{style('console', 'bold')}  {console['url']}", flush=True)
        try:
            return _serve(args, environment)
        except KeyboardInterrupt:
            return Exit.ok


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _console() -> Iterator[dict[str, Any]]:
    """A Console on a free port, with a data folder of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fivehundred-dev-") as folder:
        command = [sys.executable, "-m", "fivehundred", "console", "--data", folder, "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit(process.wait(_console_s))  # it has said why
            yield json.loads(line)
        finally:
            _end(process)


def _serve(args: argparse.Namespace, environment: dict[str, str]) -> int:
    """Until it is interrupted: a server, and another one after each change."""
    while True:
        process = _start(args, environment)
        try:
            changed = "" if args.no_reload else _changed(Path.cwd(), process)
            if args.no_reload:
                return process.wait()
        finally:
            _end(process)
        print(f"{style('reload', 'bold')}   {changed}", flush=True)


def _start(args: argparse.Namespace, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fivehundred.cli_dev_server", args.app, args.host, str(args.port)]
    return subprocess.Popen(command, env=environment, text=True, start_new_session=True)


def _changed(root: Path, process: subprocess.Popen[str]) -> str:
    """Waits for a change below ``root``, also while the server has ended with an error; the file's name."""
    before = _times(root)
    told = False
    while True:
        time.sleep(_poll_s)
        now = _times(root)
        if now != before:
            return next((name for name in {**before, **now} if before.get(name) != now.get(name)), "")
        if process.poll() is not None and not told:
            told = True
            what = f"the application ended with {process.returncode}; it is started again when a file changes"
            print(f"{style('ended', 'bold')}    {what}", flush=True)


def _times(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in _skipped and not f.startswith(".")]
        for file in files:
            if file.endswith(_suffixes) and len(found) < _files_max:
                path = os.path.join(folder, file)
                with contextlib.suppress(OSError):  # gone since it was listed
                    found[os.path.relpath(path, root)] = os.stat(path).st_mtime
    return found


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_stop_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
