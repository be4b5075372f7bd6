"""The figures of a play: confusion matrix, F1, precision by confidence, transience, twins, evidence. And the bars."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Final

from tests.scenarios.play import Played

causes: Final = ("misconfiguration", "overload", "bug", "database", "security")
bars: Final = {
    "macro F1": 0.95,
    "certain right": 0.99,
    "likely right": 0.90,
    "transience right": 0.95,
    "evidence": 0.95,
}


def report(played: list[Played]) -> int:
    """Prints all; 1 when a bar is missed by the Guard's events or a plain event is certainly wrong."""
    guard = [p for p in played if p.way != "sdk" and not (p.skipped or p.failed)]
    plain = [p for p in played if p.way == "sdk" and not (p.skipped or p.failed)]
    missed = _bars("events of the Guard", guard, held=True) if guard else 0
    if plain:
        _bars("plain events (sentry-sdk)", plain, held=False)
        missed += sum(p.confidence == "certain" and not p.right for p in plain)
    for p in played:
        if p.skipped:
            _say(f"skipped {p.id} ({p.way}): {p.skipped}")
    failed = [p for p in played if p.failed]
    _say(f"{len(played)} played, {len(failed)} could not be provoked, {sum(bool(p.skipped) for p in played)} skipped")
    return 1 if missed or failed else 0


def show(p: Played, verbose: bool) -> None:
    if p.failed:
        _say(f"FAILED {p.id} ({p.way}): {p.failed}")
    elif p.skipped:
        return
    else:
        marks = [] if p.right else [f"WRONG, is {p.expected}"]
        marks += ["TWIN"] if p.twin else []
        marks += [] if p.transient == p.transient_expected else [f"transient {p.transient}, is {p.transient_expected}"]
        marks += [] if p.evidence or p.way == "sdk" else ["decisive fact not in the evidence"]
        if marks or verbose:
            _say(f"{p.id} ({p.way}): {p.rule} [{', '.join(marks)}]\n    {p.sentence}")


def _bars(title: str, played: list[Played], *, held: bool) -> int:
    figures = {
        "macro F1": macro_f1(played),
        "certain right": _share(played, "certain"),
        "likely right": _share(played, "likely"),
        "transience right": sum(p.transient == p.transient_expected for p in played) / len(played),
        "evidence": sum(p.evidence for p in played) / len(played),
    }
    _say(f"\n== {title}: {len(played)} plays\n{matrix(played)}")
    missed = 0
    for name, value in figures.items():
        low = value is not None and value < bars[name]
        missed += low
        shown = "none" if value is None else f"{value:.3f}"
        _say(f"{name:17} {shown}" + (f"  (bar {bars[name]}{', MISSED' if low else ''})" if held else ""))
    counts = Counter(p.confidence for p in played)
    twins = sum(p.twin for p in played)
    _say(f"forbidden twins   {twins}" + ("  (bar 0)" if held else ""))
    _say("confidence        " + ", ".join(f"{name} {number}" for name, number in counts.most_common()))
    _say(f"diagnose          {sorted(p.ms for p in played)[len(played) // 2]:.2f} ms median")
    return missed + twins


def _share(played: list[Played], confidence: str) -> float | None:
    of = [p.right for p in played if p.confidence == confidence]
    return sum(of) / len(of) if of else None


def macro_f1(played: list[Played]) -> float:
    """Over the causes that were expected at all."""
    scores = []
    for cause in causes:
        hit = sum(p.cause == cause == p.expected for p in played)
        said, meant = sum(p.cause == cause for p in played), sum(p.expected == cause for p in played)
        if meant:
            scores.append(2 * hit / (said + meant))
    return sum(scores) / len(scores)


def matrix(played: list[Played]) -> str:
    """Rows: what it is; columns: what was said."""
    columns = (*causes, "unknown")
    counts = Counter((p.expected, p.cause) for p in played)
    lines = [" " * 17 + " ".join(f"{c[:9]:>9}" for c in columns)]
    for row in causes:
        lines.append(f"{row:17}" + " ".join(f"{counts[row, c]:9}" for c in columns))
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
