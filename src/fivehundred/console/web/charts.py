"""Charts as SVG made here: bars and sparks, each with the same figures in words.

No style attributes and no scripts: the pages' policy forbids them, and classes do all that is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape


def spark(values: Sequence[int], unit: str = "hour") -> Markup:
    """A row's trend: one path of bars, small enough to stand in every row of a list."""
    top = max(values, default=0)
    steps = "".join(f"M{i * 4} 20V{20 - _height(v, top, 18)}" for i, v in enumerate(values) if v)
    words = _words(values, unit)
    # the track below keeps an empty trend from looking like a missing one
    return Markup(  # noqa: S704 - numbers and our own words
        f'<svg class="spark" viewBox="-2 0 {len(values) * 4} 21" role="img" aria-label="{words}">'
        f'<path class="track" d="M-1 20.5H{len(values) * 4 - 3}"/><path d="{steps}"/></svg>'
    )


def bars(values: Sequence[int], *, unit: str, marks: Sequence[tuple[int, str]] = (), label: str = "") -> Markup:
    """A chart of its own: bars with a tip each, and marks (index, text) such as a release at its first hour."""
    top = max(values, default=0)
    body = "".join(_bar(i, _height(v, top, 52), _tip(len(values) - 1 - i, v, unit)) for i, v in enumerate(values) if v)
    flags = "".join(
        f'<path class="mark" d="M{max(1, i * 10)} 0V60"><title>{escape(text)}</title></path>'
        for i, text in marks
        if 0 <= i < len(values)
    )
    return _chart(len(values) * 10, f"{label}: {_words(values, unit)}".removeprefix(": "), body + flags)


def rates(points: Sequence[tuple[int, int]], *, label: str) -> Markup:
    """(requests, failed) an hour: bars as high as the share that failed, each with its figures in the tip."""
    shares = [round(100_000 * failed / requests) if requests else 0 for requests, failed in points]
    top = max(shares, default=0)
    body = "".join(
        _bar(i, _height(v, top, 52), _rate_tip(len(points) - 1 - i, *points[i])) for i, v in enumerate(shares) if v
    )
    requests, failed = (sum(column) for column in zip(*points, strict=True)) if points else (0, 0)
    words = f"{label}: {failed:,} of {requests:,} requests failed in {len(points)} hours, {percent(failed, requests)}"
    return _chart(len(points) * 10, words, body)


def _bar(number: int, height: int, tip: str) -> str:
    return f'<rect x="{number * 10 + 2}" y="{60 - height}" width="6" height="{height}"><title>{tip}</title></rect>'


def _chart(width: int, words: str, body: str) -> Markup:
    return Markup(  # noqa: S704 - the words are escaped, the body is made here
        f'<svg class="bars" viewBox="0 0 {width} 61" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(words)}"><path class="track" d="M0 60.5H{width}"/>{body}</svg>'
    )


def percent(part: float, whole: float) -> str:
    """ "0.25 %"; as many digits as a small share needs."""
    if whole <= 0:
        return "–"
    value = 100 * part / whole
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def _rate_tip(back: int, requests: int, failed: int) -> str:
    when = "this hour" if back == 0 else f"{back} {'hour' if back == 1 else 'hours'} ago"
    return f"{failed:,} of {requests:,} failed ({percent(failed, requests)}) {when}"


def share(part: int, whole: int) -> Markup:
    """One horizontal bar of a table: how much of the whole this is."""
    percent = 0 if whole <= 0 else max(1, round(100 * part / whole)) if part else 0
    return Markup(  # noqa: S704 - a number
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="6"/><rect width="{min(percent, 100)}" height="6"/></svg>'
    )


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
