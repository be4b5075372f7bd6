"""Reads Retry-After (RFC 9110 section 10.2.3): seconds or a date. What is neither is junk, and junk is no wait."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Final

from fivehundred import limits

_SECONDS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")  # a fraction is against the RFC, and unmistakable


def retry_after_s(value: str, now: float) -> float | None:
    """Seconds to wait. ``now`` is the time of day, in seconds since 1970; a date in the past means 0."""
    value = value.strip()
    if not value or len(value) > limits.retry_after_chars_max or not value.isascii():
        return None
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):  # all of them come out of the standard library's parser
        return None
