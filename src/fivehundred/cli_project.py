"""``fivehundred quota``, ``origins``, ``retention``: what a project of a running Console takes and keeps.

Each shows what holds, and sets it first when something is said. Talks to the Console's API with the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote

from fivehundred import cli_faults
from fivehundred.cli import Exit
from fivehundred.cli_text import plain

_TIMEOUT_S = 10
_spans: Final = ("minute", "hour", "day")
_kept: Final = ("days", "events", "megabytes")
_said: Final = {
    "quota": "Past a quota senders are answered 429 with Retry-After until the minute, hour or day (UTC) is over.",
    "origins": "An origin is https://shop.example, *.shop.example or localhost:3000. Programs, which name none, may"
    " always send.",
    "retention": "Below what the whole Console keeps. The oldest events go first; counts of faults go on.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    command = parser.prog.rpartition(" ")[2]
    parser.epilog = _said[command]
    parser.add_argument("project", help="its number, as in the DSN")
    if command == "quota":
        for span in _spans:
            parser.add_argument(f"--{span}", type=_number, metavar="N", help=f"events a {span}; none takes it away")
    elif command == "retention":
        for name in _kept:
            parser.add_argument(f"--{name}", type=_number, metavar="N", help=f"{name} that are kept; none: no bound")
    else:
        parser.add_argument("origins", nargs="*", metavar="ORIGIN", help="of a page that may send; in place of before")
        parser.add_argument("--any", action="store_true", help="every page may send")
    parser.add_argument("--url", default="", help="of the Console")
    parser.add_argument("--json", action="store_true", help="what the API answers, unchanged")
    parser.add_argument("--token", default="", help="of the API, where there are accounts (or FIVEHUNDRED_TOKEN)")
    parser.set_defaults(command=command)


def main(args: argparse.Namespace) -> int:
    base = (args.url or cli_faults.configured_url()).rstrip("/")
    change, tell = _commands[args.command](args)
    path = {"quota": "quotas"}.get(args.command, args.command)
    address = f"{base}/api/v1/projects/{quote(args.project, safe='')}/{path}"
    token = args.token or os.environ.get("FIVEHUNDRED_TOKEN", "")
    try:
        status, answer = _call(address, token, None)
        if status == 200 and change:
            kept = {name: value for name, value in answer.items() if name != "project"}
            status, answer = _call(address, token, {**kept, **change})
    except (OSError, HTTPException, ValueError) as e:
        print(f"fivehundred {args.command}: no Console answers at {base}: {e}", file=sys.stderr)
        return Exit.unreachable
    if status != 200:
        said = plain(str(answer.get("detail") or answer.get("title") or status))
        print(f"fivehundred {args.command}: {said}", file=sys.stderr)
        return Exit.failed
    print(json.dumps(answer, indent=2) if args.json else plain(tell(answer)))
    return Exit.ok


# ---- each command: what it changes, and how what holds is told -----------------------------------

_Change = tuple[dict[str, Any], Callable[[dict[str, Any]], str]]


def _quota(args: argparse.Namespace) -> _Change:
    def tell(answer: dict[str, Any]) -> str:
        return ", ".join(f"{'any number' if answer[s] is None else answer[s]} a {s}" for s in _spans)

    return _numbers(args, _spans), tell


def _retention(args: argparse.Namespace) -> _Change:
    def tell(answer: dict[str, Any]) -> str:
        own = [f"{answer[name]} {name}" for name in _kept if answer[name] is not None]
        return f"at most {', '.join(own)}" if own else "as long and as much as the Console keeps"

    return _numbers(args, _kept), tell


def _origins(args: argparse.Namespace) -> _Change:
    change = {"origins": [] if args.any else args.origins} if args.any or args.origins else {}
    return change, lambda answer: " ".join(answer["origins"]) or "pages of every origin may send"


_commands: Final[dict[str, Callable[[argparse.Namespace], _Change]]] = {
    "quota": _quota,
    "retention": _retention,
    "origins": _origins,
}


def _numbers(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    given = {name: getattr(args, name) for name in names}
    return {name: n or None for name, n in given.items() if n is not None}


def _number(text: str) -> int:
    """0 stands for none."""
    if text == "none":
        return 0
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number; write 1000, or none")


# ---- the API -------------------------------------------------------------------------------------


def _call(url: str, token: str, change: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
    body = json.dumps(change).encode() if change else None
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, body, headers, method="PUT" if body else "GET")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
            return reply.status, _object(reply.read())
    except urllib.error.HTTPError as e:
        return e.code, _object(e.read())


def _object(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    return found if isinstance(found, dict) else {}
