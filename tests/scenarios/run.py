"""All scenarios and what is said of them: ``scripts/scenarios [pattern]``. Exits non-zero below the bars."""

from __future__ import annotations

import argparse
import sys

from tests.scenarios import figures
from tests.scenarios.play import as_line, load, play, play_here, ways_of
from tests.scenarios.stage import ways


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="only scenarios whose name holds this")
    parser.add_argument("--way", choices=ways)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="the sentences of all, not only of the wrong ones")
    options = parser.parse_args()
    catalogue = load()
    if options.here:
        sys.stdout.write(as_line(play_here(catalogue[options.here], options.way or ways[0])) + "\n")
        return 0
    found = []
    for name, one in catalogue.items():
        if options.pattern in name:
            for way in ways_of(one):
                if options.way in (None, way):
                    found.append(play(one, way))
                    figures.show(found[-1], options.verbose)
    return figures.report(found)


if __name__ == "__main__":
    sys.exit(main())
