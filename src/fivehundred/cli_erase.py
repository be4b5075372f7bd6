"""``fivehundred erase``: everything that is stored of one person."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fivehundred.cli import Exit
from fivehundred.cli_data import add_store, layout_of, opened, said

if TYPE_CHECKING:
    from fivehundred.console.spool.segments import SegmentWriter
    from fivehundred.console.store.relational import RelationalStore

_chars_anywhere_min: Final = 6  # shorter ids, and numbers, would be found in texts that mean something else


def add_arguments(parser: argparse.ArgumentParser) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", default="", metavar="ID", help="id, name or e-mail address, as events say it")
    who.add_argument("--ip", default="", metavar="IP", help="address, as events say it")
    add_store(parser)


def main(args: argparse.Namespace) -> int:
    return said("erase", lambda: _main(args))


def _main(args: argparse.Namespace) -> int:
    name = args.ip or args.user.strip()
    if args.ip:
        try:
            ipaddress.ip_address(args.ip)
        except ValueError:
            raise SystemExit(f"{args.ip!r} is no IP address; a user is named with --user") from None
    if not name:
        raise SystemExit("an empty name would be everybody")
    anywhere = bool(args.ip) or (len(name) >= _chars_anywhere_min and not name.isdigit())
    with opened(args) as store:
        _order(store, name, anywhere, may_wait=bool(args.store) or _is_running(args, store) or _waits(args, store))
        done = store.eraser.erase(name, anywhere=anywhere)
        print("\n".join(f"{count:8,}  {what}" for what, count in done.items()) or "nothing is stored of it")
        if not anywhere:
            print("So short a name, or a number, was looked for only where events say who the user was.")
        left = (_dictionaries(args, store, name) + _settings(store, name)) if anywhere else []
        store.tidy()
        left += _spool(args, store)
    for line in left:
        print(line)
    return Exit.failed if left else Exit.ok


def _dictionaries(args: argparse.Namespace, store: RelationalStore, name: str) -> list[str]:
    found = store.eraser.dictionaries(name)
    if not found:
        return []
    if _is_running(args, store):
        return ["LEFT: pieces of payloads that others are packed with hold it. Stop the digest and erase once more."]
    for number in found:
        print(f"{store.eraser.forget_dictionary(number):8,}  payloads packed anew")
    return []


def _settings(store: RelationalStore, name: str) -> list[str]:
    return [f"LEFT: {place} in the Console names it; change it there." for place in store.eraser.settings(name)]


def _order(store: RelationalStore, name: str, anywhere: bool, *, may_wait: bool) -> None:
    """For what is accepted and digested only later; where nothing is, no order is left either."""
    from fivehundred.console.store.erasure_orders import ErasureOrders

    if not may_wait:
        ErasureOrders(store.database).forget(received_before=time.time())
        return
    ErasureOrders(store.database).add(name, anywhere=anywhere, now=time.time())
    print("What was accepted before now and is not digested yet is erased when it is digested.")


def _waits(args: argparse.Namespace, store: RelationalStore) -> bool:
    from fivehundred.console.spool.segments import SegmentReader

    folder = layout_of(args).spool
    if not folder.exists():
        return False
    reader = SegmentReader(folder)
    try:
        return bool(reader.read(store.offset(), records_max=1, bytes_max=1))
    finally:
        reader.close()


def _spool(args: argparse.Namespace, store: RelationalStore) -> list[str]:
    """What was accepted lies there as it came, until its file is deleted."""
    if args.store:
        print("Until then it lies on ingest nodes and in JetStream, as it came; /readyz of the Console says how much.")
        return []
    folder = layout_of(args).spool
    if _is_running(args, store):
        return ["LEFT: what was accepted lies in the spool for a while, as it came. Stop the Console, erase once more."]
    from fivehundred.console.spool import format as fmt
    from fivehundred.console.spool.segments import SegmentWriter

    if not folder.exists():
        return []
    if _waits(args, store):
        return ["LEFT: events that are not digested yet, as they came. Let a Console finish them, then erase again."]
    asyncio.run(_begin(SegmentWriter, folder))
    for number in fmt.segments(folder)[:-1]:
        fmt.segment_path(folder, number).unlink(missing_ok=True)
    return []


async def _begin(writer: type[SegmentWriter], folder: Path) -> None:
    """An empty file, which goes on counting where the last one ended."""
    await writer(folder).close()


def _is_running(args: argparse.Namespace, store: RelationalStore) -> bool:
    """Whether a Console or a digest writes to the same store."""
    from fivehundred.console.processes import InUse, Lock
    from fivehundred.console.store.nodes import Nodes

    if args.store:
        return bool(Nodes(store.database).alive("digest", now=time.time()))
    try:
        for file in (layout_of(args).lock, layout_of(args).digest_lock):
            Lock(file).release()
    except InUse:
        return True
    return False
