"""What a failing source line says, without what may be renamed: its shape and its words. Any C-like language or Python.

Local names are masked, because a renamed variable is no other fault; attributes, called functions and literals stay,
because two unguarded lines of one function differ in just these.
"""

# ruff: noqa: SIM905, E501 - tables of words and texts read better as they are

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

chars_max: Final = 400  # of a line that are looked at: generated and minified lines are cut


@dataclass(frozen=True, slots=True)
class Line:
    shape: str  # the line with local names as "_", blanks evened out; empty when there is no source
    words: frozenset[str]  # attributes, called functions, literals
    raises: bool  # the line itself raises: its message was written by a person


nothing: Final = Line("", frozenset(), False)


@lru_cache(maxsize=20_000)
def read(text: str) -> Line:
    tokens = _TOKEN.findall(text.strip()[:chars_max])
    if not tokens or tokens == ["{snip}"]:
        return nothing
    imports = tokens[0] in ("import", "from", "require", "use")
    shape: list[str] = []
    words: set[str] = set()
    for i, token in enumerate(tokens):
        if token[0].isalpha() or token[0] in "_$":
            if _STRING.match(token):
                shape.append(_FIELD.sub("{}", token))
                words.add(shape[-1])
            elif token in _KEYWORDS:
                shape.append(token)
            elif imports or (i and tokens[i - 1] in _ACCESS) or (i + 1 < len(tokens) and tokens[i + 1] == "("):
                shape.append(token)
                words.add(token)
            else:
                shape.append("_")
        else:
            shape.append(_FIELD.sub("{}", token) if token[0] in "\"'`" else token)
            if token[0] in "\"'`" or token[0].isdigit():
                words.add(shape[-1])
    return Line(" ".join(shape), frozenset(words), any(_RAISES.fullmatch(t) for t in tokens))


def alike(a: frozenset[str], b: frozenset[str]) -> float:
    """From 0 to 1: how many of their words two lines share. Without words there is nothing to compare: 0."""
    return len(a & b) / len(a | b) if a or b else 0.0


_TOKEN: Final = re.compile(
    r"""(?:[rbfuRBFU]{1,2})?"(?:[^"\\]|\\.)*"|(?:[rbfuRBFU]{1,2})?'(?:[^'\\]|\\.)*'|`[^`]*`"""
    r"""|[A-Za-z_$][\w$]*|\d[\w.]*|->|::|\?\.|[^\s\w]"""
)
_STRING: Final = re.compile(r"[rbfuRBFU]{1,2}[\"']")
_FIELD: Final = re.compile(r"\$?\{[^{}]*\}")
_ACCESS: Final = frozenset((".", "->", "::", "?."))
_RAISES: Final = re.compile(r"raise|throw|reject|panic|abort|die")
_KEYWORDS: Final = frozenset(
    "if elif else for in while return await async raise throw new not and or is None True False null nil undefined this "
    "self cls lambda with as del yield try except finally catch import from const let var def fn func function class "
    "assert global nonlocal match case switch do unless begin rescue end then throws typeof instanceof".split()
)
