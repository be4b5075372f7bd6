"""Charts as SVG made here: bars and sparks, each with the same figures in words.

No style attributes and no scripts: the pages' policy forbids them, and classes do all that is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup


def spark(values: Sequence[int], unit: str = "hour") -> Markup:
    """A row's trend: one path of bars, small enough to stand in every row of a list."""
    top = max(values, default=0)
    steps = "".join(f"M{i * 4} 20V{20 - _height(v, top, 18)}" for i, v in enumerate(values) if v)
    words = _words(values, unit)
    # the track below keeps an empty trend from looking like a missing one
    return Markup(
        '<svg class="spark" viewBox="-2 0 {width} 21" role="img" aria-label="{words}">'
        '<path class="track" d="M-1 20.5H{end}"/><path d="{steps}"/></svg>'
    ).format(width=len(values) * 4, words=words, end=len(values) * 4 - 3, steps=steps)


def bars(values: Sequence[int], *, unit: str, marks: Sequence[tuple[int, str]] = (), label: str = "") -> Markup:
    """A chart of its own: bars with a tip each, and marks (index, text) such as a release at its first hour."""
    top = max(values, default=0)
    width = len(values) * 10
    body = Markup("").join(
        Markup('<rect x="{x}" y="{y}" width="6" height="{h}"><title>{tip}</title></rect>').format(
            x=i * 10 + 2, y=60 - _height(v, top, 52), h=_height(v, top, 52), tip=_tip(len(values) - 1 - i, v, unit)
        )
        for i, v in enumerate(values)
        if v
    )
    flags = Markup("").join(
        Markup('<path class="mark" d="M{x} 0V60"><title>{text}</title></path>').format(x=max(1, i * 10), text=text)
        for i, text in marks
        if 0 <= i < len(values)
    )
    return Markup(
        '<svg class="bars" viewBox="0 0 {width} 61" preserveAspectRatio="none" role="img" aria-label="{words}">'
        '<path class="track" d="M0 60.5H{width}"/>{body}{flags}</svg>'
    ).format(width=width, words=f"{label}: {_words(values, unit)}".removeprefix(": "), body=body, flags=flags)


def share(part: int, whole: int) -> Markup:
    """One horizontal bar of a table: how much of the whole this is."""
    percent = 0 if whole <= 0 else max(1, round(100 * part / whole)) if part else 0
    return Markup(
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6"/><rect width="{percent}" height="6"/></svg>'
    ).format(percent=min(percent, 100))


def _height(value: int, top: int, height_max: int) -> int:
    return 0 if value <= 0 or top <= 0 else max(2, round(value / top * height_max))


def _words(values: Sequence[int], unit: str) -> str:
    total, top = sum(values), max(values, default=0)
    if not total:
        return f"no events in {len(values)} {unit}s"
    back = len(values) - 1 - list(values).index(top)
    when = f"this {unit}" if back == 0 else f"{back} {unit}{'' if back == 1 else 's'} ago"
    return f"{total:,} events in {len(values)} {unit}s, most of them ({top:,}) {when}"


def _tip(back: int, value: int, unit: str) -> str:
    when = f"this {unit}" if back == 0 else f"{back} {unit}{'' if back == 1 else 's'} ago"
    return f"{value:,} {when}"
