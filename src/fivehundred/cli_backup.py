"""``fivehundred backup FILE``: one file with everything in a data folder, while its Console runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from fivehundred.cli import Exit
from fivehundred.cli_data import add_data, layout_of, said


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="to write, such as console-2026-11-24.tar.zst")
    add_data(parser)


def main(args: argparse.Namespace) -> int:
    return said("backup", lambda: _main(args))


def _main(args: argparse.Namespace) -> int:
    from fivehundred.console.backup import BackupError, backup

    try:
        saved = backup(layout_of(args), args.file)
    except BackupError as error:
        raise SystemExit(str(error)) from error
    size = args.file.stat().st_size
    print(f"{args.file}: {saved.faults:,} faults, {saved.payloads:,} payloads, {size:,} bytes. It holds the key that")
    print(
        f"seals secrets: keep it as you keep the folder.  Restore it with:  fivehundred restore {args.file} --data DIR"
    )
    return Exit.ok
