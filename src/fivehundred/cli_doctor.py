"""``fivehundred doctor``: is this machine fit, is the Console well, does the DSN lead to it? Changes nothing."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from fivehundred import limits
from fivehundred.cli import Exit
from fivehundred.cli_text import style
from fivehundred.envelope import Dsn, DsnError
from fivehundred.guard.doctor import found, installed_twice
from fivehundred.guard.spool import folder_for

State = Literal["ok", "note", "wrong"]
_packages = ("apsw", "brotli", "httptools", "isal", "jinja2", "msgspec", "pygments", "starlette", "uvicorn", "uvloop")
_default_url = "http://127.0.0.1:5500"
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Finding:
    state: State
    what: str
    next: str = ""  # what to type or change


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default=_default_url, help=f"of the Console ({_default_url})")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data folder of the Console, to check it as well")
    parser.add_argument("--console", action="store_true", help="look closely: clock, disk, files, spool, database")
    parser.add_argument("--scale", type=Path, metavar="FILE", help="look at an installation on several machines")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def main(args: argparse.Namespace) -> int:
    findings = list(_findings(args))
    if args.json:
        print(json.dumps([{"state": f.state, "what": f.what, "next": f.next} for f in findings], indent=2))
    else:
        colors = {"ok": "green", "note": "yellow", "wrong": "red"}
        for f in findings:
            print(f"{style(f'{f.state:<5}', colors[f.state])}  {f.what}" + (f"\n       -> {f.next}" if f.next else ""))
    return Exit.failed if any(f.state == "wrong" for f in findings) else Exit.ok


def _findings(args: argparse.Namespace) -> Iterable[Finding]:
    yield Finding("ok", f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _installed()
    if args.data is not None:
        yield from _folder(args.data)
    yield from _closely(args)
    yield _console(args.url.rstrip("/"))
    yield _dsn()
    yield _spool()
    # the command line of a server is not this one's: what stands in the environment is all that can be seen from here
    for one in (*found([], os.environ), *installed_twice()):
        yield Finding("wrong", one.what, one.fix)


def _spool() -> Finding:
    folder = folder_for("doctor")
    if folder is None:
        return Finding(
            "wrong",
            "no folder for events that wait: what is not delivered when a process ends is lost",
            "export FIVEHUNDRED_SPOOL=/a/folder/of/this/user",
        )
    folder.rmdir()
    return Finding("ok", f"events wait for the collector in {folder.parent}")


def _closely(args: argparse.Namespace) -> Iterable[Finding]:
    """With what the Console itself is made of, so its packages are needed."""
    if not (args.console or args.scale):
        return
    from fivehundred.console import doctor, doctor_scale, scale
    from fivehundred.console.config import default_data_dir

    checked: list[doctor.Checked] = []
    if args.console:
        checked += doctor.look(args.data or default_data_dir(), args.url.rstrip("/"))
    if args.scale is not None:
        try:
            checked += doctor_scale.look(scale.read(args.scale))
        except scale.ScaleError as e:
            checked.append(doctor.Checked("wrong", str(e)))
    yield from (Finding(c.state, c.what, c.next) for c in checked)


def _installed() -> Finding:
    missing = [name for name in _packages if importlib.util.find_spec(name) is None]
    if not missing:
        return Finding("ok", "the packages of the Console are installed")
    install = f"{Path(sys.executable).name} -m pip install 'fivehundred[console]'"
    return Finding("note", f"the Console's packages are not all here: {', '.join(missing)}", install)


def _folder(folder: Path) -> Iterable[Finding]:
    if not folder.is_dir():
        yield Finding("wrong", f"{folder} is no folder", f"fivehundred console --data {folder} creates it")
        return
    free = shutil.disk_usage(folder).free
    enough = free > 4 * limits.disk_free_bytes_min
    hint = "" if enough else f"below {limits.disk_free_bytes_min >> 20} MiB nothing is accepted; make room"
    yield Finding("ok" if enough else "wrong", f"{free >> 20} MiB are free on the disk of {folder}", hint)
    open_to_others = folder.stat().st_mode & 0o077
    if open_to_others:
        yield Finding("wrong", f"{folder} is open to other users of this machine", f"chmod 700 {folder}")


def _console(url: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=_TIMEOUT_S) as reply:
            backlog = json.loads(reply.read(65_536))["backlog"]["records"]
    except urllib.error.HTTPError as e:
        return Finding("wrong", f"the Console at {url} is not ready: {_problems(e)}")
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as e:
        return Finding("note", f"no Console answers at {url} ({getattr(e, 'reason', e)})", "fivehundred console")
    return Finding("ok", f"the Console at {url} is ready; {backlog} records wait to be digested")


def _problems(e: urllib.error.HTTPError) -> str:
    try:
        return "; ".join(str(p) for p in json.loads(e.read(65_536))["problems"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {e.code}"


def _dsn() -> Finding:
    text = os.environ.get("FIVEHUNDRED_DSN") or os.environ.get("SENTRY_DSN", "")
    if not text:
        return Finding(
            "note", "no DSN is set; the Guard answers and logs, but sends nothing", "export FIVEHUNDRED_DSN=..."
        )
    try:
        dsn = Dsn.parse(text)
    except DsnError as e:
        return Finding("wrong", f"the DSN is not usable: {e}")
    url = f"{dsn.scheme}://{dsn.netloc}{dsn.envelope_path}?sentry_key={dsn.key}"
    # An envelope without items: the server checks the key and keeps nothing of it.
    request = urllib.request.Request(url, data=b"{}\n", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return Finding("ok", f"the server of the DSN, {dsn.netloc}, takes its key")
    except urllib.error.HTTPError as e:
        reason = e.headers.get("X-Sentry-Error", "") or e.reason
        return Finding("wrong", f"the server of the DSN, {dsn.netloc}, answers {e.code}: {reason}", "compare the DSN")
    except (OSError, HTTPException) as e:
        return Finding("wrong", f"nothing answers at {dsn.netloc} of the DSN ({getattr(e, 'reason', e)})")
