"""Patterns of ownership rules and filters: a text with ``*`` for anything and ``?`` for one character.

A pattern fits the whole of a value, in any case. There are no regular expressions: what a person types here meets what
strangers send, and no pair of the two may take long.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import Final

value_chars_max: Final = 2_000  # of a value that is looked at
pattern_chars_max: Final = 200


def fits(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value[:value_chars_max].casefold()) is not None


@lru_cache(maxsize=2_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch makes each star atomic, so that no value takes more than linear time a star; "[" means itself here
    return re.compile(fnmatch.translate(pattern[:pattern_chars_max].casefold().replace("[", "[[]")))
