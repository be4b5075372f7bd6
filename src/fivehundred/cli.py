"""The command ``fivehundred``. Needs the standard library alone; each subcommand brings its module when it is called.

A subcommand is a module with ``add_arguments(parser)`` and ``main(args) -> int``. What every subcommand shares is
here: how help looks, what the exit codes mean, and what is said when a package is missing.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """Stable: scripts may rely on them."""

    ok = 0
    failed = 1  # what was asked for was tried and did not succeed
    usage = 2  # the command line is wrong
    missing = 3  # a package that this command needs is not installed
    unreachable = 4  # no Console answers at the address
    refused = 5  # the Console does not start here: port taken, data folder in use, address without accounts
    interrupted = 130  # Ctrl-C


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    summary: str
    module: str
    extra: str = ""  # of the distribution, when the bare one is not enough


commands: Final = (
    Command("console", "start the Console: one process, one folder", "fivehundred.cli_console", "console"),
    Command(
        "ingest", "accept events on this machine, for an installation on several", "fivehundred.cli_nodes", "scale"
    ),
    Command("digest", "digest what the ingest nodes accepted", "fivehundred.cli_nodes", "scale"),
    Command("quota", "show or set how many events of a project are taken", "fivehundred.cli_project"),
    Command("origins", "show or set which web pages may send to a project", "fivehundred.cli_project"),
    Command("retention", "show or set how long and how much a project keeps", "fivehundred.cli_project"),
    Command("demo", "see the five causes arrive: a Console, a failing API, a client", "fivehundred.demo.main", "demo"),
    Command(
        "dev", "run an application with reloading, the development page and a Console", "fivehundred.cli_dev", "console"
    ),
    Command("faults", "list the faults of a running Console, or show one with its runbook", "fivehundred.cli_faults"),
    Command("events", "show one event of a running Console by its reference", "fivehundred.cli_look"),
    Command("incidents", "list the incidents of a running Console, or show one", "fivehundred.cli_look"),
    Command("users", "accounts of a Console: add, invite, roles", "fivehundred.cli_people", "console"),
    Command("tokens", "tokens for API, commands and agents", "fivehundred.cli_people", "console"),
    Command("mcp", "serve a running Console to an agent on this machine (MCP)", "fivehundred.cli_mcp", "mcp"),
    Command("backup", "write a data folder into one file, while its Console runs", "fivehundred.cli_backup", "console"),
    Command("restore", "a backup into an empty folder", "fivehundred.cli_restore", "console"),
    Command("export", "write projects, faults and events as JSON lines", "fivehundred.cli_export", "console"),
    Command("import", "take in an export, or events of other trackers", "fivehundred.cli_import", "console"),
    Command("erase", "delete everything that is stored of one person", "fivehundred.cli_erase", "console"),
    Command("get", "call a URL and explain a 5xx as the Client does", "fivehundred.client.cli"),
    Command("doctor", "check this machine and the Console: what is wrong, what to do", "fivehundred.cli_doctor"),
)

_HEAD: Final = """\
usage: fivehundred COMMAND [options]

Everything that should happen when a web API answers 500 Internal Server Error.

commands:
"""
_TAIL: Final = """
options:
    -h, --help   show this, or with a command the help of that command
    --version    show the version

Begin with:  fivehundred console
Exit codes:  0 done, 1 failed, 2 wrong usage, 3 package missing, 4 Console unreachable, 5 Console cannot start here
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return _help(arguments[1:])
    if arguments[0] in ("--version", "-V"):
        from fivehundred import __version__

        print(f"fivehundred {__version__}")
        return Exit.ok
    command = next((c for c in commands if c.name == arguments[0]), None)
    if command is None:
        return _unknown(arguments[0])
    return _run(command, arguments[1:])


def _run(command: Command, arguments: list[str]) -> int:
    try:
        module = importlib.import_module(command.module)
        parser = argparse.ArgumentParser(
            prog=f"fivehundred {command.name}",
            description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        )
        module.add_arguments(parser)
        return int(module.main(parser.parse_args(arguments)))
    except ModuleNotFoundError as e:
        return _missing(command, e)
    except KeyboardInterrupt:
        return Exit.interrupted
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is wrong. Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ok


def _help(arguments: list[str]) -> int:
    named = next((c for c in commands if arguments and c.name == arguments[0]), None)
    if named is not None:
        return _run(named, ["--help"])
    width = max(len(c.name) for c in commands)
    print(_HEAD + "\n".join(f"    {c.name:<{width}}  {c.summary}" for c in commands))
    print(_TAIL, end="")
    return Exit.ok


def _unknown(name: str) -> int:
    close = difflib.get_close_matches(name, [c.name for c in commands], n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`fivehundred --help` lists them"
    print(f"fivehundred: there is no command {name!r}; {hint}", file=sys.stderr)
    return Exit.usage


def _missing(command: Command, e: ModuleNotFoundError) -> int:
    package = (e.name or "").partition(".")[0]
    if package == "fivehundred" or not package:
        raise e  # a file of our own is not there: a defect, and its traceback is wanted
    extra = f"[{command.extra}]" if command.extra else ""
    print(
        f"fivehundred {command.name} needs the package {package!r}, which is not installed.\n"
        f"Type: {os.path.basename(sys.executable)} -m pip install 'fivehundred{extra}'",
        file=sys.stderr,
    )
    return Exit.missing
