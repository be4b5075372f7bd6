"""``fivehundred faults``: what a running Console knows, in a terminal. Talks to its API with the standard library."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from fivehundred.cli import Exit
from fivehundred.cli_text import ago, plain, style, table

_TIMEOUT_S = 10
_ANSWER_BYTES_MAX = 32 * 1024 * 1024
_default_url = "http://127.0.0.1:5500"


class Unreachable(Exception):
    """No Console answers at the address; the text says what was seen."""


class Refused(Exception):
    """The Console answered that it will not; the text is its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "QUERY is what the search line of the pages takes, such as: is:open cause:database release:2.4 timeout. "
        f"The Console is the one that FIVEHUNDRED_URL names, else the host of FIVEHUNDRED_DSN, else {_default_url}."
    )
    parser.add_argument(
        "words", nargs="*", metavar="[list] [QUERY] | show ID", help="a search, or one fault by number or reference"
    )
    parser.add_argument("--url", default="", help="of the Console")
    parser.add_argument("--limit", type=int, default=25, help="faults to list (25)")
    parser.add_argument("--json", action="store_true", help="what the API answers, unchanged")


def main(args: argparse.Namespace) -> int:
    base = (args.url or configured_url()).rstrip("/")
    shows = args.words[:1] == ["show"]
    name = args.words[1].lower().removeprefix("urn:uuid:").replace("-", "") if len(args.words) == 2 else ""
    if shows and not (name.isdecimal() or re.fullmatch(r"[0-9a-f]{32}", name)):
        print(
            "fivehundred faults show: give the number of one fault, as they are listed, or a reference", file=sys.stderr
        )
        return Exit.usage
    try:
        answer = _get(base, _fault_path(base, name) if shows else f"/api/v1/faults?{_query(args)}")
    except Unreachable as e:
        print(f"fivehundred faults: {e}", file=sys.stderr)
        return Exit.unreachable
    except Refused as e:
        print(f"fivehundred faults: {e}", file=sys.stderr)
        return Exit.failed
    if args.json:
        print(json.dumps(answer, indent=2))
    elif shows:
        print(_one(answer))
    else:
        print(_many(answer, base))
    return Exit.ok


def _fault_path(base: str, name: str) -> str:
    """Of the fault with that number, or of the one that the event with that reference belongs to."""
    if len(name) == 32:
        found = _get(base, f"/api/v1/events/{name}")["fault"]
        if found is None:
            raise Refused(f"event {name} could not be read when it arrived, so it belongs to no fault")
        return f"/api/v1/faults/{found}"
    return f"/api/v1/faults/{name}"


def _query(args: argparse.Namespace) -> str:
    words = args.words[1:] if args.words[:1] == ["list"] else args.words
    return urllib.parse.urlencode({"query": " ".join(words), "limit": args.limit})


def configured_url() -> str:
    named = os.environ.get("FIVEHUNDRED_URL", "")
    if named:
        return named
    dsn = urlsplit(os.environ.get("FIVEHUNDRED_DSN", ""))
    return f"{dsn.scheme}://{dsn.netloc.rpartition('@')[2]}" if dsn.scheme in ("http", "https") else _default_url


def _get(base: str, path: str) -> dict[str, Any]:
    if urlsplit(base).scheme not in ("http", "https"):
        raise Unreachable(f"{base!r} is no address of a Console; one looks like {_default_url}")
    request = urllib.request.Request(base + path, headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
            answer = json.loads(reply.read(_ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as e:
        raise Refused(f"{base} answers {e.code}: {_detail(e)}") from e
    except (OSError, HTTPException, ValueError) as e:
        reason = getattr(e, "reason", e)
        raise Unreachable(f"no Console answers at {base} ({reason}); start one: fivehundred console") from e
    if not isinstance(answer, dict):
        raise Unreachable(f"what answers at {base} is no Console")
    return answer


def _detail(e: urllib.error.HTTPError) -> str:
    try:
        document = json.loads(e.read(65_536))
        return plain(str(document["detail"]))
    except (ValueError, KeyError, TypeError):
        return e.reason


# ---- many ----------------------------------------------------------------------------------------


def _many(answer: dict[str, Any], base: str) -> str:
    faults = answer["faults"]
    if not faults:
        return "No fault matches. Without a query, the open ones are listed; is:any lists all."
    now = time.time()
    head = ("ID", "CAUSE", "EVENTS", "USERS", "LAST", "WHERE", "WHAT")
    text = table(head, [_row(f, now) for f in faults])
    more = f"\n{answer['total'] - len(faults)} more; --limit shows them" if answer["total"] > len(faults) else ""
    hint = f"\nOne of them, with its runbook: fivehundred faults show ID   or {base}/faults/ID"
    return text + more + style(hint, "dim")


def _row(fault: dict[str, Any], now: float) -> tuple[str, ...]:
    where = f"{fault['method']} {fault['route']}".strip() or fault["culprit"]
    what = f"{fault['title']}: {fault['message']}" if fault["message"] else fault["title"]
    last = ago(now - fault["last_seen"])
    cause = fault["cause"] if fault["confidence"] in ("certain", "likely") else f"{fault['cause']}?"
    return str(fault["id"]), cause, str(fault["events"]), str(fault["users"]), last, where, what


# ---- one -----------------------------------------------------------------------------------------

_MARKS = {"found": ("!", "yellow"), "normal": ("ok", "green"), "missing": ("?", "dim")}


def _one(fault: dict[str, Any]) -> str:
    diagnosis = fault["diagnosis"]
    now = time.time()
    lines = [
        style(plain(f"{fault['title']}: {fault['message']}"), "bold"),
        plain(f"{fault['method']} {fault['route']}".strip() + f"   {fault['culprit']}"),
        f"events {fault['events']}, users {fault['users']}; first {ago(now - fault['first_seen'])} ago, "
        f"last {ago(now - fault['last_seen'])} ago; {fault['state']}",
        "",
        f"{style(diagnosis['cause'], 'bold')}: {plain(diagnosis['sentence'])}",
        *(f"  + {plain(fact['text'])}" for fact in diagnosis["evidence"] if not fact["against"]),
        *(f"  - {plain(text)}" for text in diagnosis["ruled_out"]),
        "",
    ]
    for number, step in enumerate(diagnosis["runbook"], 1):
        lines += _step(number, step)
    return "\n".join(line for i, line in enumerate(lines) if line or (i and lines[i - 1])) + f"\n{fault['page']}"


def _step(number: int, step: dict[str, Any]) -> list[str]:
    mark, color = _MARKS.get(step["state"], ("?", "dim"))
    lines = [f"{number} {step['name']:<10} {style(f'[{mark}]', color)} {plain(step['summary'])}"]
    lines += (f"      {plain(line)}" for line in step["lines"])
    if step["next"]:
        lines.append(f"      -> {plain(step['next'])}")
    return lines
