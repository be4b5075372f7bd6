#!/usr/bin/env python3
"""Draws docs/images/retries-*.svg from what bench/retry_storm.py --json wrote.

bench/retry_storm.py --json /tmp/retries.json && bench/retry_plots.py /tmp/retries.json docs/images
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

colours = {"none": "#6b7280", "urllib3": "#b91c1c", "ours": "#1d4ed8"}
names = {"none": "no retry", "urllib3": "urllib3 Retry(3, 0.5)", "ours": "this Client"}
drawn = {"overload 120 -> 80 %": "retries-overload.svg", "hang 30 s": "retries-hang.svg"}
width, height, left, top = 720, 260, 46, 34


def main() -> int:
    found = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    for world, file in drawn.items():
        runs = [run for run in found if run["world"] == world]
        (Path(sys.argv[2]) / file).write_text(plot(world, runs), "utf-8")
    return 0


def plot(world: str, runs: list[dict[str, Any]]) -> str:
    seconds = len(runs[0]["by_second"])
    across, down = width - left - 10, height - top - 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>Timely calls by second: {world}</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<rect x="{left + 30 * across / seconds:.0f}" y="{top}" width="{30 * across / seconds:.0f}" height="{down}" '
        f'fill="#f3f4f6"/>',
    ]
    for share in (0, 50, 100):
        y = top + down * (1 - share / 100)
        parts.append(
            f'<path d="M{left} {y:.0f}h{across}" stroke="#d1d5db"/><text x="6" y="{y + 4:.0f}">{share} %</text>'
        )
    for second in range(0, seconds + 1, 30):
        parts.append(f'<text x="{left + second * across / seconds - 8:.0f}" y="{height - 14}">{second} s</text>')
    for number, (policy, colour) in enumerate(colours.items()):
        rows = [run["by_second"] for run in runs if run["policy"] == policy]
        shares = [statistics.median(values) for values in zip(*rows, strict=True)]
        points = " ".join(f"{left + i * across / seconds:.1f},{top + down * (1 - s):.1f}" for i, s in enumerate(shares))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 190 * number}" y="20" fill="{colour}">{names[policy]}</text>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    sys.exit(main())
