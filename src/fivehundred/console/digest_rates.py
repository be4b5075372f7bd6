"""Counts of requests, as our Guards send them: read within bounds. Anything else of that name counts nothing."""

from __future__ import annotations

from typing import Final

from fivehundred import limits
from fivehundred.console.store.rates import Counted, RateReport
from fivehundred.event import Json, clean, cut, text

item_type: Final = "fivehundred_rates"


def read(raw: Json, project: str, received_at: float) -> RateReport | None:
    """None when it holds no count."""
    if not isinstance(raw, dict):
        return None
    rows = raw.get("counts")
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows[: limits.rates_rows_max] if isinstance(rows, list) else ():
        if not isinstance(row, list) or len(row) != 4:
            continue
        route, method, digit, count = row
        kind = _KINDS.get(digit) if isinstance(digit, str) else None
        if kind is None or not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 2**40:
            continue
        key = (_word(route, limits.rates_route_chars_max), _word(method, 16))
        found.setdefault(key, [0, 0, 0])[kind] += count
    counts = tuple(Counted(*key, *row) for key, row in found.items())
    if not counts:
        return None
    return RateReport(
        project=project,
        received_at=received_at,
        release=_word(raw.get("release"), limits.tag_chars_max),
        environment=_word(raw.get("environment"), limits.tag_chars_max),
        host=_word(raw.get("server_name"), limits.tag_chars_max),
        counts=counts,
    )


_KINDS: Final = {"1": 0, "2": 0, "3": 0, "4": 1, "5": 2}


def _word(value: Json, chars: int) -> str:
    return cut(clean(text(value, chars)), chars)
