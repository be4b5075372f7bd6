"""``fivehundred events`` and ``fivehundred incidents``: events by a search, one by its reference, incidents.

Talks to a running Console's API as ``fivehundred faults`` does.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import urllib.parse
from typing import Any

from fivehundred.cli import Exit
from fivehundred.cli_faults import Refused, Unreachable, asked, configured_url
from fivehundred.cli_text import ago, plain, style, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    events = parser.prog.endswith("events")
    words = "[QUERY] | show REFERENCE" if events else "[list] | show ID"
    says = "a search, or one event by its reference" if events else "incidents, or one with what it reaches"
    parser.add_argument("words", nargs="*", metavar=words, help=says)
    parser.add_argument("--url", default="", help="of the Console")
    if events:
        parser.epilog = (
            'QUERY is as in: user:ada@example.com tag:region=eu release:2.4 within:24h "connection refused".'
            " Only events whose payload is kept are found."
        )
        parser.add_argument("--limit", type=int, default=25, help="events to list (25)")
        parser.add_argument("--cursor", default="", help="of the page before, to go on")
    else:
        parser.add_argument("--state", default="", choices=("open", "resolved"), help="only those (all)")
    parser.add_argument("--json", action="store_true", help="what the API answers, unchanged")
    parser.add_argument("--token", default="", help="of the API, where there are accounts (or FIVEHUNDRED_TOKEN)")
    parser.set_defaults(looks_at="events" if events else "incidents")


def main(args: argparse.Namespace) -> int:
    base, name = (args.url or configured_url()).rstrip("/"), f"fivehundred {args.looks_at}"
    try:
        path = _event_path(args) if args.looks_at == "events" else _incident_path(args.words, args.state)
        answer = asked(base, path, args.token)
    except ValueError as e:
        print(f"{name}: {e}", file=sys.stderr)
        return Exit.usage
    except Unreachable as e:
        print(f"{name}: {e}", file=sys.stderr)
        return Exit.unreachable
    except Refused as e:
        print(f"{name}: {e}", file=sys.stderr)
        return Exit.failed
    if args.json:
        print(json.dumps(answer, indent=2))
    elif args.looks_at == "events":
        print(_events(answer) if "events" in answer else _event(answer))
    else:
        print(_incident(answer) if "incident" in answer else _incidents(answer, base))
    return Exit.ok


def _event_path(args: argparse.Namespace) -> str:
    """Raises ValueError with what to type instead."""
    words: list[str] = args.words
    if words[:1] != ["show"]:
        asked = {"query": " ".join(words), "limit": args.limit, **({"cursor": args.cursor} if args.cursor else {})}
        return f"/api/v1/events?{urllib.parse.urlencode(asked)}"
    found = words[-1].lower().removeprefix("urn:uuid:").replace("-", "") if len(words) == 2 else ""
    if not re.fullmatch(r"[0-9a-f]{32}", found):
        raise ValueError(
            "give a reference, 32 hexadecimal digits as on the error page: fivehundred events show REFERENCE"
        )
    return f"/api/v1/events/{found}"


def _incident_path(words: list[str], state: str) -> str:
    """Raises ValueError with what to type instead."""
    if words in ([], ["list"]):
        return "/api/v1/incidents" + (f"?{urllib.parse.urlencode({'state': state})}" if state else "")
    number = words[-1].lstrip("#") if len(words) == 2 and words[0] == "show" else ""
    if not (number.isascii() and number.isdecimal()):
        raise ValueError("list them, or show one by its number: fivehundred incidents show 3")
    return f"/api/v1/incidents/{number}"


# ---- events ----------------------------------------------------------------------------------------


def _events(answer: dict[str, Any]) -> str:
    now = time.time()
    rows = [
        (e["event_id"], f"#{e['fault']}", ago(now - e["timestamp"]), e["release"], e["user"], e["title"], e["message"])
        for e in answer["events"]
    ]
    head = ("REFERENCE", "FAULT", "AGO", "RELEASE", "USER", "WHAT", "MESSAGE")
    text = table(head, rows) if rows else "No kept event fits."
    if not answer["next"]:
        return text
    back = f"{ago(now - answer['back_to'])} back so far" if answer["back_to"] else "more"
    return text + style(f"\n{back}; go on with --cursor {answer['next']}", "dim")


# ---- one event -----------------------------------------------------------------------------------


def _event(event: dict[str, Any]) -> str:
    now, why = time.time(), event.get("diagnosis")
    lines = [
        style(plain(event["message"] or event["event_id"]), "bold"),
        f"event {event['event_id']}, {ago(now - event['received_at'])} ago" + _of(event),
        "" if not why else f"{style(why['cause'], 'bold')}: {plain(why['sentence'])}",
        *(f"  + {plain(fact['text'])}" for fact in (why or {}).get("evidence", ()) if not fact["against"]),
        *([f"it could not be read: {plain(event['malformed'])}"] if event["malformed"] else []),
        *_raised(event["payload"]),
        plain(event["page"]),
    ]
    return "\n".join(line for line in lines if line)


def _of(event: dict[str, Any]) -> str:
    return f", of fault {event['fault']}" if event.get("fault") is not None else ""


def _raised(payload: dict[str, Any]) -> list[str]:
    """The frames of each exception, the one that raised last, as Python prints them."""
    lines: list[str] = []
    exceptions = payload.get("exception")
    values = exceptions.get("values") if isinstance(exceptions, dict) else exceptions
    for one in values if isinstance(values, list) else []:
        if not isinstance(one, dict):
            continue
        stack = one.get("stacktrace")
        frames = stack.get("frames") if isinstance(stack, dict) else None
        for frame in frames[-20:] if isinstance(frames, list) else []:
            if isinstance(frame, dict):
                lines.append(
                    plain(f"  {frame.get('filename', '?')}:{frame.get('lineno', '?')} in {frame.get('function', '?')}")
                )
        lines.append(plain(f"{one.get('type', '')}: {one.get('value', '')}"))
    return lines


# ---- incidents -----------------------------------------------------------------------------------


def _incidents(answer: dict[str, Any], base: str) -> str:
    found, now = answer["incidents"], time.time()
    if not found:
        return "No incident. One opens when faults fail beyond normal."
    head = ("ID", "STATE", "OPENED", "EVENTS", "USERS", "WHAT")
    rows = [
        (str(i["id"]), i["state"], ago(now - i["opened_at"]), str(i["events"]), str(i["users"]), i["sentence"])
        for i in found
    ]
    hint = f"\nOne of them: fivehundred incidents show ID   or {base}/incidents/ID"
    return table(head, rows) + style(hint, "dim")


def _incident(answer: dict[str, Any]) -> str:
    one, now = answer["incident"], time.time()
    lines = [
        style(plain(one["sentence"]), "bold"),
        f"incident {one['id']}, {one['state']}, opened {ago(now - one['opened_at'])} ago; "
        f"events {one['events']}, users {one['users']}",
        *(
            f"  #{f['fault']} {f['events']} event{'' if f['events'] == 1 else 's'}, {f['cause']}: {plain(f['title'])}"
            for f in answer["faults"]
        ),
    ]
    for name in ("routes", "hosts", "releases", "environments"):
        if answer[name]:
            lines.append(f"{name}: " + plain(", ".join(f"{value} ({count})" for value, count in answer[name][:8])))
    return "\n".join([*lines, plain(answer["page"])])
