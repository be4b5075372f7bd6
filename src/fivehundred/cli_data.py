"""What the commands about stored data share: which store is meant, how it is opened, how failures are said."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fivehundred.cli import Exit

if TYPE_CHECKING:
    from fivehundred.console.config import Layout
    from fivehundred.console.store.relational import RelationalStore

store_variable: Final = "FIVEHUNDRED_STORE"  # a URL with a password is better off here than on the command line


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="data folder (FIVEHUNDRED_DATA, else the user's)")


def add_store(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument(
        "--store", default=os.environ.get(store_variable, ""), metavar="URL",
        help=f"postgresql://... instead of a data folder ({store_variable})",
    )  # fmt: skip


def layout_of(args: argparse.Namespace) -> Layout:
    from fivehundred.console.config import Layout, default_data_dir

    return Layout(args.data or default_data_dir())


@contextmanager
def opened(args: argparse.Namespace, *, create: bool = False, readonly: bool = False) -> Iterator[RelationalStore]:
    """The store that is meant. Raises SystemExit with a sentence when it is not there."""
    if args.store:
        if not args.store.startswith(("postgresql://", "postgres://")):
            raise SystemExit("--store takes a URL that begins with postgresql://; a folder is named with --data")
        from fivehundred.console.store.postgres import PostgresStore

        store: RelationalStore = PostgresStore(args.store, readonly=readonly)
    else:
        from fivehundred.console.store.sqlite import SqliteStore

        layout = layout_of(args)
        if not create and not layout.database.exists():
            raise SystemExit(f"there is no Console's data in {layout.root}; name its folder: --data DIR")
        store = SqliteStore(layout.database, readonly=readonly)
    try:
        yield store
    finally:
        store.close()


def said(command: str, act: Callable[[], int]) -> int:
    """The edge: what went wrong in one sentence on stderr, and the exit code."""
    from fivehundred.console.store.base import StoreError

    try:
        return act()
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise
        print(f"fivehundred {command}: {stop.code}", file=sys.stderr)
    except (StoreError, OSError) as error:
        print(f"fivehundred {command}: {error}", file=sys.stderr)
    return Exit.failed
