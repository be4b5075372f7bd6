"""``fivehundred console``: the command line of the Console. What it serves is in ``fivehundred.console.app``."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fivehundred import limits
from fivehundred.cli import Exit
from fivehundred.console.config import Config, Layout, default_data_dir, default_host, default_port, is_loopback
from fivehundred.console.logs import add_log_argument, set_up

if TYPE_CHECKING:
    from fivehundred.console.app import Started
    from fivehundred.console.store.base import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Stop it with Ctrl-C: what was accepted stays and is digested at the next start."
    parser.add_argument(
        "--data",
        type=Path,
        default=None,
        metavar="DIR",
        help=f"data folder, created when missing ({default_data_dir()})",
    )
    parser.add_argument("--host", default=default_host, help=f"address to listen on ({default_host})")
    parser.add_argument("--port", type=_port, default=default_port, help=f"port, 0 for a free one ({default_port})")
    parser.add_argument(
        "--public-url", default="", type=_url, metavar="URL", help="how it is reached when a proxy stands before it"
    )
    parser.add_argument(
        "--retention-days",
        type=_days,
        default=limits.retention_days,
        metavar="N",
        help=f"delete events and faults that are older ({limits.retention_days})",
    )
    parser.add_argument(
        "--disk-max",
        type=_size,
        default=limits.retention_bytes_max,
        metavar="SIZE",
        help="database and payloads together, such as 500MB or 20GB; the oldest payloads go first (10GB)",
    )
    parser.add_argument(
        "--scale",
        type=Path,
        metavar="FILE",
        help="one Console for several machines: its configuration (docs/howto/scale.md)",
    )
    parser.add_argument("--json", action="store_true", help="announce as one line of JSON")
    add_log_argument(parser)


def main(args: argparse.Namespace) -> int:
    set_up(args.log)
    if args.scale is not None:
        return _serve_scaled(args)
    layout = Layout(args.data or default_data_dir())
    config = Config(layout, args.host, args.port, args.public_url, args.retention_days, args.disk_max)
    if not config.loopback and not _has_accounts(layout):
        return _refuse(_no_accounts(config.host, f"--data {layout.root}"))
    _warn_of_plain_http(config.host, config.public_url)
    _warn_of_open_proxy(config)
    from fivehundred.console import app, processes
    from fivehundred.console.store.base import StoreError

    try:
        app.serve(config, _print_json if args.json else _print)
    except processes.InUse as e:
        return _refuse(
            f"the data folder {config.layout.root} is in use by {e}.\n"
            f"Stop that Console first, or give this one a folder of its own: --data DIR"
        )
    except StoreError as e:
        return _refuse(f"the data in {config.layout.root} cannot be opened: {e}")
    except OSError as e:
        return _refuse(_why(e, config))
    return Exit.ok


def _serve_scaled(args: argparse.Namespace) -> int:
    from fivehundred.console import nodes, processes, scale
    from fivehundred.console.store.base import StoreError

    try:
        read = scale.read(args.scale)
        given = {"data": str(args.data) if args.data else "", "public_url": args.public_url}
        given |= {n: v for n, v in (("host", args.host), ("port", args.port)) if v != _defaults[n]}
        read = scale.changed(read, "console", {n: v for n, v in given.items() if v != ""})
        if read.console is not None and not is_loopback(read.console.host):
            if not _any_in(nodes.open_store(read)):
                return _refuse(_no_accounts(read.console.host, f"--scale {args.scale}"))
            _warn_of_plain_http(read.console.host, read.console.public_url)
        nodes.serve_console(read, _print_json if args.json else _print)
    except scale.ScaleError as e:
        return _refuse(str(e))
    except processes.InUse as e:
        return _refuse(f"the folder of this Console is in use by {e}; give it one of its own: --data DIR")
    except StoreError as e:
        return _refuse(f"the store cannot be opened: {e}")
    except OSError as e:
        return _refuse(f"the Console cannot start: {e}")
    return Exit.ok


_defaults: Final[dict[str, object]] = {"host": default_host, "port": default_port}


def _no_accounts(host: str, where: str) -> str:
    return (
        f"{host} can be reached by others, and there is no account yet to keep them out. Make the first:\n"
        f"fivehundred users add NAME --role owner {where}"
    )


def _warn_of_plain_http(host: str, public_url: str) -> None:
    if not is_loopback(host) and not public_url.startswith("https://"):
        print(
            f"fivehundred console: {host} is served over plain http: passwords, sessions and events can be read on the "
            f"way.\nPut a proxy with https before it and say so: --public-url https://NAME",
            file=sys.stderr,
        )


def _warn_of_open_proxy(config: Config) -> None:
    public = urlsplit(config.public_url).hostname or "localhost"
    if config.loopback and not is_loopback(public) and not _has_accounts(config.layout):
        print(
            f"fivehundred console: whoever reaches {config.public_url} is its owner, for there is no account yet. Make "
            f"the first:\nfivehundred users add NAME --role owner --data {config.layout.root}",
            file=sys.stderr,
        )


def _has_accounts(layout: Layout) -> bool:
    from fivehundred.console.store.sqlite import SqliteStore

    return layout.database.exists() and _any_in(SqliteStore(layout.database))


def _any_in(store: Store) -> bool:
    from fivehundred.console.store.people import People

    try:
        return People(store.database).any()
    finally:
        store.close()


def _print(started: Started) -> None:
    bold, dim, end = (
        ("\033[1m", "\033[2m", "\033[0m")
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        else (
            "",
            "",
            "",
        )
    )
    print(
        f"\n  fivehundred console\n\n"
        f"    open   {bold}{started.url}{end}\n"
        f"    DSN    {bold}{started.dsn}{end}\n"
        f"    data   {started.data}\n\n"
        f"  {dim}Give the DSN to the Guard or to any Sentry SDK: export SENTRY_DSN={started.dsn}\n"
        f"  Ctrl-C stops it; nothing that was accepted is lost.{end}\n",
        flush=True,
    )


def _print_json(started: Started) -> None:
    document = {"url": started.url, "dsn": started.dsn, "project": started.project, "data": str(started.data)}
    print(json.dumps(document), flush=True)


def _why(e: OSError, config: Config) -> str:
    if e.errno == errno.EADDRINUSE:
        return (
            f"port {config.port} of {config.host} is taken, perhaps by another Console.\n"
            f"Look at http://{config.host}:{config.port}, or choose another port: --port 0 takes a free one"
        )
    if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        what = e.filename or f"port {config.port}"
        return f"{what} cannot be used: {e.strerror}. Choose another with --data DIR or --port N"
    return f"the Console cannot start: {e}"


def _refuse(text: str) -> int:
    print(f"fivehundred console: {text}", file=sys.stderr)
    return Exit.refused


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 0 to 65535")


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if 1 <= days <= 3_650:
        return days
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 3650")


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?) ?([MGT])i?B?", text.strip(), re.IGNORECASE)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write 500MB or 20GB")
    size = int(float(found[1]) * {"M": 1, "G": 1024, "T": 1024 * 1024}[found[2].upper()] * limits.MIB)
    if size < limits.disk_bytes_min:
        raise argparse.ArgumentTypeError(f"{text!r} is too small; at least {limits.disk_bytes_min // limits.MIB}MB")
    return size


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL; one looks like https://errors.example.org")
    return text.rstrip("/")
