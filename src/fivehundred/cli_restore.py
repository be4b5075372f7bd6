"""``fivehundred restore FILE``: a backup into an empty folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from fivehundred.cli import Exit
from fivehundred.cli_data import add_data, layout_of, said


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="that fivehundred backup wrote")
    add_data(parser)


def main(args: argparse.Namespace) -> int:
    return said("restore", lambda: _main(args))


def _main(args: argparse.Namespace) -> int:
    from fivehundred.console.backup import BackupError, restore

    layout = layout_of(args)
    try:
        saved = restore(args.file, layout)
    except BackupError as error:
        raise SystemExit(str(error)) from error
    print(f"{layout.root}: {saved.faults:,} faults, {saved.payloads:,} payloads.")
    print(f"Start it with:  fivehundred console --data {layout.root}")
    return Exit.ok
