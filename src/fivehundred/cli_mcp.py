"""``fivehundred mcp``: an MCP server on standard input and output, for an agent on this machine."""

from __future__ import annotations

import argparse
import os

from fivehundred.cli import Exit
from fivehundred.cli_faults import configured_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "An agent's configuration names this command. The Console is found as `fivehundred faults` finds it "
        "(FIVEHUNDRED_URL, FIVEHUNDRED_DSN, else this machine's); FIVEHUNDRED_TOKEN is the token to ask with."
    )
    parser.add_argument("--url", default="", help="of the Console")
    parser.add_argument("--write", action="store_true", help="also offer update_fault (resolve, mute, reopen)")


def main(args: argparse.Namespace) -> int:
    from fivehundred.console.mcp.asking import Asking
    from fivehundred.console.mcp.server import server

    url, token = args.url or configured_url(), os.environ.get("FIVEHUNDRED_TOKEN", "")
    server(lambda _: Asking(url, token), write=args.write).run("stdio")
    return Exit.ok
