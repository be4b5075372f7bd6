"""``fivehundred quota``: how many events of a project a running Console takes. Talks to its API."""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from fivehundred import cli_faults
from fivehundred.cli import Exit

_TIMEOUT_S = 10
_spans = ("minute", "hour", "day")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Past a quota senders are answered 429 with Retry-After until the minute, hour or day (UTC) is over."
    )
    parser.add_argument("project", help="its number, as in the DSN")
    for span in _spans:
        parser.add_argument(f"--{span}", type=_events, metavar="N", help=f"events a {span}; none takes the quota away")
    parser.add_argument("--url", default="", help="of the Console")
    parser.add_argument("--json", action="store_true", help="what the API answers, unchanged")


def main(args: argparse.Namespace) -> int:
    base = (args.url or cli_faults.configured_url()).rstrip("/")
    change = {span: None if n == 0 else n for span in _spans if (n := getattr(args, span)) is not None}
    address = f"{base}/api/v1/projects/{quote(args.project, safe='')}/quotas"
    try:
        status, answer = _call(address, None)
        if status == 200 and change:
            status, answer = _call(address, {span: change.get(span, answer.get(span)) for span in _spans})
    except (OSError, HTTPException, ValueError) as e:
        print(f"fivehundred quota: no Console answers at {base}: {e}", file=sys.stderr)
        return Exit.unreachable
    if status != 200:
        print(f"fivehundred quota: {answer.get('detail') or answer.get('title') or status}", file=sys.stderr)
        return Exit.failed
    if args.json:
        print(json.dumps(answer, indent=2))
    else:
        print(", ".join(f"{answer[span] if answer[span] is not None else 'any number'} a {span}" for span in _spans))
    return Exit.ok


def _call(url: str, change: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
    body = json.dumps(change).encode() if change else None
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="PUT" if body else "GET")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
            return reply.status, _object(reply.read())
    except urllib.error.HTTPError as e:
        return e.code, _object(e.read())


def _object(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    return found if isinstance(found, dict) else {}


def _events(text: str) -> int:
    """0 stands for none."""
    if text == "none":
        return 0
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of events; write 1000, or none")
