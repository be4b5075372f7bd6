"""``fivehundred get URL``: a small curl that explains a 5xx. It needs nothing but the standard library."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import ssl
import sys
from dataclasses import asdict, replace
from typing import Any, Final
from urllib.parse import urljoin

from fivehundred import limits
from fivehundred.client.errors import CallFailed, Facts, message, safe_url
from fivehundred.client.explained import explained
from fivehundred.client.keys import key_for
from fivehundred.client.plain import Answer, Sending, fetch
from fivehundred.client.policy import Policy
from fivehundred.client.problem_reader import plain
from fivehundred.client.specific import phrase

exit_failed: Final = 1  # asked, and got 4xx, 5xx or nothing: see docs/reference/cli.md


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="address to ask; http:// or https://")
    parser.add_argument("-X", "--method", default="", help="method (default: GET, or POST with --data)")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="NAME: VALUE", help="may be repeated")
    parser.add_argument("-d", "--data", default=None, help="body to send; @FILE reads it, @- from standard input")
    parser.add_argument("--idempotent", action="store_true", help="send an Idempotency-Key: a POST may be tried again")
    parser.add_argument("--attempts", type=_positive(int), default=limits.attempts_max, help="at most (default 4)")
    parser.add_argument("--deadline", type=_positive(float), default=limits.call_s, help="seconds in all (default 30)")
    parser.add_argument("--json", action="store_true", help="print what happened as one JSON object")


def main(args: argparse.Namespace) -> int:
    sending: Sending | None = None
    try:
        sending = _sending(args)
        policy = Policy(
            attempts_max=args.attempts, call_s=args.deadline, attempt_s=min(args.deadline, limits.attempt_s)
        )
        answer = _follow(sending, policy)
    except CallFailed as error:
        _print_failure(error, args.json)
        return exit_failed
    except ssl.SSLCertVerificationError as error:
        _print_failure(_untrusted(sending, error), args.json)
        return exit_failed
    except (OSError, ValueError) as error:
        _print_mistake(sending, error, args.json)
        return exit_failed if isinstance(error, OSError) else 2
    _print_answer(sending, answer, args.json)
    return exit_failed if answer.status >= 400 else 0


def _positive(kind: type[int] | type[float]) -> Any:
    def parse(text: str) -> float:
        value = kind(text)
        if not 0 < value < 86_400:
            raise argparse.ArgumentTypeError(f"{text} is not above 0 and below a day")
        return value

    parse.__name__ = "number"
    return parse


def _sending(args: argparse.Namespace) -> Sending:
    headers = dict(_header(text) for text in args.header)
    if args.idempotent:
        headers = {**key_for(True), **headers}
    return Sending(
        (args.method or ("GET" if args.data is None else "POST")).upper(), args.url, headers, _data(args.data)
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or "\n" in text or "\r" in text:
        raise ValueError(f"--header {text!r}: write it as 'Name: value'")
    return name.strip(), value.strip()


def _data(text: str | None) -> bytes | None:
    if text is None or not text.startswith("@"):
        return None if text is None else text.encode()
    if text == "@-":
        return sys.stdin.buffer.read()
    with open(text[1:], "rb") as file:
        return file.read()


def _follow(sending: Sending, policy: Policy) -> Answer:
    for _ in range(limits.redirects_max + 1):
        answer = fetch(sending, policy)
        target = answer.header("location")
        if answer.status not in (301, 302, 303, 307, 308) or not target:
            return answer
        sending = _redirected(sending, urljoin(sending.url, target), answer.status)
    raise ValueError(f"more than {limits.redirects_max} redirects; the last one leads to {safe_url(sending.url)}")


def _redirected(sending: Sending, url: str, status: int) -> Sending:
    """RFC 9110 section 15.4; what names the caller does not go to another host."""
    if safe_url(url).split("/")[2] != safe_url(sending.url).split("/")[2]:
        secret = ("authorization", "cookie")
        sending = replace(sending, headers={k: v for k, v in sending.headers.items() if k.lower() not in secret})
    if status == 303 or (status in (301, 302) and sending.method == "POST"):
        return replace(sending, url=url, method="GET", body=None)
    return replace(sending, url=url)


# ---- printing -------------------------------------------------------------------------------------


def _print_answer(sending: Sending, answer: Answer, as_json: bool) -> None:
    if as_json:
        facts = Facts(sending.method, safe_url(sending.url), answer.status)
        _print_json({"ok": answer.status < 400, **_told(facts, answer)})
        return
    if answer.status >= 400:
        name = phrase(answer.status) or plain(answer.reason)
        print(f"{answer.status} {name}: the request is at fault, not the server", file=sys.stderr)
    if sys.stdout.isatty():
        print(_printable(answer.body.decode("utf-8", "replace")))
    else:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()


def _untrusted(sending: Sending | None, error: ssl.SSLCertVerificationError) -> CallFailed:
    """The Client leaves this error as it is: it is no failure of the server that a program could wait for."""
    method, url = (sending.method, safe_url(sending.url)) if sending else ("", "")
    failed = CallFailed(Facts(method, url, failure="certificate", retryable=False))
    failed.__cause__ = error
    return failed


def _print_mistake(sending: Sending | None, error: Exception, as_json: bool) -> None:
    print(f"fivehundred get: {plain(str(error))}", file=sys.stderr)
    if as_json:
        facts = Facts(sending.method, safe_url(sending.url)) if sending else Facts()
        _print_json({"ok": False, **_told(facts, None), "message": plain(str(error))})


def _print_failure(error: CallFailed, as_json: bool) -> None:
    facts, answer = error.facts, error.response if isinstance(error.response, Answer) else None
    if as_json:
        _print_json({"ok": False, **_told(facts, answer)})
        return
    print(explained(facts, width=_width(), colours=_colours(), cause=error.__cause__))
    if answer is not None and answer.body and facts.problem.kind in ("", "text"):  # else all of it is told above
        print("\n" + _printable(answer.body.decode("utf-8", "replace")[: limits.get_shown_chars_max]))


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else limits.get_columns


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _printable(text: str) -> str:
    """A server's text must not move the cursor of a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _told(facts: Facts, answer: Answer | None) -> dict[str, Any]:
    found = asdict(facts)
    found["message"] = message(facts) if facts.attempts or facts.status is None else ""
    found["headers"] = answer.headers if answer else []
    found["body"] = answer.body.decode("utf-8", "replace") if answer else ""
    return found


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf")))
