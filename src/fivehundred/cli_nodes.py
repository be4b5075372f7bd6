"""``fivehundred ingest`` and ``fivehundred digest``: one node of an installation on several machines.

What they run is in ``fivehundred.console.nodes``; the configuration file in ``fivehundred.console.scale``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from fivehundred.cli import Exit
from fivehundred.console.logs import add_log_argument, set_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kind = parser.prog.rpartition(" ")[2]
    parser.epilog = "Stop it with Ctrl-C or SIGTERM: what is in hand is finished, what waits is kept."
    parser.add_argument(
        "--scale",
        type=Path,
        required=True,
        metavar="FILE",
        help="configuration of the installation (docs/howto/scale.md)",
    )
    parser.add_argument("--data", metavar="DIR", help=f"folder of this node, instead of [{kind}] data")
    if kind == "ingest":
        parser.add_argument("--port", type=int, help="instead of [ingest] port; 0 for a free one")
    parser.add_argument("--json", action="store_true", help="announce as one line of JSON")
    add_log_argument(parser)
    parser.set_defaults(kind=kind)


def main(args: argparse.Namespace) -> int:
    from fivehundred.console import nodes, scale
    from fivehundred.console.processes import InUse

    set_up(args.log)
    try:
        read = scale.read(args.scale)
        told = {"data": args.data, "port": getattr(args, "port", None)}
        read = scale.changed(read, args.kind, {name: value for name, value in told.items() if value is not None})
        serve = nodes.serve_ingest if args.kind == "ingest" else nodes.serve_digest
        serve(read, lambda about: _announce(args.kind, about, args.json))
    except scale.ScaleError as e:
        return _refuse(args.kind, str(e))
    except InUse as e:
        return _refuse(
            args.kind, f"the folder of this node is in use by {e}; give each node one of its own: --data DIR"
        )
    except OSError as e:
        return _refuse(args.kind, f"it cannot start: {e}")
    return Exit.ok


def _announce(kind: str, about: Mapping[str, object], as_json: bool) -> None:
    line = json.dumps(about) if as_json else f"fivehundred {kind}: " + ", ".join(f"{k} {v}" for k, v in about.items())
    print(line, flush=True)


def _refuse(kind: str, text: str) -> int:
    print(f"fivehundred {kind}: {text}", file=sys.stderr)
    return Exit.refused
