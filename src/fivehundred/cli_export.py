"""``fivehundred export``: what a store knows, as JSON lines."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from fivehundred.cli import Exit
from fivehundred.cli_data import add_store, opened, said


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="to write; - is standard output")
    add_store(parser)


def main(args: argparse.Namespace) -> int:
    return said("export", lambda: _main(args))


def _main(args: argparse.Namespace) -> int:
    from fivehundred.console.export import export

    with opened(args, readonly=True) as store:
        if args.file == "-":
            done = export(store, sys.stdout.buffer, now=time.time())
        else:
            if Path(args.file).exists():
                raise SystemExit(f"{args.file} exists; name another file, or move it away")
            with os.fdopen(os.open(args.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                done = export(store, out, now=time.time())
    print(
        f"{done.projects:,} projects, {done.faults:,} faults, {done.events:,} events with their payloads,"
        f" {done.counted:,} that were only counted"
        + (f"; {done.damaged:,} payloads are damaged and not in it" if done.damaged else ""),
        file=sys.stderr,
    )
    return Exit.ok
