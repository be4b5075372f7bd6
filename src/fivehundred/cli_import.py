"""``fivehundred import``: an export into a store, or events of Sentry, GlitchTip, Bugsink into a running Console.

Events of others come from a file, or from the tracker's own API by its address.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from fivehundred.cli import Exit
from fivehundred.cli_data import add_store, opened, said
from fivehundred.envelope import Dsn, DsnError

token_variable: Final = "FIVEHUNDRED_IMPORT_TOKEN"  # noqa: S105 - a name
_wait_s_max: Final = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|URL", help="to read; - is standard input, a URL another tracker's API")
    parser.add_argument("--dsn", default="", help="of the project that events of other trackers go to")
    parser.add_argument(
        "--token", default=os.environ.get(token_variable, ""), help=f"of the other tracker's API ({token_variable})"
    )
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keeps how far it is, and goes on from there")
    add_store(parser)


def main(args: argparse.Namespace) -> int:
    return said("import", lambda: _main(args))


def _main(args: argparse.Namespace) -> int:
    from fivehundred.console.import_api import is_address
    from fivehundred.console.importing import ImportRefused, foreign_events, is_export

    if is_address(args.file):
        return _from_api(args)
    with _reading(args.file) as file:
        try:
            if is_export(file.peek(64)[:64]):  # type: ignore[attr-defined]  # both are buffered readers
                return _export(args, file)
            if not args.dsn:
                raise SystemExit(
                    "the file is no export of fivehundred. Events of Sentry, GlitchTip or Bugsink go to a running"
                    " Console:  fivehundred import FILE --dsn http://KEY@127.0.0.1:5500/1"
                )
            return _send(Dsn.parse(args.dsn), foreign_events(file))
        except (ImportRefused, DsnError) as error:
            raise SystemExit(f"{args.file}: {error}") from error


def _from_api(args: argparse.Namespace) -> int:
    from fivehundred.console.import_api import Place, Progress, events
    from fivehundred.console.importing import ImportRefused

    if not args.dsn:
        raise SystemExit("say where the events go to: --dsn http://KEY@127.0.0.1:5500/1, of a running Console")

    def tell(place: Place) -> None:
        print(f"\r{place.events:,} events of {place.pages:,} pages", end="", file=sys.stderr, flush=True)

    try:
        progress = Progress(args.file, args.resume, tell if sys.stderr.isatty() else lambda _: None)
        if progress.place.done:
            print(f"{args.resume} says that all {progress.place.events:,} events were taken; remove it to begin anew")
            return Exit.ok
        return _send(Dsn.parse(args.dsn), events(args.file, args.token, progress))
    except KeyboardInterrupt:
        print(f"interrupted; go on with --resume {args.resume}" if args.resume else "interrupted", file=sys.stderr)
        return Exit.interrupted
    except (ImportRefused, DsnError) as error:
        rest = f" What came before is taken; go on with --resume {args.resume}." if args.resume else ""
        raise SystemExit(f"{args.file}: {error}.{rest}") from error


@contextmanager
def _reading(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
    else:
        with open(name, "rb") as file:
            yield file


def _export(args: argparse.Namespace, file: IO[bytes]) -> int:
    from fivehundred.console.importing import take

    with opened(args, create=True) as store:
        done = take(store, file, now=time.time())
    print(
        f"new: {done.projects:,} projects, {done.faults:,} faults, {done.events:,} events with their payloads", end=""
    )
    print(f", {done.counted:,} events of faults that were here" if done.counted else "", end="")
    print(f"; {done.skipped:,} lines say nothing this version knows" if done.skipped else "")
    return Exit.ok


def _send(dsn: Dsn, events: Iterator[dict[str, Any]]) -> int:
    """Each event in a request of its own, as its client would have sent it; a busy Console is waited for."""
    kind = http.client.HTTPSConnection if dsn.scheme == "https" else http.client.HTTPConnection
    connection, sent, refused = kind(dsn.host, dsn.port, timeout=30), 0, 0
    deadline = time.monotonic() + _wait_s_max
    for event in events:
        while (status := _post(connection, dsn, event)) in (0, 429, 503) and time.monotonic() < deadline:
            time.sleep(1)
        if status == 0:
            raise SystemExit(f"no Console answers at {dsn.host}:{dsn.port} after {sent:,} events; is it running?")
        if status in (401, 403, 404, 429, 503):
            raise SystemExit(f"the Console answered {status} after {sent:,} events; is the DSN right, has it room?")
        sent, refused = sent + (status == 200), refused + (status != 200)
        deadline = time.monotonic() + _wait_s_max
    print(
        f"{sent:,} events were taken; those whose id was known count once"
        + (f"; {refused:,} were refused" if refused else "")
    )
    return Exit.ok if sent or not refused else Exit.failed


def _post(connection: http.client.HTTPConnection, dsn: Dsn, event: dict[str, Any]) -> int:
    """The status; 0 when nobody answered, as on a connection that was idle for too long: the next one is a new one."""
    item = json.dumps(event).encode("utf-8", "replace")
    head = json.dumps({"event_id": event["event_id"], "dsn": ""}).encode()
    body = gzip.compress(b"%s\n%s\n%s\n" % (head, json.dumps({"type": "event", "length": len(item)}).encode(), item), 1)
    headers = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={dsn.key}", "Content-Encoding": "gzip",
               "Content-Type": "application/x-sentry-envelope"}  # fmt: skip
    try:
        connection.request("POST", f"{dsn.prefix}/api/{dsn.project}/envelope/", body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0
    return answer.status
