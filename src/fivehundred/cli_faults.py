"""``fivehundred faults``: what a running Console knows, in a terminal, and what is decided about it.

Talks to the Console's API with the standard library.
"""

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
from typing import Any, Final
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
        "Acts: resolve ID [this|next|RELEASE], reopen ID, mute ID [1h|7d|'100 events'|'10 users'], "
        "assign ID NAME|team:NAME|nobody, priority ID high|medium|low|impact, comment ID TEXT. "
        "Several IDs are separated by commas. "
        f"The Console is the one that FIVEHUNDRED_URL names, else the host of FIVEHUNDRED_DSN, else {_default_url}."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[list] [QUERY] | show ID | ACT ID ...",
        help="a search, one fault by number or reference, or an act",
    )
    parser.add_argument("--url", default="", help="of the Console")
    parser.add_argument("--limit", type=int, default=25, help="faults to list (25)")
    parser.add_argument("--json", action="store_true", help="what the API answers, unchanged")
    parser.add_argument("--token", default="", help="of the API, where there are accounts (or FIVEHUNDRED_TOKEN)")


def main(args: argparse.Namespace) -> int:
    base = (args.url or configured_url()).rstrip("/")
    if args.words[:1] and args.words[0] in acts:
        return _act(args, base)
    shows = args.words[:1] == ["show"]
    name = args.words[1].lower().removeprefix("urn:uuid:").replace("-", "") if len(args.words) == 2 else ""
    if shows and not (name.isdecimal() or re.fullmatch(r"[0-9a-f]{32}", name)):
        print(
            "fivehundred faults show: give the number of one fault, as they are listed, or a reference", file=sys.stderr
        )
        return Exit.usage
    try:
        answer = _get(
            base, _fault_path(base, name, args.token) if shows else f"/api/v1/faults?{_query(args)}", args.token
        )
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


# ---- acts ----------------------------------------------------------------------------------------

acts: Final = ("resolve", "reopen", "mute", "assign", "priority", "comment")


def _act(args: argparse.Namespace, base: str) -> int:
    """``mute 12,13 1h``: numbers, then what goes with the act."""
    name, *words = args.words
    faults = [int(n) for n in words[0].replace("#", "").split(",") if n.isdecimal() and n.isascii()] if words else []
    rest = " ".join(words[1:])
    try:
        body = act_body(name, rest)
        if not faults:
            raise ValueError("give the number of a fault, as they are listed; several are separated by commas")
        if name == "comment":
            answer = _send(base, f"/api/v1/faults/{faults[0]}/comments", body, args.token)
        else:
            answer = _send(base, "/api/v1/faults/acts", {**body, "faults": faults}, args.token)
    except ValueError as e:
        print(f"fivehundred faults {name}: {e}", file=sys.stderr)
        return Exit.usage
    except Unreachable as e:
        print(f"fivehundred faults {name}: {e}", file=sys.stderr)
        return Exit.unreachable
    except Refused as e:
        print(f"fivehundred faults {name}: {e}", file=sys.stderr)
        return Exit.failed
    if args.json:
        print(json.dumps(answer, indent=2))
    elif name == "comment":
        print(f"Written. {base}/faults/{faults[0]}#history")
    else:
        count = answer.get("changed", 0)
        print(f"{count} of {len(faults)} changed." if count != 1 or len(faults) > 1 else "Changed.")
    return Exit.ok


def act_body(name: str, rest: str) -> dict[str, Any]:
    """What the API is sent. Raises ValueError with what to type instead."""
    if name == "comment":
        if not rest:
            raise ValueError("say what to write: fivehundred faults comment 12 'The vendor knows.'")
        return {"body": rest}
    body: dict[str, Any] = {"act": name}
    if name == "resolve" and rest:
        body |= {"fixed_in": rest} if rest in ("this", "next") else {"fixed_in": "this", "release": rest}
    elif name == "mute" and rest:
        body |= _until(rest)
    elif name == "assign":
        if not rest:
            raise ValueError("say to whom: a name, team:NAME, or nobody")
        kind, named = ("team", rest[5:]) if rest.startswith("team:") else ("member", rest)
        body["owner"] = None if rest == "nobody" else {"name": named, "kind": kind}
    elif name == "priority":
        if rest not in ("high", "medium", "low", "impact"):
            raise ValueError("a priority is high, medium, low, or impact to leave it to the impact")
        body["priority"] = "" if rest == "impact" else rest
    return body


def _until(rest: str) -> dict[str, Any]:
    span = re.fullmatch(r"([0-9]{1,5})([mhdw])", rest)
    if span:
        return {"for_seconds": int(span[1]) * {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}[span[2]]}
    count = re.fullmatch(r"([0-9]{1,8}) (event|user)s?", rest)
    if count:
        return {f"more_{count[2]}s": int(count[1])}
    raise ValueError(f"mute for 30m, 1h or 7d, or until '100 events' or '10 users', not {rest!r}")


def _fault_path(base: str, name: str, token: str) -> str:
    """Of the fault with that number, or of the one that the event with that reference belongs to."""
    if len(name) == 32:
        found = _get(base, f"/api/v1/events/{name}", token)["fault"]
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


def asked(base: str, path: str, token: str = "") -> dict[str, Any]:
    """What the API answers. Raises Unreachable, Refused."""
    return _ask(base, path, None, token)


def _get(base: str, path: str, token: str = "") -> dict[str, Any]:
    return _ask(base, path, None, token)


def _send(base: str, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    return _ask(base, path, json.dumps(body).encode(), token)


def _ask(base: str, path: str, body: bytes | None, token: str) -> dict[str, Any]:
    if urlsplit(base).scheme not in ("http", "https"):
        raise Unreachable(f"{base!r} is no address of a Console; one looks like {_default_url}")
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    token = token or os.environ.get("FIVEHUNDRED_TOKEN", "")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(base + path, data=body, headers=headers)
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
